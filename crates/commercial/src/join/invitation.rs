//! Invitations: the line that an operator carries to the new POP, and what the primary keeps until it is spent.
//!
//! The line holds the secret; the primary keeps only a key derived from it, which cannot be turned back into the line.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clavitor_core::ids::{CellId, PopName};
use clavitor_core::limits;
use clavitor_core::order::Fingerprint;
use minicbor::{Decode, Encode};
use thiserror::Error;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use super::proof::{self, ProofKey};

/// What every invitation starts with, so that a person and a scanner know it.
const PREFIX: &str = "clvi1_";
const CHECKSUM_DOMAIN: &[u8] = b"clavitor/v1/invitation";
const CHECKSUM_BYTES: usize = 4;
/// The longest line.
const LINE_BYTES_MAX: usize = 2 * 1024;
/// Where open invitations lie among the node-local values: this, then the name.
pub(crate) const LOCAL_PREFIX: &str = "invitation/";
/// How long an ended invitation is remembered, so that its end can be named, in milliseconds.
const REMEMBERED_MS: u64 = 24 * 60 * 60 * 1_000;

/// An invitation as it travels by hand. A secret until it is used.
#[derive(Encode, Decode)]
pub(crate) struct Invitation {
    /// The cell to be joined.
    #[n(0)]
    pub(crate) cell: CellId,
    /// The primary's name.
    #[n(1)]
    pub(crate) primary: PopName,
    /// Where its POP listener is reached.
    #[n(2)]
    pub(crate) primary_url: String,
    /// Its key: the joiner talks to nobody else.
    #[n(3)]
    pub(crate) primary_key: Fingerprint,
    /// The name that the joiner will have.
    #[n(4)]
    pub(crate) pop: PopName,
    /// 32 random bytes.
    #[n(5)]
    pub(crate) secret: InvitationSecret,
}

/// The secret of an invitation.
#[derive(Encode, Decode, ZeroizeOnDrop)]
#[cbor(transparent)]
pub(crate) struct InvitationSecret(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

impl InvitationSecret {
    /// A new random secret.
    pub(crate) fn generate() -> Self {
        Self(clavitor_crypto::random::bytes())
    }

    /// The key that proves it, and that the primary keeps.
    pub(crate) fn proof_key(&self) -> ProofKey {
        proof::proof_key(&self.0)
    }
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invitation({} to {})", self.pop, self.cell)
    }
}

/// Why a line is not an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum InvalidInvitation {
    #[error("it does not start with clvi1_")]
    Prefix,
    #[error("its checksum does not fit: a part is missing or mistyped")]
    Checksum,
    #[error("it is of another version of clavitor")]
    Version,
}

impl Invitation {
    /// The line.
    pub(crate) fn to_line(&self) -> String {
        let mut bytes = Zeroizing::new(minicbor::to_vec(self).expect("encoding into a Vec cannot fail"));
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*bytes))
    }

    /// Reads a line as it was printed; space around it is ignored.
    ///
    /// # Errors
    /// [`InvalidInvitation`]; the line is never repeated.
    pub(crate) fn from_line(line: &str) -> Result<Self, InvalidInvitation> {
        let encoded = line.trim().strip_prefix(PREFIX).ok_or(InvalidInvitation::Prefix)?;
        if encoded.len() > LINE_BYTES_MAX {
            return Err(InvalidInvitation::Checksum);
        }
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| InvalidInvitation::Checksum)?;
        let bytes = Zeroizing::new(bytes);
        let body_bytes = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(InvalidInvitation::Checksum)?;
        let (body, found) = bytes.split_at(body_bytes);
        if checksum(body) != found {
            return Err(InvalidInvitation::Checksum);
        }
        minicbor::decode(body).map_err(|_| InvalidInvitation::Version)
    }
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut input = Zeroizing::new(CHECKSUM_DOMAIN.to_vec());
    input.extend_from_slice(body);
    let mut hash = clavitor_crypto::sha256(&input);
    let short = std::array::from_fn(|index| hash[index]);
    hash.zeroize();
    short
}

/// Who asked to join with the right secret.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Applicant {
    /// The key that it proved to hold.
    #[n(0)]
    pub(crate) key: Fingerprint,
    /// Where it says that its POP listener is reached; may be empty.
    #[n(1)]
    pub(crate) url: String,
    /// Where it says that its users reach it.
    #[n(2)]
    pub(crate) public_url: String,
}

/// What the primary keeps of an invitation, as a node-local value.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct OpenInvitation {
    /// Verifies the proof of the secret.
    #[n(0)]
    pub(crate) proof_key: ProofKey,
    /// When it ends, wall clock.
    #[n(1)]
    pub(crate) expires_at_ms: u64,
    /// Proofs that were wrong.
    #[n(2)]
    pub(crate) wrong_tries: u32,
    /// The only key that may use it; `None` until an operator has approved one.
    #[n(3)]
    pub(crate) key: Option<Fingerprint>,
    /// Where the new member is reached; empty leaves it to the joiner.
    #[n(4)]
    pub(crate) url: String,
    /// Whether a promotion signed by the new member counts.
    #[n(5)]
    pub(crate) may_lead: bool,
    /// Whether it never gets the keyring.
    #[n(6)]
    pub(crate) blind: bool,
    /// Who waits for approval.
    #[n(7)]
    pub(crate) pending: Option<Applicant>,
    /// Whether it was used: `key` is a member now, and only it may ask again for what it was given.
    #[n(8)]
    pub(crate) spent: bool,
}

impl OpenInvitation {
    /// The node-local value.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("encoding into a Vec cannot fail")
    }

    /// Reads the node-local value.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        minicbor::decode(bytes).ok()
    }

    /// Whether it can still be used, or waits for approval.
    pub(crate) fn is_open(&self, now_ms: u64) -> bool {
        !self.spent && now_ms < self.expires_at_ms && self.wrong_tries < limits::INVITATION_TRIES_MAX
    }

    /// Whether even its end is no longer worth remembering.
    pub(crate) fn is_forgotten(&self, now_ms: u64) -> bool {
        now_ms >= self.expires_at_ms.saturating_add(REMEMBERED_MS)
    }
}

/// The node-local key of an invitation.
pub(crate) fn local_key(pop: &PopName) -> String {
    format!("{LOCAL_PREFIX}{pop}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Invitation {
        Invitation {
            cell: CellId::from_bytes([7; 16]),
            primary: "calgary-01".parse().unwrap(),
            primary_url: "https://127.0.0.1:1985".to_owned(),
            primary_key: Fingerprint([9; 32]),
            pop: "zurich-01".parse().unwrap(),
            secret: InvitationSecret([3; 32]),
        }
    }

    #[test]
    fn a_line_reads_back() {
        let line = sample().to_line();
        assert!(line.starts_with("clvi1_") && !line.contains(' '));
        let read = Invitation::from_line(&format!(" {line}\n")).unwrap();
        assert_eq!(
            (read.secret.0, read.pop, read.primary_key),
            ([3; 32], sample().pop, sample().primary_key)
        );
    }

    #[test]
    fn any_change_of_a_line_is_noticed() {
        let line = sample().to_line();
        for index in PREFIX.len()..line.len() {
            let mut changed = line.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                Invitation::from_line(&changed).unwrap_err(),
                InvalidInvitation::Checksum,
                "at {index}"
            );
        }
        assert_eq!(Invitation::from_line("clvb1_x").unwrap_err(), InvalidInvitation::Prefix);
        assert_eq!(Invitation::from_line("clvi1_").unwrap_err(), InvalidInvitation::Checksum);
        assert_eq!(Invitation::from_line(&line[..line.len() - 4]).unwrap_err(), InvalidInvitation::Checksum);
    }

    #[test]
    fn nothing_that_is_kept_or_printed_opens_it() {
        let invitation = sample();
        assert!(!format!("{invitation:?}").contains('3'), "{invitation:?}");
        assert_ne!(invitation.secret.proof_key().as_bytes(), &[3; 32]);
    }
}
