//! The operator's socket: in the data folder, mode 0600, for this user and root alone.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tokio::net::{UnixListener, UnixStream};

use super::StartError;

/// Binds the socket. What an earlier process left there is removed: the folder's lock says that it is gone.
pub(super) fn bind(path: PathBuf) -> Result<UnixListener, StartError> {
    bind_at(&path).map_err(|error| StartError::AdminSocket { path, error })
}

fn bind_at(path: &std::path::Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The user id at the other end, where it may operate this node: our own, or root's.
pub(super) fn operator_uid(stream: &UnixStream) -> Option<u32> {
    let uid = stream.peer_cred().ok()?.uid();
    (uid == 0 || uid == rustix::process::geteuid().as_raw()).then_some(uid)
}
