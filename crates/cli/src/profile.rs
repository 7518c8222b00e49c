//! The profile: where a person's vault is. Holds no secret; written by `init`, read by every command on entries.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use clavitor_core::exit;
use clavitor_core::ids::VaultId;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::shell;

/// The largest profile that is read, in bytes.
const PROFILE_BYTES_MAX: usize = 64 * 1024;

/// What is remembered of a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Where it is reached.
    pub(crate) server: String,
    /// Which it is.
    pub(crate) vault: ProfileVault,
    /// The POPs that serve it, by name: a client goes to no other by itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) pops: BTreeMap<String, String>,
}

/// The vault of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileVault {
    /// The name by which it is unlocked.
    pub(crate) name: String,
    /// Its id: a server that unlocks another vault under this name is refused.
    pub(crate) id: VaultId,
}

impl Profile {
    /// Reads a profile; `None` where there is no such file.
    pub(crate) fn read(file: &Path) -> Result<Option<Self>, Failure> {
        let bytes = match shell::read_file(file, PROFILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(failure) if failure.code == exit::NOT_FOUND => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let text = shell::text_of(bytes, &file.display().to_string())?;
        toml::from_str(&text).map(Some).map_err(|error| {
            let line =
                error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            Failure::usage(
                format!("{}:{line}: the profile cannot be read: {}", file.display(), error.message()),
                "Correct it, or give another by --profile FILE.",
            )
        })
    }

    /// Writes a new profile, for its owner alone (0600). Never replaces one.
    pub(crate) fn create(&self, file: &Path) -> Result<(), Failure> {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        let failed = |error: std::io::Error| {
            Failure::unexpected(
                format!("the profile {} could not be written: {error}", file.display()),
                "The vault exists; give --server URL --vault NAME, or write the profile elsewhere by --profile.",
            )
        };
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let text = toml::to_string(self).expect("a profile is always writable");
        let mut open = std::fs::OpenOptions::new();
        let mut open = open.write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
        open.write_all(text.as_bytes()).and_then(|()| open.sync_all()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            server: "http://localhost:1984".into(),
            vault: ProfileVault { name: "personal".into(), id: VaultId::from_bytes([7; 16]) },
            pops: BTreeMap::from([("zurich-01".into(), "https://zurich-01.example.org".into())]),
        }
    }

    #[test]
    fn a_profile_reads_back_and_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/profile.toml");
        assert_eq!(Profile::read(&file).unwrap(), None);
        profile().create(&file).unwrap();
        assert_eq!(Profile::read(&file).unwrap(), Some(profile()));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(profile().create(&file).unwrap_err().code, exit::UNEXPECTED, "never replaced");
    }

    #[test]
    fn a_wrong_profile_is_placed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("profile.toml");
        std::fs::write(&file, "server = \"x\"\nsurprise = 1\n").unwrap();
        let failure = Profile::read(&file).unwrap_err();
        assert_eq!(failure.code, exit::USAGE);
        assert!(
            failure.what.contains("profile.toml:2:") && failure.what.contains("surprise"),
            "{}",
            failure.what
        );
    }
}
