//! Log-in challenges: nonces under a MAC, so that issuing one stores nothing. Single use is the server's to keep.

use aws_lc_rs::hmac;
use clavitor_core::ids::VaultId;
use thiserror::Error;

use crate::session::{random_mac_key, sign};

const DOMAIN: &[u8] = b"clavitor/v1/challenge";
/// The length of a nonce, in bytes: 16 random bytes and their MAC.
pub const NONCE_BYTES: usize = 16 + 32;

/// Why a nonce is no challenge of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChallengeError {
    /// Not issued by this node since its start, or for another vault or end.
    #[error("not a challenge of this node")]
    Forged,
    /// Its time is over.
    #[error("the challenge has expired")]
    Expired,
}

/// The random key of one node, made at its start.
pub struct ChallengeKey(hmac::Key);

impl ChallengeKey {
    /// A new key.
    pub fn generate() -> Self {
        Self(random_mac_key())
    }

    /// A nonce of [`NONCE_BYTES`], bound to a vault and an end.
    pub fn issue(&self, vault: VaultId, expires_at_ms: u64) -> Vec<u8> {
        let mut nonce = crate::random::bytes::<16>().to_vec();
        nonce.extend(self.tag(vault, expires_at_ms, &nonce).as_ref());
        nonce
    }

    /// Checks a nonce at `now_ms` and returns its 16 random bytes, by which the caller remembers that it was used.
    ///
    /// # Errors
    /// [`ChallengeError`].
    pub fn verify(
        &self,
        vault: VaultId,
        expires_at_ms: u64,
        nonce: &[u8],
        now_ms: u64,
    ) -> Result<[u8; 16], ChallengeError> {
        let (random, tag) = nonce.split_first_chunk::<16>().ok_or(ChallengeError::Forged)?;
        if !crate::equal(self.tag(vault, expires_at_ms, random).as_ref(), tag) {
            return Err(ChallengeError::Forged);
        }
        if now_ms >= expires_at_ms { Err(ChallengeError::Expired) } else { Ok(*random) }
    }

    fn tag(&self, vault: VaultId, expires_at_ms: u64, random: &[u8]) -> hmac::Tag {
        let mut data = Vec::with_capacity(40);
        data.extend(vault.as_bytes());
        data.extend(expires_at_ms.to_be_bytes());
        data.extend(random);
        sign(&self.0, DOMAIN, &data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_bound_to_node_vault_and_end() {
        let (key, vault) = (ChallengeKey::generate(), VaultId::from_bytes([1; 16]));
        let nonce = key.issue(vault, 1_000);
        assert_eq!(nonce.len(), NONCE_BYTES);
        assert_eq!(key.verify(vault, 1_000, &nonce, 999).unwrap()[..], nonce[..16]);
        assert_eq!(key.verify(vault, 1_000, &nonce, 1_000), Err(ChallengeError::Expired));
        assert_eq!(key.verify(vault, 2_000, &nonce, 0), Err(ChallengeError::Forged));
        assert_eq!(key.verify(VaultId::NIL, 1_000, &nonce, 0), Err(ChallengeError::Forged));
        assert_eq!(ChallengeKey::generate().verify(vault, 1_000, &nonce, 0), Err(ChallengeError::Forged));
        for i in 0..nonce.len() {
            let mut altered = nonce.clone();
            altered[i] ^= 1;
            assert_eq!(key.verify(vault, 1_000, &altered, 0), Err(ChallengeError::Forged), "byte {i}");
        }
        assert_eq!(key.verify(vault, 1_000, &nonce[..15], 0), Err(ChallengeError::Forged));
    }
}
