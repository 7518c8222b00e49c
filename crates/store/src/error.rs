//! Why a database was not opened. Each text says what happened, what was kept, and what to do.

use std::path::PathBuf;

use clavitor_core::order::Seq;
use thiserror::Error;

/// Why a database was not opened, or not changed offline.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The SQLite in this build has a known fault.
    #[error(
        "this build carries SQLite {found}, which can corrupt a database; nothing was opened: build with SQLite {needed} or newer"
    )]
    SqliteTooOld {
        /// The version built in.
        found: String,
        /// The least that is needed.
        needed: &'static str,
    },
    /// The file or its folder could not be used.
    #[error("{} could not be opened; nothing was changed: check that the folder exists and belongs to this user", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no database to work on.
    #[error("there is no database at {}; nothing was changed: check the data folder", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error(
        "{} is not a Clavitor database; it was left as it is: choose another data folder, or restore the database from a backup",
        path.display()
    )]
    NotADatabase {
        /// Which file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error(
        "{} has schema {found}, this version reads up to {known}; it was left as it is: start the newer version again, or restore the copy made before the upgrade",
        path.display()
    )]
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// A replicating node's file was given to an edition that does not replicate.
    #[error(
        "{} belongs to a cell that replicates, and this edition does not; it was left as it is: start the commercial edition, or run `clavitor replication leave` first",
        path.display()
    )]
    HasHistory {
        /// Which file.
        path: PathBuf,
    },
    /// The file contradicts itself.
    #[error(
        "{} is damaged: {what}; it was left as it is: keep a copy, then restore a backup, or on a backup POP empty the data folder and join again",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// SQLite refused.
    #[error(
        "SQLite could not use {}; no write was accepted: check free space and the folder's permissions, then start again",
        path.display()
    )]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The system gave no thread for the writer.
    #[error(
        "the writer thread could not be started; nothing was changed: check the limits of this user's processes"
    )]
    Thread(#[source] std::io::Error),
}

impl OpenError {
    /// Sorts an SQLite error: a corrupt or foreign file is named as such.
    pub(crate) fn sqlite(path: &std::path::Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::NotADatabase { path },
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: source.to_string() },
            _ => Self::Sqlite { path, source },
        }
    }

    /// A contradiction in the log.
    pub(crate) fn log(path: &std::path::Path, at: Seq, what: &str) -> Self {
        Self::Damaged { path: path.to_path_buf(), what: format!("the log at {at}: {what}") }
    }
}
