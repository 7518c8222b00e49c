//! This POP's identity: one Ed25519 key in one file, and a self-signed certificate around it.
//!
//! The certificate carries no meaning: peers pin the key and take name and role from their pin store. It is made anew
//! at each start and never stored. Deliberately absent: rotation, and any use of the key outside POP to POP.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use clavitor_core::edition::EditionError;
use clavitor_core::order::Fingerprint;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _,
};
use rustix::fs::{CWD, RenameFlags};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

/// The default file name of the identity, in the data folder.
pub(crate) const FILE_NAME: &str = "pop-identity.pem";
/// The most bytes that an identity file may have.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The identity key and its certificate.
pub(crate) struct Identity {
    key: KeyPair,
    certificate: CertificateDer<'static>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// Makes a new identity, in memory.
    ///
    /// # Errors
    /// [`EditionError::Failed`] when the library refuses.
    pub(crate) fn generate() -> Result<Self, EditionError> {
        Self::from_key(KeyPair::generate_for(&PKCS_ED25519).map_err(|error| unusable(&error))?)
    }

    /// Reads the identity from its file, or makes one and writes it with mode 0600, whole or not at all.
    ///
    /// # Errors
    /// [`EditionError::Failed`]: the file is readable by others, not an identity, or cannot be written.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, EditionError> {
        match fs::metadata(path) {
            Ok(metadata) => Self::load(path, &metadata),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let identity = Self::generate()?;
                let pem = Zeroizing::new(identity.key.serialize_pem());
                write_new(path, pem.as_bytes()).map_err(|error| file_failed(path, "written", &error))?;
                Ok(identity)
            }
            Err(error) => Err(file_failed(path, "read", &error)),
        }
    }

    fn load(path: &Path, metadata: &fs::Metadata) -> Result<Self, EditionError> {
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(EditionError::Failed {
                what: format!("the identity file {} can be read by others", path.display()),
                remedy: format!("run: chmod 600 {}", path.display()),
            });
        }
        let not_an_identity = || EditionError::Failed {
            what: format!("{} is not a POP identity", path.display()),
            remedy: "restore the file from a copy, or move it away and join the cell anew".to_owned(),
        };
        if metadata.len() > FILE_BYTES_MAX {
            return Err(not_an_identity());
        }
        let pem = fs::read_to_string(path).map_err(|error| file_failed(path, "read", &error))?;
        let pem = Zeroizing::new(pem);
        Self::from_key(KeyPair::from_pem(&pem).map_err(|_| not_an_identity())?)
    }

    fn from_key(key: KeyPair) -> Result<Self, EditionError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "clavitor pop");
        params.not_after = rcgen::date_time_ymd(9999, 12, 31);
        let certificate = params.self_signed(&key).map_err(|error| unusable(&error))?.der().clone();
        let fingerprint = fingerprint_of(&key.subject_public_key_info());
        Ok(Self { key, certificate, fingerprint })
    }

    /// SHA-256 over the public key's SubjectPublicKeyInfo.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The certificate that this POP shows.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// The private key, for the TLS library.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Signs bytes. The caller puts a purpose before them, so that no signature serves two ends.
    ///
    /// # Errors
    /// [`EditionError::Failed`] when the library refuses.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, EditionError> {
        self.key.sign(message).map_err(|error| unusable(&error))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

/// The fingerprint of a DER SubjectPublicKeyInfo.
pub(crate) fn fingerprint_of(spki: &[u8]) -> Fingerprint {
    Fingerprint(clavitor_crypto::sha256(spki))
}

/// Reads a fingerprint as `pop identity` prints it: 64 hex digits. `None` when it is none.
pub(crate) fn parse_fingerprint(text: &str) -> Option<Fingerprint> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
    Some(Fingerprint(bytes))
}

/// Writes a file that must not exist yet: a temporary file beside it, synced, then given its name. What appeared there
/// meanwhile is never overwritten.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".new-{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let _ = fs::remove_file(&temporary);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let renamed = rustix::fs::renameat_with(CWD, &temporary, CWD, path, RenameFlags::NOREPLACE);
    if let Err(error) = renamed {
        let _ = fs::remove_file(&temporary);
        return Err(error.into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

fn file_failed(path: &Path, verb: &str, error: &std::io::Error) -> EditionError {
    EditionError::Failed {
        what: format!("the identity file {} could not be {verb}: {error}", path.display()),
        remedy: "check the folder's owner, mode and free space".to_owned(),
    }
}

fn unusable(error: &rcgen::Error) -> EditionError {
    EditionError::Failed {
        what: format!("the identity key is not usable: {error}"),
        remedy: "move the identity file away and join the cell anew".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let made = Identity::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = Identity::load_or_create(&path).unwrap();
        assert_eq!(made.fingerprint(), read.fingerprint());
        assert_ne!(made.fingerprint(), Identity::generate().unwrap().fingerprint());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
        assert_eq!(parse_fingerprint(&made.fingerprint().to_string()), Some(made.fingerprint()));
        assert_eq!(parse_fingerprint("ab"), None);
    }

    #[test]
    fn what_appears_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
        let refused = Identity::load_or_create(&path).unwrap_err().to_string();
        assert!(refused.contains("could not be written"), "{refused}");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink(), "it is still what it was");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn an_open_or_broken_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, "nonsense").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let open = Identity::load_or_create(&path).unwrap_err().to_string();
        assert!(open.contains("can be read by others"), "{open}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let broken = Identity::load_or_create(&path).unwrap_err().to_string();
        assert!(broken.contains("is not a POP identity"), "{broken}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense");
    }
}
