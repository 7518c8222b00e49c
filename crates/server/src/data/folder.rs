//! The data folder: made with mode 0700, and held by one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A data folder that this process holds. The lock ends with the value, or with the process.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// Why a data folder cannot be used. Nothing in it was touched.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Another process holds it.
    #[error(
        "another clavitor process{} uses the data folder {}; nothing was touched: stop that process, or name \
         another folder with --data-dir", holder.map(|pid| format!(" (process id {pid})")).unwrap_or_default(),
        path.display()
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, where it left its id.
        holder: Option<u32>,
    },
    /// Others may read or write it.
    #[error("the data folder {} is open to other users (mode {mode:03o}); nothing was touched: run `chmod 700 {}`",
        path.display(), path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file system refused.
    #[error("the data folder {} cannot be used: {error}; check that it is a folder which this user owns, or name \
             another with --data-dir", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl Folder {
    /// Makes the folder where there is none, checks its mode, and takes its lock.
    ///
    /// # Errors
    /// - [`FolderError::Locked`]: a second process.
    /// - [`FolderError::Open`]: a folder with content that others may enter.
    /// - [`FolderError::Io`]: anything else.
    pub(crate) fn take(path: &Path) -> Result<Self, FolderError> {
        let io = |error| FolderError::Io { path: path.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        let mode = std::fs::metadata(path).map_err(io)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            // An empty folder that was made by hand holds nothing that could have been read.
            if std::fs::read_dir(path).map_err(io)?.next().is_some() {
                return Err(FolderError::Open { path: path.to_owned(), mode });
            }
            std::fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io)?;
        }
        let lock = lock(path)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The database in it.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("clavitor.db")
    }

    /// The operator's socket in it.
    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.path.join("admin.sock")
    }

    /// The file of the setup secret in it.
    pub(crate) fn setup_secret(&self) -> PathBuf {
        self.path.join("setup-secret")
    }
}

fn lock(folder: &Path) -> Result<File, FolderError> {
    let io = |error| FolderError::Io { path: folder.to_owned(), error };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join("lock"))
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(FolderError::Locked { path: folder.to_owned(), holder: holder.trim().parse().ok() });
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    file.set_len(0).map_err(io)?;
    file.rewind().map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}
