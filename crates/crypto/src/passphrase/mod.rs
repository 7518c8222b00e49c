//! Passphrases: derivation by Argon2id, the two keys that come of it, and what is too weak to enrol.
//!
//! One half wraps the vault key and never leaves the device; the other is the proof that the server asks for.

mod derive;
mod strength;
#[cfg(test)]
mod tests;
mod wrap;

pub use self::derive::{BYTES_MAX, DeriveError, derive, new_kdf};
pub use self::strength::{CHARACTERS_MIN, WeakPassphrase, check_strength};
pub use self::wrap::{PassphraseKeys, UnwrapError, WrapContext};
