//! What lies on this machine's disk beside the database: the data folder and its lock, the node keyring, the setup secret.
//!
//! Every file here is made with mode 0600 (folders 0700), synced before it counts, and never overwritten by another.

mod files;
mod folder;
mod keyring;
mod setup;

pub(crate) use folder::Folder;
pub use folder::FolderError;
pub use keyring::KeyringFileError;
pub(crate) use keyring::NodeKeys;
pub(crate) use setup::Setup;
