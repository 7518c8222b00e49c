//! The setup secret: whoever holds it may create the first vault, and nobody can race to be its owner.
//!
//! It is made anew at each start without a vault, lies in a file of mode 0600, and is void after 30 minutes or with
//! the first vault, whichever comes first. Only its hash stays in memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clavitor_core::limits;
use clavitor_core::secret::SecretText;
use clavitor_crypto::{equal, random, sha256};
use zeroize::Zeroizing;

use super::files;

/// The setup secret of this start, where there is one.
pub(crate) struct Setup {
    path: PathBuf,
    live: Mutex<Option<Live>>,
}

struct Live {
    hash: [u8; 32],
    ends_at_ms: u64,
}

impl Setup {
    /// No secret: a vault exists, or this node is a backup. Removes what an earlier start left.
    pub(crate) fn closed(path: PathBuf) -> io::Result<Self> {
        files::remove_abandoned(&path)?;
        remove(&path)?;
        Ok(Self { path, live: Mutex::new(None) })
    }

    /// A new secret, written to its file. `now_ms`: the monotonic clock.
    pub(crate) fn open(path: PathBuf, now_ms: u64) -> io::Result<Self> {
        files::remove_abandoned(&path)?;
        let secret = Zeroizing::new(random::bytes::<32>());
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_slice()));
        files::replace_private(&path, format!("{}\n", *text).as_bytes())?;
        let live = Live { hash: sha256(text.as_bytes()), ends_at_ms: now_ms + limits::SETUP_TTL_S * 1_000 };
        Ok(Self { path, live: Mutex::new(Some(live)) })
    }

    /// Whether this is the secret and it is not void. `now_ms`: the monotonic clock.
    pub(crate) fn accepts(&self, presented: &SecretText, now_ms: u64) -> bool {
        let presented = sha256(presented.expose().as_bytes());
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let (hash, ends_at_ms) = live.as_ref().map_or(([0; 32], 0), |live| (live.hash, live.ends_at_ms));
        equal(&hash, &presented) & (now_ms < ends_at_ms)
    }

    /// Ends it: the first vault exists.
    pub(crate) fn close(&self) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, "the used setup secret could not be removed; it is void");
        }
    }

    /// The file, while a secret lives.
    pub(crate) fn file(&self) -> Option<&Path> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        live.then_some(self.path.as_path())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
