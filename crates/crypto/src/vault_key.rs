//! The vault key: made on the owner's device, known to the server only wrapped. What it signs, wraps and derives.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use clavitor_core::secret::SecretBytes;

use crate::keys::Root;
use crate::login::LoginRequest;
use crate::to_32;

/// The key of one vault, in one generation. Zeroized when dropped.
pub struct VaultKey {
    root: Root,
    generation: u32,
    /// Wraps the data keys of entries.
    owner: Root,
    /// The identity key: fields that only the owner opens.
    identity: Root,
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultKey(generation {})", self.generation)
    }
}

impl VaultKey {
    /// The key of a new vault: generation 1.
    pub fn generate() -> Self {
        Self::from_root(Root::generate(), 1)
    }

    /// Takes over 32 unwrapped bytes; `None` for any other length.
    pub(crate) fn from_bytes(bytes: SecretBytes, generation: u32) -> Option<Self> {
        Root::from_bytes(bytes).map(|root| Self::from_root(root, generation))
    }

    fn from_root(root: Root, generation: u32) -> Self {
        let (owner, identity) = (root.child("owner-wrap", &[]), root.child("identity", &[]));
        Self { root, generation, owner, identity }
    }

    /// Its generation, from 1.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The Ed25519 public key that the server verifies log-ins with: 32 bytes.
    pub fn login_public_key(&self) -> [u8; 32] {
        to_32(self.login_pair().public_key().as_ref())
    }

    /// Signs a log-in: 64 bytes.
    pub fn sign_login(&self, request: &LoginRequest<'_>) -> Vec<u8> {
        self.login_pair().sign(&request.message()).as_ref().to_vec()
    }

    /// The owner's wrapping key.
    pub(crate) const fn owner(&self) -> &Root {
        &self.owner
    }

    /// The identity key.
    pub(crate) const fn identity(&self) -> &Root {
        &self.identity
    }

    /// The bytes, to be wrapped by an unlocker.
    pub(crate) fn expose(&self) -> &[u8] {
        self.root.expose()
    }

    fn login_pair(&self) -> Ed25519KeyPair {
        let seed = self.root.derive("log-in-key", &[]);
        Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).expect("a seed has 32 bytes")
    }
}
