//! The two halves of a derivation, and the vault key wrapped under one of them.

use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::secret::SecretBytes;
use clavitor_core::vault::KdfParams;
use thiserror::Error;

use crate::keys::Root;
use crate::sealed::{self, Binding, Purpose};
use crate::vault_key::VaultKey;

/// The wrapped vault key did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnwrapError {
    /// Another passphrase wrapped it, though the proof was accepted.
    #[error("the wrapped vault key belongs to another passphrase")]
    OtherKey,
    /// Altered, or not the one of this vault and unlocker.
    #[error("the wrapped vault key was altered, or belongs to another vault or unlocker")]
    Tampered,
}

/// What a wrap of the vault key is bound to, beside the key's generation.
#[derive(Debug, Clone, Copy)]
pub struct WrapContext<'a> {
    /// The vault.
    pub vault_id: VaultId,
    /// The unlocker's record.
    pub unlocker_id: RecordId,
    /// The parameters of its derivation.
    pub kdf: &'a KdfParams,
}

/// The two halves of a derivation. Zeroized when dropped.
pub struct PassphraseKeys {
    pub(super) wrap: Root,
    proof: SecretBytes,
}

impl PassphraseKeys {
    /// Both halves of what Argon2id gave.
    pub(super) fn new(derived: &Root) -> Self {
        let proof = SecretBytes::new(derived.derive("unlock-proof", &[]).to_vec());
        Self { wrap: derived.child("unlock-wrap", &[]), proof }
    }

    /// The half that the server asks for.
    pub fn proof(&self) -> &[u8; 32] {
        self.proof.expose().try_into().expect("a proof has 32 bytes")
    }

    /// What the server keeps of the proof: its SHA-256.
    pub fn proof_hash(&self) -> [u8; 32] {
        crate::sha256(self.proof())
    }

    /// Wraps the vault key.
    pub fn wrap(&self, key: &VaultKey, context: &WrapContext<'_>) -> Vec<u8> {
        sealed::seal(&self.wrap, &binding(context, key.generation()), key.expose())
    }

    /// Unwraps the vault key of a generation.
    ///
    /// # Errors
    /// [`UnwrapError`].
    pub fn unwrap(
        &self,
        wrapped: &[u8],
        context: &WrapContext<'_>,
        generation: u32,
    ) -> Result<VaultKey, UnwrapError> {
        let mut bytes =
            sealed::open(&self.wrap, &binding(context, generation), wrapped).map_err(|e| match e {
                sealed::Unopened::OtherKey => UnwrapError::OtherKey,
                sealed::Unopened::Altered | sealed::Unopened::Format(_) => UnwrapError::Tampered,
            })?;
        let bytes = SecretBytes::new(std::mem::take(&mut *bytes));
        VaultKey::from_bytes(bytes, generation).ok_or(UnwrapError::Tampered)
    }
}

fn binding<'a>(context: &WrapContext<'a>, generation: u32) -> Binding<'a> {
    Binding {
        generation,
        kdf: Some(context.kdf),
        ..Binding::new(Purpose::VaultKeyByPassphrase, context.vault_id, context.unlocker_id)
    }
}
