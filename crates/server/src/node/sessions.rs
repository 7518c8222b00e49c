//! Sessions: tokens under a key of this process, and the few that were ended before their time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use clavitor_core::audit::Action;
use clavitor_core::ids::VaultId;
use clavitor_core::{api, limits};
use clavitor_crypto::random;
use clavitor_crypto::session::{SessionClaims, SessionKey};

use super::audit::Told;
use super::{Facts, Node, Refusal};

/// The owner of a vault, proved by a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    /// The vault, the only one that the session opens.
    pub(crate) vault_id: VaultId,
    session_id: [u8; 16],
    ends_at_ms: u64,
}

pub(super) struct Sessions {
    key: SessionKey,
    ended: Mutex<HashMap<[u8; 16], u64>>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { key: SessionKey::generate(), ended: Mutex::default() }
    }

    fn has_ended(&self, session_id: &[u8; 16]) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains_key(session_id)
    }

    /// Remembers a session as ended until its token would have expired; false when there is no room.
    fn end(&self, session_id: [u8; 16], ends_at_ms: u64, now_ms: u64) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= limits::SESSIONS_ENDED_MAX {
            ended.retain(|_, end| *end > now_ms);
        }
        if ended.len() >= limits::SESSIONS_ENDED_MAX {
            return false;
        }
        ended.insert(session_id, ends_at_ms);
        true
    }
}

impl Node {
    /// Issues a session of a vault.
    pub(super) fn issue_session(&self, vault_id: VaultId, generation: u32) -> api::Session {
        let expires_at_ms = self.clock.now_ms() + limits::SESSION_TTL_S * 1_000;
        let claims = SessionClaims { vault_id, session_id: random::bytes(), expires_at_ms, generation };
        api::Session { token: self.sessions.key.issue(&claims), expires_at_ms }
    }

    /// Whose session a token is.
    ///
    /// # Errors
    /// [`Refusal::NotAuthenticated`] for a forged, expired or ended one, and for one of an older generation.
    pub(crate) fn authenticate(&self, token: &str) -> Result<Owner, Refusal> {
        let claims = self
            .sessions
            .key
            .verify(token, self.clock.now_ms())
            .ok()
            .filter(|claims| !self.sessions.has_ended(&claims.session_id))
            .ok_or(Refusal::NotAuthenticated)?;
        let vault = self.vault(claims.vault_id)?.ok_or(Refusal::NotAuthenticated)?;
        if vault.at_rest.generation != claims.generation {
            return Err(Refusal::NotAuthenticated);
        }
        Ok(Owner {
            vault_id: claims.vault_id,
            session_id: claims.session_id,
            ends_at_ms: claims.expires_at_ms,
        })
    }

    /// Ends a session here and now.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when too many ended sessions are remembered, [`Refusal::AuditUnavailable`].
    pub(crate) async fn end_session(&self, owner: Owner, facts: &Facts) -> Result<(), Refusal> {
        if !self.sessions.end(owner.session_id, owner.ends_at_ms, self.clock.now_ms()) {
            return Err(Refusal::Busy);
        }
        self.audit_now(facts, Told::owner(owner.vault_id, Action::Logout, None)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_sessions_are_bounded_and_forgotten_once_expired() {
        let sessions = Sessions::new();
        for i in 0..limits::SESSIONS_ENDED_MAX {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&(i as u64).to_be_bytes());
            assert!(sessions.end(id, 1_000, 0));
        }
        assert!(!sessions.end([0xff; 16], 1_000, 999), "full");
        assert!(sessions.end([0xff; 16], 2_000, 1_000), "the others have expired");
        assert!(sessions.has_ended(&[0xff; 16]) && !sessions.has_ended(&[0; 16]));
    }
}
