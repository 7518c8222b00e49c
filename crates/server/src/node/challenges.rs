//! Log-in challenges: issued without storing anything, each good once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use clavitor_core::ids::VaultId;
use clavitor_core::limits;
use clavitor_crypto::challenge::ChallengeKey;

/// The challenge key of this process, and the nonces that were used.
pub(super) struct Challenges {
    key: ChallengeKey,
    used: Mutex<HashMap<[u8; 16], u64>>,
}

/// What a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// It was ours, unexpired and unused; it is used now.
    Now,
    /// It is not, or no longer, good.
    Refused,
    /// Too many nonces are remembered.
    NoRoom,
}

impl Challenges {
    pub(super) fn new() -> Self {
        Self { key: ChallengeKey::generate(), used: Mutex::default() }
    }

    /// A new nonce and its end.
    pub(super) fn issue(&self, vault_id: VaultId, now_ms: u64) -> (Vec<u8>, u64) {
        let expires_at_ms = now_ms + limits::CHALLENGE_TTL_S * 1_000;
        (self.key.issue(vault_id, expires_at_ms), expires_at_ms)
    }

    /// Uses a nonce up, whatever comes of the log-in.
    pub(super) fn spend(&self, vault_id: VaultId, expires_at_ms: u64, nonce: &[u8], now_ms: u64) -> Spent {
        let Ok(random) = self.key.verify(vault_id, expires_at_ms, nonce, now_ms) else {
            return Spent::Refused;
        };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.contains_key(&random) {
            return Spent::Refused;
        }
        if used.len() >= limits::NONCES_MAX {
            used.retain(|_, end| *end > now_ms);
        }
        if used.len() >= limits::NONCES_MAX {
            return Spent::NoRoom;
        }
        used.insert(random, expires_at_ms);
        Spent::Now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_for_its_vault_until_its_end() {
        let (challenges, vault) = (Challenges::new(), VaultId::from_bytes([1; 16]));
        let (nonce, end) = challenges.issue(vault, 0);
        assert_eq!(challenges.spend(VaultId::NIL, end, &nonce, 0), Spent::Refused);
        assert_eq!(challenges.spend(vault, end, &nonce, 0), Spent::Now);
        assert_eq!(challenges.spend(vault, end, &nonce, 0), Spent::Refused, "replayed");
        let (late, end) = challenges.issue(vault, 0);
        assert_eq!(challenges.spend(vault, end, &late, end), Spent::Refused, "expired");
    }

    #[test]
    fn the_set_of_used_nonces_is_bounded() {
        let (challenges, vault) = (Challenges::new(), VaultId::from_bytes([1; 16]));
        for _ in 0..limits::NONCES_MAX {
            let (nonce, end) = challenges.issue(vault, 0);
            assert_eq!(challenges.spend(vault, end, &nonce, 0), Spent::Now);
        }
        let (nonce, end) = challenges.issue(vault, 1);
        assert_eq!(challenges.spend(vault, end, &nonce, 1), Spent::NoRoom);
        assert_eq!(challenges.spend(vault, end, &nonce, end - 1), Spent::Now, "the others have expired");
    }
}
