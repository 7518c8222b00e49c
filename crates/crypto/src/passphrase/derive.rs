//! Argon2id, within bounds.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use clavitor_core::secret::{SecretBytes, SecretText};
use clavitor_core::vault::{self, KdfParams};
use icu_normalizer::ComposingNormalizerBorrowed;
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use super::wrap::PassphraseKeys;
use crate::keys::{KEY_BYTES, Root};

/// The longest passphrase, in bytes.
pub const BYTES_MAX: usize = 1024;

/// Why nothing was derived.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeriveError {
    /// The parameters are weaker than any that we enrol: a server may not choose them.
    #[error("the server asks for a weaker derivation than is safe ({what}); nothing was sent to it")]
    TooWeak {
        /// Which one.
        what: &'static str,
    },
    /// The parameters would take more than a client gives.
    #[error("the server asks for a derivation beyond the limits of this client ({what})")]
    TooCostly {
        /// Which one.
        what: &'static str,
    },
    /// The passphrase is over [`BYTES_MAX`].
    #[error("the passphrase is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// The memory for it could not be had.
    #[error("there is not enough memory to derive the key ({memory_kib} KiB are needed)")]
    OutOfMemory {
        /// How much it takes.
        memory_kib: u32,
    },
}

/// Parameters for a new unlocker, with a random salt.
pub fn new_kdf() -> KdfParams {
    KdfParams {
        memory_kib: vault::KDF_MEMORY_KIB,
        passes: vault::KDF_PASSES,
        lanes: vault::KDF_LANES,
        salt: crate::random::bytes::<{ vault::KDF_SALT_BYTES }>().to_vec(),
    }
}

/// Derives both halves. Takes [`KdfParams::memory_kib`] of memory and about a quarter of a second: never on an async thread.
///
/// The passphrase is taken in Unicode normalisation form NFKC, so that every keyboard gives the same bytes.
///
/// # Errors
/// [`DeriveError`]; parameters outside the bounds of `clavitor_core::vault` are refused before any work.
pub fn derive(passphrase: &SecretText, kdf: &KdfParams) -> Result<PassphraseKeys, DeriveError> {
    check_bounds(kdf)?;
    if passphrase.expose().len() > BYTES_MAX {
        return Err(DeriveError::TooLong);
    }
    derive_unchecked(passphrase, kdf)
}

fn check_bounds(kdf: &KdfParams) -> Result<(), DeriveError> {
    let bounds = [
        ("memory", kdf.memory_kib, vault::KDF_MEMORY_KIB, vault::KDF_MEMORY_KIB_MAX),
        ("passes", kdf.passes, vault::KDF_PASSES, vault::KDF_PASSES_MAX),
        ("lanes", kdf.lanes, vault::KDF_LANES, vault::KDF_LANES_MAX),
    ];
    for (what, value, min, max) in bounds {
        if value < min {
            return Err(DeriveError::TooWeak { what });
        }
        if value > max {
            return Err(DeriveError::TooCostly { what });
        }
    }
    if kdf.salt.len() != vault::KDF_SALT_BYTES {
        return Err(DeriveError::TooWeak { what: "salt" });
    }
    Ok(())
}

/// [`derive()`] without bounds, for tests.
pub(super) fn derive_unchecked(
    passphrase: &SecretText,
    kdf: &KdfParams,
) -> Result<PassphraseKeys, DeriveError> {
    let out_of_memory = || DeriveError::OutOfMemory { memory_kib: kdf.memory_kib };
    let params = Params::new(kdf.memory_kib, kdf.passes, kdf.lanes, Some(KEY_BYTES))
        .map_err(|_| DeriveError::TooCostly { what: "parameters" })?;
    let normalised = ComposingNormalizerBorrowed::new_nfkc().normalize(passphrase.expose());
    let normalised = Zeroizing::new(normalised.into_owned());
    let mut memory = Vec::new();
    memory.try_reserve_exact(params.block_count()).map_err(|_| out_of_memory())?;
    memory.resize(params.block_count(), Block::new());
    let mut derived = Zeroizing::new(vec![0; KEY_BYTES]);
    let result = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        normalised.as_bytes(),
        &kdf.salt,
        &mut derived,
        &mut memory[..],
    );
    memory.iter_mut().for_each(Block::zeroize);
    result.map_err(|_| DeriveError::TooCostly { what: "parameters" })?;
    let root =
        Root::from_bytes(SecretBytes::new(std::mem::take(&mut *derived))).expect("32 bytes were derived");
    Ok(PassphraseKeys::new(&root))
}
