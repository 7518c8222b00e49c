//! The JSON of `/api/v1`: what a client sends and what a server answers. Shared, so that neither guesses.
//!
//! Proofs, wrapped keys, signatures and tokens are not in any `Debug`.

use serde::{Deserialize, Serialize};

use crate::entry::{Entry, EntryType, base64_bytes};
use crate::ids::{CellId, ImportId, RecordId, VaultId};
use crate::order::{Seq, Version};
use crate::replica::Role;
use crate::replicator::ReplicationStatus;
use crate::vault::{KdfParams, UnlockerKind};

/// The scheme of the `Authorization` header that carries a session token.
pub const SESSION_SCHEME: &str = "Bearer";
/// The scheme that carries the one-time setup secret.
pub const SETUP_SCHEME: &str = "Setup";
/// The header that names the primary, on every refused write of a backup.
pub const PRIMARY_LOCATION: &str = "x-primary-location";

/// `POST /api/v1/vaults`, with `Authorization: Setup <secret>` -> 201 [`VaultSummary`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateVault {
    /// Chosen by the client, since the unlocker's wrap is bound to it.
    pub vault_id: VaultId,
    /// The name by which people unlock it: 1 to 128 bytes, compared trimmed and lower-cased.
    pub name: String,
    /// The Ed25519 public key for log-ins, 32 bytes.
    #[serde(with = "base64_bytes")]
    pub login_public_key: Vec<u8>,
    /// The first unlocker.
    pub unlocker: NewUnlocker,
}

/// An unlocker, as enrolled.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUnlocker {
    /// Chosen by the client, since the wrap is bound to it.
    pub id: RecordId,
    /// How it opens the vault.
    pub kind: UnlockerKind,
    /// Derivation parameters.
    pub kdf: KdfParams,
    /// SHA-256 of the proof, 32 bytes.
    #[serde(with = "base64_bytes")]
    pub proof_hash: Vec<u8>,
    /// The wrapped vault key.
    #[serde(with = "base64_bytes")]
    pub wrapped_key: Vec<u8>,
    /// The generation of the vault key, 1 for a new vault.
    pub generation: u32,
}

impl std::fmt::Debug for NewUnlocker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUnlocker")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// A vault, for its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultSummary {
    /// Its id.
    pub vault_id: VaultId,
    /// Its name.
    pub name: String,
    /// Its cell.
    pub cell: CellId,
    /// The generation of its key.
    pub generation: u32,
    /// When it was created, in milliseconds.
    pub created_at_ms: u64,
}

/// `POST /api/v1/unlock/start` -> [`UnlockParams`]; the same answer shape for a name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlockStart {
    /// The vault's name.
    pub vault: String,
}

/// What to derive the proof with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlockParams {
    /// Derivation parameters.
    pub kdf: KdfParams,
}

/// `POST /api/v1/unlock` -> [`Unlocked`], or 401 `unlock-refused`, the same for a wrong passphrase and an unknown name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The vault's name.
    pub vault: String,
    /// The proof half of the derivation, 32 bytes.
    #[serde(with = "base64_bytes")]
    pub proof: Vec<u8>,
}

impl std::fmt::Debug for Unlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unlock").field("vault", &self.vault).finish_non_exhaustive()
    }
}

/// The wrapped vault key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlocked {
    /// The vault.
    pub vault_id: VaultId,
    /// The unlocker that matched.
    pub unlocker_id: RecordId,
    /// How it opens the vault.
    pub kind: UnlockerKind,
    /// The parameters that the wrap is bound to.
    pub kdf: KdfParams,
    /// The generation of the vault key.
    pub generation: u32,
    /// The wrapped vault key.
    #[serde(with = "base64_bytes")]
    pub wrapped_key: Vec<u8>,
}

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unlocked")
            .field("vault_id", &self.vault_id)
            .field("unlocker_id", &self.unlocker_id)
            .field("kind", &self.kind)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// `POST /api/v1/session/challenge` -> [`Challenge`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRequest {
    /// The vault.
    pub vault_id: VaultId,
}

/// What a log-in signature must cover, beside the origin that the client dialled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The cell.
    pub cell: CellId,
    /// Single use.
    #[serde(with = "base64_bytes")]
    pub nonce: Vec<u8>,
    /// When it ends, server's wall clock.
    pub expires_at_ms: u64,
}

/// `POST /api/v1/session` -> 201 [`Session`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSession {
    /// The vault.
    pub vault_id: VaultId,
    /// The origin that the client dialled, as it signed it: `http://localhost:1984`.
    pub origin: String,
    /// The challenge's nonce.
    #[serde(with = "base64_bytes")]
    pub nonce: Vec<u8>,
    /// The challenge's end.
    pub expires_at_ms: u64,
    /// Ed25519 over the log-in message, 64 bytes.
    #[serde(with = "base64_bytes")]
    pub signature: Vec<u8>,
}

impl std::fmt::Debug for CreateSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateSession")
            .field("vault_id", &self.vault_id)
            .field("origin", &self.origin)
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}

/// A session: good on the node that issued it, and only there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// `Authorization: Bearer <token>`.
    pub token: String,
    /// When it ends, server's wall clock.
    pub expires_at_ms: u64,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session {{ expires_at_ms: {} }}", self.expires_at_ms)
    }
}

/// An entry with its place: the answer of `GET /api/v1/vaults/{v}/entries/{id}`; the version is also its `ETag`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryAnswer {
    /// Its id.
    pub id: RecordId,
    /// Its version.
    pub version: Version,
    /// When it last changed, primary's wall clock.
    pub updated_at_ms: u64,
    /// The entry.
    pub entry: Entry,
}

/// What a write answers, beside the `ETag`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteAnswer {
    /// The entry.
    pub id: RecordId,
    /// Its version now.
    pub version: Version,
    /// The node's head after the write.
    pub seq: Seq,
}

/// One row of a list: no ciphertext; titles here are unproved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntrySummary {
    /// Its id.
    pub id: RecordId,
    /// Its version.
    pub version: Version,
    /// What it is about.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// Its title.
    pub title: String,
    /// Its user name.
    pub username: String,
    /// Its URLs.
    pub urls: Vec<String>,
    /// Its folder.
    pub folder: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it is a favourite.
    pub favorite: bool,
    /// When it last changed.
    pub updated_at_ms: u64,
}

/// `GET /api/v1/vaults/{v}/entries?limit=&cursor=&title=&host=`: rows in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPage {
    /// The rows.
    pub items: Vec<EntrySummary>,
    /// For the next page; `None` at the end.
    pub next_cursor: Option<String>,
}

/// `POST /api/v1/vaults/{v}/operations` -> [`OperationAnswer`]: all of it or nothing, 1 to 256 changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationRequest {
    /// The changes, in order.
    pub changes: Vec<OperationChange>,
    /// The import that this is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_id: Option<ImportId>,
}

/// One change of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OperationChange {
    /// Creates an entry.
    Create {
        /// Its id.
        id: RecordId,
        /// The entry.
        entry: Box<Entry>,
    },
    /// Replaces an entry.
    Update {
        /// Its id.
        id: RecordId,
        /// The version that it must have.
        if_version: Version,
        /// The entry.
        entry: Box<Entry>,
    },
    /// Turns an entry into a tombstone.
    Delete {
        /// Its id.
        id: RecordId,
        /// The version that it must have.
        if_version: Version,
    },
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationAnswer {
    /// The new version of each change, in order.
    pub versions: Vec<Version>,
    /// The node's head after the operation.
    pub seq: Seq,
}

/// `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// `clavitor`'s version.
    pub version: String,
    /// `community` or `commercial`.
    pub edition: String,
    /// The cell.
    pub cell: CellId,
    /// The role.
    pub role: Role,
    /// Whether a vault exists.
    pub set_up: bool,
    /// The head; only with authentication or from the local socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Seq>,
    /// How many entries live; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Replication; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<ReplicationStatus>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{KDF_LANES, KDF_MEMORY_KIB, KDF_PASSES};

    #[test]
    fn no_debug_shows_a_secret() {
        // As `Debug` writes bytes, and nowhere else.
        let (secret, shown) = (vec![213; 4], "213");
        let kdf =
            KdfParams { memory_kib: KDF_MEMORY_KIB, passes: KDF_PASSES, lanes: KDF_LANES, salt: Vec::new() };
        let unlocker = NewUnlocker {
            id: RecordId::NIL,
            kind: UnlockerKind::Passphrase,
            kdf: kdf.clone(),
            proof_hash: secret.clone(),
            wrapped_key: secret.clone(),
            generation: 1,
        };
        let texts = [
            format!(
                "{:?}",
                CreateVault {
                    vault_id: VaultId::NIL,
                    name: "Home".to_owned(),
                    login_public_key: Vec::new(),
                    unlocker
                }
            ),
            format!("{:?}", Unlock { vault: "Home".to_owned(), proof: secret.clone() }),
            format!(
                "{:?}",
                Unlocked {
                    vault_id: VaultId::NIL,
                    unlocker_id: RecordId::NIL,
                    kind: UnlockerKind::Passphrase,
                    kdf,
                    generation: 1,
                    wrapped_key: secret.clone(),
                }
            ),
            format!(
                "{:?}",
                CreateSession {
                    vault_id: VaultId::NIL,
                    origin: "http://localhost".to_owned(),
                    nonce: secret.clone(),
                    expires_at_ms: 1,
                    signature: secret,
                }
            ),
            format!("{:?}", Session { token: shown.to_owned(), expires_at_ms: 1 }),
        ];
        for text in texts {
            assert!(!text.contains(shown), "{text}");
        }
    }
}
