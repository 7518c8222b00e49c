//! Connections and their settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;

/// The first SQLite without the WAL fault that corrupts databases with one writer and many readers.
const SQLITE_NEEDED: (i32, &str) = (3_051_003, "3.51.3");
/// The writer's page cache, in KiB.
const WRITER_CACHE_KIB: i32 = 4 * 1024;
/// A reader's page cache, in KiB.
const READER_CACHE_KIB: i32 = 1024;
/// How many pages the write-ahead log holds before it is folded into the file.
const WAL_PAGES: i32 = 4000;
/// To how many bytes the write-ahead log's file is cut back after it grew beyond.
const WAL_BYTES_KEPT: i64 = 32 * 1024 * 1024;
/// How long a foreign hand on the file is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements kept prepared per connection.
const STATEMENTS_KEPT: usize = 64;

/// Refuses an SQLite with the known fault.
pub(crate) fn check_version() -> Result<(), OpenError> {
    check(rusqlite::version_number(), rusqlite::version())
}

fn check(number: i32, name: &str) -> Result<(), OpenError> {
    if number < SQLITE_NEEDED.0 {
        return Err(OpenError::SqliteTooOld { found: name.to_owned(), needed: SQLITE_NEEDED.1 });
    }
    Ok(())
}

/// Opens the one connection that writes. The file exists.
pub(crate) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    settle(&db, WRITER_CACHE_KIB)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "secure_delete", true)?;
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    assert!(mode.eq_ignore_ascii_case("wal"), "a file database takes the WAL mode");
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    Ok(db)
}

/// Opens a connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    settle(&db, READER_CACHE_KIB)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

fn settle(db: &Connection, cache_kib: i32) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cache_size", -cache_kib)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_with_the_known_fault_is_refused() {
        for (number, name) in [(3_051_002, "3.51.2"), (3_050_999, "3.50.999"), (0, "?")] {
            let error = check(number, name).unwrap_err();
            assert!(matches!(error, OpenError::SqliteTooOld { .. }), "{error:?}");
            assert!(error.to_string().contains(name) && error.to_string().contains("3.51.3"), "{error}");
        }
        for (number, name) in [(3_051_003, "3.51.3"), (3_052_000, "3.52.0"), (4_000_000, "4.0.0")] {
            check(number, name).unwrap();
        }
        check_version().unwrap();
    }
}
