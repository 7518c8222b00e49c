//! The schema and its numbered steps. The number lies in the file's `user_version`.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::Backup;

use crate::error::OpenError;
use crate::open::file;

/// One step. Its text never changes once released.
pub(crate) struct Migration {
    /// From 1, dense.
    pub(crate) number: i64,
    /// What it does.
    pub(crate) sql: &'static str,
}

/// All steps, in order.
pub(crate) const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, sql: include_str!("../schema/001_first.sql") }];

/// The newest schema of a list of steps.
pub(crate) fn newest(migrations: &[Migration]) -> i64 {
    migrations.last().map_or(0, |migration| migration.number)
}

/// The schema that a file has.
pub(crate) fn schema_of(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Takes the steps that the file lacks, each in its own transaction, after a copy of the whole was made beside it.
pub(crate) fn migrate(db: &mut Connection, path: &Path, migrations: &[Migration]) -> Result<(), OpenError> {
    let sqlite = |e| OpenError::sqlite(path, e);
    let found = schema_of(db).map_err(sqlite)?;
    let lacking: Vec<_> = migrations.iter().filter(|migration| migration.number > found).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let copy = copy_before(db, path, &format!(".before-schema-{}", newest(migrations)))?;
    for migration in lacking {
        step(db, migration).map_err(sqlite)?;
        tracing::info!(event = "schema_migrated", schema = migration.number, copy = %copy.display());
    }
    Ok(())
}

fn step(db: &mut Connection, migration: &Migration) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    tx.execute_batch(migration.sql)?;
    tx.pragma_update(None, "user_version", migration.number)?;
    tx.commit()
}

/// Copies the whole database beside itself, durable and complete before it gets its name.
pub(crate) fn copy_before(db: &Connection, path: &Path, suffix: &str) -> Result<PathBuf, OpenError> {
    let copy = file::beside(path, suffix);
    let partial = file::beside(path, ".partial");
    match std::fs::remove_file(&partial) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(file::io(&partial, e)),
        _ => {}
    }
    file::private_file(&partial)?;
    copy_into(db, &partial).map_err(|e| OpenError::sqlite(&partial, e))?;
    file::move_into_place(&partial, &copy)?;
    Ok(copy)
}

fn copy_into(db: &Connection, partial: &Path) -> rusqlite::Result<()> {
    let mut target = Connection::open(partial)?;
    Backup::new(db, &mut target)?.step(-1)?;
    // The copy is one file, not a file and a write-ahead log.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, e)| e)
}
