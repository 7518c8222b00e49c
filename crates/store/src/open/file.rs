//! The file itself: made whole in one step, and looked at before anything writes to it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clavitor_core::ids::CellId;
use rusqlite::Connection;

use crate::error::OpenError;
use crate::meta;
use crate::open::{connection, migrate};

/// What every SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// `CLVA`: what makes an SQLite file one of ours.
pub(crate) const APPLICATION_ID: i32 = 0x434c_5641;

/// What a look at an existing file found.
pub(crate) struct Existing {
    /// Whether it belongs to a node that replicates.
    pub(crate) in_a_cell: bool,
}

/// Whether there is a database. A write-ahead log without its file is no fresh start: it is refused.
pub(crate) fn exists(path: &Path) -> Result<bool, OpenError> {
    if path.try_exists().map_err(|e| io(path, e))? {
        return Ok(true);
    }
    let wal = beside(path, "-wal");
    if wal.try_exists().map_err(|e| io(&wal, e))? {
        let what = format!("it is gone, but {} is still there", wal.display());
        return Err(OpenError::Damaged { path: path.to_path_buf(), what });
    }
    Ok(false)
}

/// Makes a new database under another name and moves it into place when it is whole and durable.
pub(crate) fn create(path: &Path, cell: CellId) -> Result<(), OpenError> {
    let new = beside(path, ".new");
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(io(&new, e)),
        _ => {}
    }
    private_file(&new)?;
    fill(&new, cell).map_err(|e| OpenError::sqlite(&new, e))?;
    move_into_place(&new, path)
}

fn fill(new: &Path, cell: CellId) -> rusqlite::Result<()> {
    let mut db = Connection::open(new)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    let tx = db.transaction()?;
    for migration in migrate::MIGRATIONS {
        tx.execute_batch(migration.sql)?;
    }
    meta::insert_first(&tx, cell)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", migrate::newest(migrate::MIGRATIONS))?;
    tx.commit()?;
    db.close().map_err(|(_, e)| e)
}

/// Makes an empty file that only this user reads. SQLite gives its companions the same mode.
pub(crate) fn private_file(path: &Path) -> Result<(), OpenError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(|_| ())
        .map_err(|e| io(path, e))
}

/// Renames a whole file and makes the new name durable.
pub(crate) fn move_into_place(from: &Path, to: &Path) -> Result<(), OpenError> {
    File::open(from).and_then(|file| file.sync_all()).map_err(|e| io(from, e))?;
    std::fs::rename(from, to).map_err(|e| io(to, e))?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| io(folder, e))
}

/// Looks at an existing file without writing to it.
///
/// # Errors
/// [`OpenError::NotADatabase`], [`OpenError::NewerSchema`], [`OpenError::Damaged`]: the file is as it was.
pub(crate) fn inspect(path: &Path) -> Result<Existing, OpenError> {
    let not_ours = || OpenError::NotADatabase { path: path.to_path_buf() };
    let mut magic = [0; 16];
    match File::open(path).and_then(|mut file| file.read_exact(&mut magic)) {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Err(not_ours()),
        Err(e) => return Err(io(path, e)),
        Ok(()) if &magic != MAGIC => return Err(not_ours()),
        Ok(()) => {}
    }
    let sqlite = |e| OpenError::sqlite(path, e);
    let db = connection::open_reader(path).map_err(sqlite)?;
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(sqlite)?;
    if application != APPLICATION_ID {
        return Err(not_ours());
    }
    let found = migrate::schema_of(&db).map_err(sqlite)?;
    let known = migrate::newest(migrate::MIGRATIONS);
    if found > known {
        return Err(OpenError::NewerSchema { path: path.to_path_buf(), found, known });
    }
    let in_a_cell = meta::in_a_cell(&db).map_err(sqlite)?;
    in_a_cell.map(|in_a_cell| Existing { in_a_cell }).ok_or_else(|| super::no_meta(path))
}

/// A name beside the file, such as `clavitor.db-wal`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn io(path: &Path, source: std::io::Error) -> OpenError {
    OpenError::Io { path: path.to_path_buf(), source }
}
