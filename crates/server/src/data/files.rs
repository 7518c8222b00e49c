//! Files for one pair of eyes: written whole, synced, with mode 0600.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

/// Between the name of a file and the id of the process that writes it.
const TEMPORARY: &str = ".new-";

/// Removes what processes that died while they wrote `path` left beside it: it may hold the bytes of a key. Call it while
/// nobody else writes there.
pub(super) fn remove_abandoned(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let folder = if parent == Path::new("") { Path::new(".") } else { parent };
    // What is not there, or is not ours to list, is told by whoever needs it.
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let mut removed = false;
    for entry in entries {
        let entry = entry?;
        let found = entry.file_name();
        let process = found.as_bytes().strip_prefix(name.as_bytes());
        let process = process.and_then(|rest| rest.strip_prefix(TEMPORARY.as_bytes()));
        if process.is_some_and(|id| !id.is_empty() && id.iter().all(u8::is_ascii_digit)) {
            std::fs::remove_file(entry.path())?;
            removed = true;
        }
    }
    if removed { sync_parent(path) } else { Ok(()) }
}

/// Writes a new file, durably. Fails with `AlreadyExists` where one is: nothing is ever overwritten.
pub(super) fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(path, bytes)?;
    let renamed = rustix::fs::renameat_with(CWD, &temporary, CWD, path, RenameFlags::NOREPLACE);
    if let Err(error) = renamed {
        let _ = std::fs::remove_file(&temporary);
        return Err(error.into());
    }
    sync_parent(path)
}

/// Writes a file, durably, in the place of what was there.
pub(super) fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(path, bytes)?;
    if let Err(error) = std::fs::rename(&temporary, path) {
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    sync_parent(path)
}

fn write_temporary(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!("{TEMPORARY}{}", std::process::id()));
    let temporary = path.with_file_name(name);
    // What a process with our id left behind when it died here is of no use to anyone.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(temporary)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
