//! Every use of cryptography in Clavitor: hashes, sealing, wraps, log-in signatures, sessions, passphrases.
//!
//! All algorithms come from aws-lc-rs and argon2. Deliberately absent: I/O, clocks (times are arguments), async,
//! storage, and any decision about who may do what.

pub mod chain;
pub mod challenge;
pub mod entry;
pub mod keyring;
mod keys;
pub mod login;
pub mod normalise;
pub mod passphrase;
pub mod random;
mod sealed;
pub mod session;
pub mod vault_key;
#[cfg(test)]
mod vectors;

use aws_lc_rs::{constant_time, digest};

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    to_32(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Whether two byte strings are equal, in a time that does not depend on where they differ.
/// Their lengths are not secret.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// The 32 bytes of a SHA-256 output.
fn to_32(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().expect("SHA-256 gives 32 bytes")
}
