//! The node keyring on disk, and its two ports: sealing audit events, and handing itself to an invited member.
//!
//! A keyring is never overwritten: without the one that sealed it, a database is lost.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use clavitor_core::audit::{AuditEvent, AuditSealer, SealedAudit};
use clavitor_core::edition::KeyringPort;
use clavitor_core::secret::SecretBytes;
use clavitor_crypto::keyring::{KeyringError, NodeKeyring};
use thiserror::Error;
use zeroize::Zeroizing;

use super::files;
use crate::config::KeyringPlace;

/// The largest keyring file: 64 generations of 64 bytes, and room.
const KEYRING_BYTES_MAX: u64 = 64 * 1024;

/// The node keyring of this process.
pub(crate) struct NodeKeys {
    place: KeyringPlace,
    keyring: RwLock<Arc<NodeKeyring>>,
}

/// Why a keyring cannot be used. Nothing was changed.
#[derive(Debug, Error)]
pub enum KeyringFileError {
    /// Others may read or write it.
    #[error("the node keyring {} is open to other users (mode {mode:03o}); nothing was started: run `chmod 600 {}`, \
             and if others were here, make it anew with a new data folder", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not there, though a database is.
    #[error("the database in {} was sealed with a node keyring, and there is none at {}; nothing was changed: \
             restore that file from its backup (or name it with --keyring-file); without it the database cannot be \
             read", data_dir.display(), path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// The data folder.
        data_dir: PathBuf,
    },
    /// It belongs to another node.
    #[error("the node keyring {} is not the one that sealed the database in {}; nothing was changed: restore the \
             right one, or name it with --keyring-file", path.display(), data_dir.display())]
    OtherDatabase {
        /// The keyring.
        path: PathBuf,
        /// The data folder.
        data_dir: PathBuf,
    },
    /// It does not decode.
    #[error("the node keyring {} cannot be used: {error}; it was left as it is: restore it from its backup",
        path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: KeyringError,
    },
    /// The file system refused.
    #[error("the node keyring {} cannot be read or written: {error}; nothing was started: check its folder and its \
             owner, or name another place with --keyring-file", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl NodeKeys {
    /// Reads the keyring; `None` where there is no file.
    ///
    /// # Errors
    /// [`KeyringFileError`] for a file that must not or cannot be used.
    pub(crate) fn load(place: &KeyringPlace) -> Result<Option<Self>, KeyringFileError> {
        let keyring = read(place)?;
        Ok(keyring.map(|keyring| Self::holding(place, keyring)))
    }

    /// Removes what a process left that died while it wrote the keyring. Call it with the data folder locked.
    ///
    /// # Errors
    /// [`KeyringFileError::Io`].
    pub(crate) fn clean_up(place: &KeyringPlace) -> Result<(), KeyringFileError> {
        match place {
            KeyringPlace::File(path) => files::remove_abandoned(path)
                .map_err(|error| KeyringFileError::Io { path: path.clone(), error }),
            KeyringPlace::Credential(_) => Ok(()),
        }
    }

    /// A new keyring in memory alone: [`NodeKeys::keep`] writes it, or a join replaces it.
    pub(crate) fn unwritten(place: &KeyringPlace) -> Self {
        Self::holding(place, NodeKeyring::generate())
    }

    /// Writes a new keyring, durably; call it before anything sealed with it is. One that was read stays as it is.
    ///
    /// # Errors
    /// [`KeyringFileError::Io`], also when another appeared meanwhile.
    pub(crate) fn keep(&self) -> Result<(), KeyringFileError> {
        match read(&self.place)? {
            Some(present) if present.key_id() == self.get().key_id() => Ok(()),
            _ => write(self.path(), self.get().to_bytes().expose()),
        }
    }

    fn holding(place: &KeyringPlace, keyring: NodeKeyring) -> Self {
        Self { place: place.clone(), keyring: RwLock::new(Arc::new(keyring)) }
    }

    /// The keyring.
    pub(crate) fn get(&self) -> Arc<NodeKeyring> {
        Arc::clone(&self.keyring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }
}

impl AuditSealer for NodeKeys {
    fn seal(&self, event: &AuditEvent) -> SealedAudit {
        self.get().seal_audit(event)
    }
}

impl KeyringPort for NodeKeys {
    fn export(&self) -> SecretBytes {
        self.get().to_bytes()
    }

    fn import(&self, keyring: SecretBytes) -> Result<(), String> {
        let received = NodeKeyring::from_bytes(&keyring)
            .map_err(|error| format!("the keyring that was received cannot be used: {error}; join again"))?;
        let path = self.place.path();
        match read(&self.place).map_err(|error| error.to_string())? {
            Some(present) if present.key_id() == received.key_id() => {}
            Some(_) => {
                return Err(format!(
                    "another node keyring lies at {}; it was kept: if this node holds no vault that you need, move \
                     that file and the data folder away and join again",
                    path.display()
                ));
            }
            None => write(path, keyring.expose()).map_err(|error| error.to_string())?,
        }
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(received);
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), KeyringFileError> {
    files::create_private(path, bytes).map_err(|error| KeyringFileError::Io { path: path.to_owned(), error })
}

fn read(place: &KeyringPlace) -> Result<Option<NodeKeyring>, KeyringFileError> {
    let path = place.path().to_owned();
    let io = |error| KeyringFileError::Io { path: path.clone(), error };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let metadata = file.metadata().map_err(io)?;
    let mode = metadata.mode() & 0o777;
    // The service manager guards its credentials itself, with an access list that shows as group bits.
    if matches!(place, KeyringPlace::File(_)) && mode & 0o077 != 0 {
        return Err(KeyringFileError::Open { path, mode });
    }
    // Reserved beforehand, so that no smaller buffer with key bytes is left behind while it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(KEYRING_BYTES_MAX).unwrap_or(0)));
    file.take(KEYRING_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?;
    let keyring = NodeKeyring::from_bytes(&SecretBytes::new(bytes.to_vec()));
    keyring.map(Some).map_err(|error| KeyringFileError::Unusable { path, error })
}
