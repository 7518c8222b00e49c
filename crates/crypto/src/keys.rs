//! Keys that other keys come from: 32 random bytes, an id that commits to them, and derivation by purpose.
//! Nothing else in this crate derives a key.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use clavitor_core::secret::SecretBytes;
use zeroize::Zeroizing;

/// The length of every symmetric key, in bytes.
pub(crate) const KEY_BYTES: usize = 32;
/// What stands before each purpose in an info string.
const DOMAIN: &str = "clavitor/v1/";

/// `HKDF(key, "key-id")`: commits to a key and names its generation. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; 32]);

impl KeyId {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A key with its id. It seals nothing itself: each use derives a key of its own.
pub(crate) struct Root {
    bytes: SecretBytes,
    id: KeyId,
}

impl Root {
    /// Takes 32 bytes over; `None` for any other length.
    pub(crate) fn from_bytes(bytes: SecretBytes) -> Option<Self> {
        if bytes.expose().len() != KEY_BYTES {
            return None;
        }
        let id = KeyId(*derive(bytes.expose(), &[], "key-id"));
        Some(Self { bytes, id })
    }

    /// A new random key.
    pub(crate) fn generate() -> Self {
        let mut bytes = vec![0; KEY_BYTES];
        crate::random::fill(&mut bytes);
        Self::from_bytes(SecretBytes::new(bytes)).expect("a key has 32 bytes")
    }

    /// The key that belongs to a purpose and a context (`salt`: the 16 bytes of an id, or nothing).
    pub(crate) fn child(&self, purpose: &str, salt: &[u8]) -> Self {
        let bytes = self.derive(purpose, salt).to_vec();
        Self::from_bytes(SecretBytes::new(bytes)).expect("a derived key has 32 bytes")
    }

    /// The bytes for one use: `HKDF-SHA256(salt, key, "clavitor/v1/<purpose>")`.
    pub(crate) fn derive(&self, purpose: &str, salt: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        derive(self.bytes.expose(), salt, purpose)
    }

    /// Its id.
    pub(crate) const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The bytes, to be wrapped under another key or written into the keyring.
    pub(crate) fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }
}

fn derive(key: &[u8], salt: &[u8], purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut out = Zeroizing::new([0; KEY_BYTES]);
    let prk = Salt::new(HKDF_SHA256, salt).extract(key);
    prk.expand(&[DOMAIN.as_bytes(), purpose.as_bytes()], HKDF_SHA256)
        .and_then(|okm| okm.fill(out.as_mut()))
        .expect("32 bytes are within what HKDF gives");
    out
}
