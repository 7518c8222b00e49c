//! Session tokens: claims under a MAC of the node that issued them. Never stored, never replicated, good only there.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clavitor_core::ids::VaultId;
use thiserror::Error;

/// What a token starts with, so that scanners find one that leaked.
pub const PREFIX: &str = "clvs1_";
const DOMAIN: &[u8] = b"clavitor/v1/session";
const CLAIMS_BYTES: usize = 16 + 16 + 8 + 4;

/// What a session says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionClaims {
    /// The vault that it opens.
    pub vault_id: VaultId,
    /// 16 random bytes, so that a node can end one session.
    pub session_id: [u8; 16],
    /// When it ends, wall clock of the issuing node.
    pub expires_at_ms: u64,
    /// The generation of sessions; "sign out everywhere" raises it.
    pub generation: u32,
}

/// Why a token is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionError {
    /// Not a token of ours, or one of another node or of an earlier start.
    #[error("not a session of this node")]
    Forged,
    /// Its time is over.
    #[error("the session has expired")]
    Expired,
}

/// The random key of one node, made at its start.
pub struct SessionKey(hmac::Key);

impl SessionKey {
    /// A new key.
    pub fn generate() -> Self {
        Self(random_mac_key())
    }

    /// Issues a token: secret until it ends.
    pub fn issue(&self, claims: &SessionClaims) -> String {
        let mut bytes = encode(claims);
        let tag = sign(&self.0, DOMAIN, &bytes);
        bytes.extend(tag.as_ref());
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Checks a token at `now_ms` (wall clock).
    ///
    /// # Errors
    /// [`SessionError`]. Whether the session was ended early is the caller's to know.
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<SessionClaims, SessionError> {
        let text = token.strip_prefix(PREFIX).ok_or(SessionError::Forged)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SessionError::Forged)?;
        let (claims, tag) = bytes.split_at_checked(CLAIMS_BYTES).ok_or(SessionError::Forged)?;
        if !crate::equal(sign(&self.0, DOMAIN, claims).as_ref(), tag) {
            return Err(SessionError::Forged);
        }
        let claims = decode(claims).ok_or(SessionError::Forged)?;
        if now_ms >= claims.expires_at_ms { Err(SessionError::Expired) } else { Ok(claims) }
    }
}

fn encode(claims: &SessionClaims) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CLAIMS_BYTES + 32);
    bytes.extend(claims.vault_id.as_bytes());
    bytes.extend(claims.session_id);
    bytes.extend(claims.expires_at_ms.to_be_bytes());
    bytes.extend(claims.generation.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<SessionClaims> {
    let (vault_id, rest) = bytes.split_first_chunk()?;
    let (session_id, rest) = rest.split_first_chunk()?;
    let (expires_at_ms, rest) = rest.split_first_chunk()?;
    Some(SessionClaims {
        vault_id: VaultId::from_bytes(*vault_id),
        session_id: *session_id,
        expires_at_ms: u64::from_be_bytes(*expires_at_ms),
        generation: u32::from_be_bytes(rest.try_into().ok()?),
    })
}

/// A random key for MACs that only this process checks.
pub(crate) fn random_mac_key() -> hmac::Key {
    let key = zeroize::Zeroizing::new(crate::random::bytes::<32>());
    hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())
}

/// HMAC over a domain (never a prefix of another) and data.
pub(crate) fn sign(key: &hmac::Key, domain: &[u8], data: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(domain);
    context.update(data);
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: SessionClaims = SessionClaims {
        vault_id: VaultId::from_bytes([1; 16]),
        session_id: [2; 16],
        expires_at_ms: 1_000,
        generation: 7,
    };

    #[test]
    fn a_session_holds_until_it_ends_and_only_here() {
        let key = SessionKey::generate();
        let token = key.issue(&CLAIMS);
        assert_eq!(key.verify(&token, 999), Ok(CLAIMS));
        assert_eq!(key.verify(&token, 1_000), Err(SessionError::Expired));
        assert_eq!(SessionKey::generate().verify(&token, 0), Err(SessionError::Forged));
    }

    #[test]
    fn an_altered_token_is_refused() {
        let key = SessionKey::generate();
        let token = key.issue(&CLAIMS);
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX).unwrap()).unwrap();
        for i in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[i] ^= 1;
            let altered = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(altered));
            assert_eq!(key.verify(&altered, 0), Err(SessionError::Forged), "byte {i}");
        }
        for text in
            ["", PREFIX, "clvs1_AAAA", &token[1..], &token[..token.len() - 4], &format!("{token}AAAA")]
        {
            assert_eq!(key.verify(text, 0), Err(SessionError::Forged), "{text}");
        }
    }
}
