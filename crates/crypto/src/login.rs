//! The log-in message: what a client signs and a server verifies. The client builds it from what it dialled; it never
//! signs bytes that it was given.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use clavitor_core::ids::{CellId, VaultId};
use thiserror::Error;

/// What the signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginPurpose {
    /// A session.
    Session,
}

impl LoginPurpose {
    const fn domain(self) -> &'static str {
        match self {
            Self::Session => "clavitor/v1/log-in",
        }
    }
}

/// Everything that a log-in signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginRequest<'a> {
    /// What for.
    pub purpose: LoginPurpose,
    /// The origin that the client dialled, such as `https://vault.example.org`; a server accepts only its own.
    pub origin: &'a str,
    /// The cell.
    pub cell: CellId,
    /// The vault.
    pub vault_id: VaultId,
    /// The server's nonce.
    pub nonce: &'a [u8],
    /// The end of the challenge, server's wall clock.
    pub expires_at_ms: u64,
}

impl LoginRequest<'_> {
    /// The bytes that are signed: `domain | origin | cell 16 | vault 16 | nonce | expiry 8`, where domain, origin and
    /// nonce are preceded by their length as 8 bytes, all integers big-endian.
    pub fn message(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(160);
        let counted = |bytes: &[u8], message: &mut Vec<u8>| {
            message.extend((bytes.len() as u64).to_be_bytes());
            message.extend(bytes);
        };
        counted(self.purpose.domain().as_bytes(), &mut message);
        counted(self.origin.as_bytes(), &mut message);
        message.extend(self.cell.as_bytes());
        message.extend(self.vault_id.as_bytes());
        counted(self.nonce, &mut message);
        message.extend(self.expires_at_ms.to_be_bytes());
        message
    }
}

/// The signature is not by this key over this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the log-in signature does not match")]
pub struct BadSignature;

/// Verifies a log-in.
///
/// - `public_key`: the vault's Ed25519 key, 32 bytes.
/// - `signature`: 64 bytes.
///
/// # Errors
/// [`BadSignature`], also for a key or signature of a wrong shape.
pub fn verify(public_key: &[u8], request: &LoginRequest<'_>, signature: &[u8]) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(&ED25519, public_key)
        .verify(&request.message(), signature)
        .map_err(|_| BadSignature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault_key::VaultKey;

    const REQUEST: LoginRequest<'_> = LoginRequest {
        purpose: LoginPurpose::Session,
        origin: "https://vault.example.org",
        cell: CellId::from_bytes([1; 16]),
        vault_id: VaultId::from_bytes([2; 16]),
        nonce: &[3; 48],
        expires_at_ms: 4,
    };

    #[test]
    fn a_signature_covers_every_part_of_the_request() {
        let key = VaultKey::generate();
        let (public, signature) = (key.login_public_key(), key.sign_login(&REQUEST));
        assert_eq!(verify(&public, &REQUEST, &signature), Ok(()));
        let others = [
            LoginRequest { origin: "https://evil.example.org", ..REQUEST },
            LoginRequest { cell: CellId::NIL, ..REQUEST },
            LoginRequest { vault_id: VaultId::NIL, ..REQUEST },
            LoginRequest { nonce: &[4; 48], ..REQUEST },
            LoginRequest { nonce: &[3; 47], ..REQUEST },
            LoginRequest { expires_at_ms: 5, ..REQUEST },
        ];
        for (i, other) in others.iter().enumerate() {
            assert_eq!(verify(&public, other, &signature), Err(BadSignature), "request {i}");
        }
        assert_eq!(verify(&VaultKey::generate().login_public_key(), &REQUEST, &signature), Err(BadSignature));
        assert_eq!(verify(&public[..31], &REQUEST, &signature), Err(BadSignature));
        assert_eq!(verify(&public, &REQUEST, &signature[..63]), Err(BadSignature));
        assert_eq!(verify(&public, &REQUEST, &[]), Err(BadSignature));
    }
}
