//! Vaults and unlockers: the payloads of their records, and the parameters of passphrase derivation.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::entry::base64_bytes;

/// The payload of a `vault` record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct VaultAtRest {
    /// The name, sealed under the node keyring.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub name_sealed: Vec<u8>,
    /// The Ed25519 public key that verifies log-ins: 32 bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub login_public_key: Vec<u8>,
    /// The generation of the vault key.
    #[n(2)]
    pub generation: u32,
    /// When it was created, in milliseconds.
    #[n(3)]
    pub created_at_ms: u64,
}

/// Argon2id parameters and salt, as stored and as handed to whoever asks to unlock.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdfParams {
    /// Memory in KiB.
    #[n(0)]
    pub memory_kib: u32,
    /// Passes.
    #[n(1)]
    pub passes: u32,
    /// Lanes.
    #[n(2)]
    pub lanes: u32,
    /// The salt: 16 bytes.
    #[cbor(n(3), with = "minicbor::bytes")]
    #[serde(with = "base64_bytes")]
    pub salt: Vec<u8>,
}

/// The memory of a new unlocker, and the least that a client accepts, in KiB.
pub const KDF_MEMORY_KIB: u32 = 64 * 1024;
/// The passes of a new unlocker, and the least that a client accepts.
pub const KDF_PASSES: u32 = 3;
/// The lanes of a new unlocker, and the least that a client accepts.
pub const KDF_LANES: u32 = 1;
/// The most memory that a client accepts, in KiB.
pub const KDF_MEMORY_KIB_MAX: u32 = 1024 * 1024;
/// The most passes that a client accepts.
pub const KDF_PASSES_MAX: u32 = 16;
/// The most lanes that a client accepts.
pub const KDF_LANES_MAX: u32 = 8;
/// The length of a salt, in bytes.
pub const KDF_SALT_BYTES: usize = 16;

/// How an unlocker opens the vault. Stored by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "kebab-case")]
pub enum UnlockerKind {
    /// A passphrase through Argon2id.
    #[n(1)]
    Passphrase,
}

/// The payload of an `unlocker` record, before the server seals it under the node keyring.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct UnlockerAtRest {
    /// How it opens the vault.
    #[n(0)]
    pub kind: UnlockerKind,
    /// Derivation parameters.
    #[n(1)]
    pub kdf: KdfParams,
    /// SHA-256 of the proof.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub proof_hash: Vec<u8>,
    /// The vault key, wrapped under the derived key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub wrapped_key: Vec<u8>,
    /// The generation of the vault key.
    #[n(4)]
    pub generation: u32,
}
