//! [`NodeKeyring`]: its encoding, and what it seals and opens.

use std::fmt;

use aws_lc_rs::hmac;
use clavitor_core::audit::{AuditEvent, AuditSealer, SealedAudit};
use clavitor_core::entry::VaultTier;
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::order::Version;
use clavitor_core::record::Lookup;
use clavitor_core::secret::SecretBytes;
use clavitor_core::vault::{self, KdfParams, UnlockerAtRest};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::{KEY_BYTES, KeyId, Root};
use crate::normalise::normalise_vault_name;
use crate::sealed::{self, Binding, Purpose, Unopened};
use crate::to_32;

/// The format of an encoded keyring: `format 1 | (key id 32 | key 32)*`, oldest generation first.
pub(super) const FORMAT: u8 = 1;
pub(super) const ROW_BYTES: usize = 32 + KEY_BYTES;
/// The most generations in a keyring.
pub const GENERATIONS_MAX: usize = 64;

/// The keys under which a node seals what rests on its disk. Kept outside the data folder.
pub struct NodeKeyring {
    /// At least one, the newest last.
    roots: Vec<Root>,
}

impl fmt::Debug for NodeKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKeyring({} generations)", self.roots.len())
    }
}

/// Why a keyring could not be read, or did not open something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyringError {
    /// The bytes are not a keyring, or are damaged.
    #[error("not a node keyring, or a damaged one")]
    Malformed,
    /// A newer version wrote it.
    #[error("format {found} is newer than this version knows ({known})")]
    Newer {
        /// The format found.
        found: u8,
        /// The newest format known here.
        known: u8,
    },
    /// None of its keys sealed this.
    #[error("the {what} was sealed under a key that this keyring does not hold")]
    OtherKey {
        /// What was to be opened.
        what: &'static str,
    },
    /// Altered, or moved here from another place.
    #[error("the {what} was altered since it was sealed, or belongs elsewhere")]
    Tampered {
        /// What was to be opened.
        what: &'static str,
    },
}

impl NodeKeyring {
    /// A new keyring of one generation.
    pub fn generate() -> Self {
        Self { roots: vec![Root::generate()] }
    }

    /// Its encoding, for the keyring file or a sealed transfer.
    pub fn to_bytes(&self) -> SecretBytes {
        let mut bytes = Vec::with_capacity(1 + self.roots.len() * ROW_BYTES);
        bytes.push(FORMAT);
        for root in &self.roots {
            bytes.extend(root.id().as_bytes());
            bytes.extend(root.expose());
        }
        SecretBytes::new(bytes)
    }

    /// Reads what [`Self::to_bytes`] wrote; each key must match the id beside it.
    ///
    /// # Errors
    /// - [`KeyringError::Newer`]: written by a newer version.
    /// - [`KeyringError::Malformed`]: anything else, a single wrong bit included.
    pub fn from_bytes(bytes: &SecretBytes) -> Result<Self, KeyringError> {
        let (&format, rows) = bytes.expose().split_first().ok_or(KeyringError::Malformed)?;
        if format > FORMAT {
            return Err(KeyringError::Newer { found: format, known: FORMAT });
        }
        let rows = rows.chunks(ROW_BYTES);
        if format != FORMAT || rows.len() == 0 || rows.len() > GENERATIONS_MAX {
            return Err(KeyringError::Malformed);
        }
        let read = |row: &[u8]| {
            let (id, key) = row.split_at_checked(32)?;
            let root = Root::from_bytes(SecretBytes::new(key.to_vec()))?;
            (root.id().as_bytes()[..] == *id).then_some(root)
        };
        let roots = rows.map(read).collect::<Option<Vec<_>>>().ok_or(KeyringError::Malformed)?;
        Ok(Self { roots })
    }

    /// The id of the generation that seals.
    pub fn key_id(&self) -> KeyId {
        *self.newest().id()
    }

    /// Seals the vault tier of an entry.
    ///
    /// - `version`: the version that the entry has once this is stored; the seal opens under no other.
    pub fn seal_vault_tier(
        &self,
        vault: VaultId,
        record: RecordId,
        version: Version,
        tier: &VaultTier,
    ) -> Vec<u8> {
        let plain = Zeroizing::new(minicbor::to_vec(tier).expect("encoding into a Vec cannot fail"));
        let binding = Binding { version, ..Binding::new(Purpose::VaultTier, vault, record) };
        self.seal_bound(&binding, &plain)
    }

    /// Opens the vault tier of an entry.
    ///
    /// # Errors
    /// [`KeyringError::OtherKey`], [`KeyringError::Tampered`], [`KeyringError::Newer`].
    pub fn open_vault_tier(
        &self,
        vault: VaultId,
        record: RecordId,
        version: Version,
        sealed: &[u8],
    ) -> Result<VaultTier, KeyringError> {
        let binding = Binding { version, ..Binding::new(Purpose::VaultTier, vault, record) };
        let plain = self.open_bound(&binding, sealed, "vault tier")?;
        minicbor::decode(&plain).map_err(|_| KeyringError::Tampered { what: "vault tier" })
    }

    /// Seals the name of a vault.
    pub fn seal_vault_name(&self, vault: VaultId, name: &str) -> Vec<u8> {
        self.seal_bound(&Binding::new(Purpose::VaultName, vault, vault.into()), name.as_bytes())
    }

    /// Opens the name of a vault.
    ///
    /// # Errors
    /// As [`Self::open_vault_tier`].
    pub fn open_vault_name(&self, vault: VaultId, sealed: &[u8]) -> Result<String, KeyringError> {
        let binding = Binding::new(Purpose::VaultName, vault, vault.into());
        let plain = self.open_bound(&binding, sealed, "vault name")?;
        String::from_utf8(plain.to_vec()).map_err(|_| KeyringError::Tampered { what: "vault name" })
    }

    /// Seals an unlocker.
    ///
    /// - `version`: the version that its record has once this is stored.
    pub fn seal_unlocker(
        &self,
        vault: VaultId,
        record: RecordId,
        version: Version,
        unlocker: &UnlockerAtRest,
    ) -> Vec<u8> {
        let plain = Zeroizing::new(minicbor::to_vec(unlocker).expect("encoding into a Vec cannot fail"));
        let binding = Binding { version, ..Binding::new(Purpose::Unlocker, vault, record) };
        self.seal_bound(&binding, &plain)
    }

    /// Opens an unlocker.
    ///
    /// # Errors
    /// As [`Self::open_vault_tier`].
    pub fn open_unlocker(
        &self,
        vault: VaultId,
        record: RecordId,
        version: Version,
        sealed: &[u8],
    ) -> Result<UnlockerAtRest, KeyringError> {
        let binding = Binding { version, ..Binding::new(Purpose::Unlocker, vault, record) };
        let plain = self.open_bound(&binding, sealed, "unlocker")?;
        minicbor::decode(&plain).map_err(|_| KeyringError::Tampered { what: "unlocker" })
    }

    /// Seals an audit event; its time and vault stay in the clear beside it and are bound to the seal.
    pub fn seal_audit(&self, event: &AuditEvent) -> SealedAudit {
        let plain = serde_json::to_vec(event).expect("an event has only text keys");
        let sealed = self.seal_bound(&audit_binding(event.vault_id, event.at_ms), &plain);
        SealedAudit { at_ms: event.at_ms, vault_id: event.vault_id, sealed }
    }

    /// Opens an audit event.
    ///
    /// # Errors
    /// As [`Self::open_vault_tier`].
    pub fn open_audit(&self, row: &SealedAudit) -> Result<AuditEvent, KeyringError> {
        let plain = self.open_bound(&audit_binding(row.vault_id, row.at_ms), &row.sealed, "audit event")?;
        serde_json::from_slice(&plain).map_err(|_| KeyringError::Tampered { what: "audit event" })
    }

    /// The blind index of a value: equal inside one vault and purpose, unrelated across them.
    ///
    /// - `vault`: nil for the names of vaults.
    /// - `purpose`: one of [`clavitor_core::record::purpose`].
    /// - `normalised`: what [`crate::normalise`] gave.
    pub fn lookup(&self, vault: VaultId, purpose: u16, normalised: &str) -> Lookup {
        let key = self.vault_key(self.newest(), vault).derive(&format!("lookup/{purpose}"), &[]);
        Lookup { purpose, hash: mac(key.as_ref(), normalised.as_bytes()) }
    }

    /// What an unknown name is answered with: equal for one name on all nodes of a cell and after restarts.
    pub fn dummy_kdf(&self, name: &str) -> KdfParams {
        let key = self.vault_key(self.newest(), VaultId::NIL).derive("dummy-salt", &[]);
        let hash = mac(key.as_ref(), normalise_vault_name(name).as_bytes());
        KdfParams {
            memory_kib: vault::KDF_MEMORY_KIB,
            passes: vault::KDF_PASSES,
            lanes: vault::KDF_LANES,
            salt: hash[..vault::KDF_SALT_BYTES].to_vec(),
        }
    }

    fn newest(&self) -> &Root {
        self.roots.last().expect("a keyring holds at least one key")
    }

    /// The sub-key of one vault.
    fn vault_key(&self, root: &Root, vault: VaultId) -> Root {
        root.child("vault", vault.as_bytes())
    }

    fn seal_bound(&self, binding: &Binding<'_>, plaintext: &[u8]) -> Vec<u8> {
        sealed::seal(&self.vault_key(self.newest(), binding.vault), binding, plaintext)
    }

    fn open_bound(
        &self,
        binding: &Binding<'_>,
        blob: &[u8],
        what: &'static str,
    ) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        for root in self.roots.iter().rev() {
            match sealed::open(&self.vault_key(root, binding.vault), binding, blob) {
                Ok(plain) => return Ok(plain),
                Err(Unopened::OtherKey) => {}
                Err(Unopened::Altered) => return Err(KeyringError::Tampered { what }),
                Err(Unopened::Format(found)) => {
                    return Err(KeyringError::Newer { found, known: sealed::FORMAT });
                }
            }
        }
        Err(KeyringError::OtherKey { what })
    }
}

impl AuditSealer for NodeKeyring {
    fn seal(&self, event: &AuditEvent) -> SealedAudit {
        self.seal_audit(event)
    }
}

fn audit_binding(vault: VaultId, at_ms: u64) -> Binding<'static> {
    Binding { version: Version(at_ms), ..Binding::new(Purpose::Audit, vault, RecordId::NIL) }
}

fn mac(key: &[u8], data: &[u8]) -> [u8; 32] {
    to_32(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref())
}
