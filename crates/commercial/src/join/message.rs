//! The bodies of `POST /pop/join`: numbered fields behind one format byte, at most `limits::JOIN_BODY_BYTES_MAX` on
//! the way in. Everything in a request is a claim; the proof covers all of it.

use clavitor_core::ids::{CellId, PopName};
use clavitor_core::limits;
use clavitor_core::member::Member;
use minicbor::{Decode, Encode};
use thiserror::Error;

/// The first byte of every body.
const FORMAT: u8 = 1;
/// The largest answer: all members, and a sealed keyring.
pub(crate) const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A joiner asks to become a member.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct JoinRequest {
    /// The name on the invitation.
    #[n(0)]
    pub(crate) pop: PopName,
    /// Where its POP listener is reached; empty when it does not know.
    #[n(1)]
    pub(crate) url: String,
    /// Where its users reach it.
    #[n(2)]
    pub(crate) public_url: String,
    /// The key to which the keyring is sealed: made for this one join.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) sealing_key: Vec<u8>,
    /// The identity key's signature over the transcript, the sealing key in it.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(crate) signature: Vec<u8>,
    /// HMAC over the transcript under the invitation's proof key.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub(crate) proof: Vec<u8>,
}

/// A keyring sealed to the joiner's sealing key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct SealedKeyring {
    /// The encapsulated secret.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) encapsulated: Vec<u8>,
    /// The ciphertext.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) ciphertext: Vec<u8>,
}

/// What the primary answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum JoinAnswer {
    /// The joiner is a member; this is committed.
    #[n(0)]
    Accepted(#[n(0)] Welcome),
    /// An operator must approve it first.
    #[n(1)]
    Pending,
    /// Refused.
    #[n(2)]
    Refused(#[n(0)] JoinRefusal),
}

/// What a new member gets.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Welcome {
    /// The cell.
    #[n(0)]
    pub(crate) cell: CellId,
    /// All members, the joiner and the primary among them.
    #[n(1)]
    pub(crate) members: Vec<Member>,
    /// The keyring; `None` for a blind member.
    #[n(2)]
    pub(crate) keyring: Option<SealedKeyring>,
}

/// Why a join was refused. Only who proved the secret learns more than `Refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Error)]
#[cbor(index_only)]
pub(crate) enum JoinRefusal {
    #[n(0)]
    #[error("the primary refused it: the invitation is not known there, or was altered")]
    Refused,
    #[n(1)]
    #[error("the invitation has expired")]
    Expired,
    #[n(2)]
    #[error("the invitation was already used")]
    Used,
    #[n(3)]
    #[error("the invitation is void: its secret was proved wrongly too often")]
    Void,
    #[n(4)]
    #[error("the invitation is for another identity key")]
    WrongKey,
    #[n(5)]
    #[error("another POP already waits for approval with this invitation")]
    OtherPending,
    #[n(6)]
    #[error("the node that was reached is not the primary")]
    NotPrimary,
    #[n(7)]
    #[error("another join is going on")]
    Busy,
    #[n(8)]
    #[error("the primary does not know where this POP will be reached")]
    NoUrl,
    #[n(9)]
    #[error("the primary could not store it now")]
    Failed,
    #[n(10)]
    #[error("the primary does not understand this version of the join")]
    Malformed,
    #[n(11)]
    #[error("the name or the key already belongs to a member")]
    MemberExists,
}

impl JoinRefusal {
    /// The stable code, for the audit.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Refused => "join-refused",
            Self::Expired => "join-expired",
            Self::Used => "join-used",
            Self::Void => "join-void",
            Self::WrongKey => "join-wrong-key",
            Self::OtherPending => "join-other-pending",
            Self::NotPrimary => "join-not-primary",
            Self::Busy => "join-busy",
            Self::NoUrl => "join-no-url",
            Self::Failed => "join-failed",
            Self::Malformed => "join-malformed",
            Self::MemberExists => "join-member-exists",
        }
    }

    /// What the operator of the joiner does about it.
    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            Self::Busy | Self::Failed => "run pop join again in a minute",
            Self::NotPrimary => "correct url in [replication.primary]",
            Self::NoUrl => "set url in [replication] here, or give --url to pop invite there",
            Self::Malformed => "run the same version of clavitor on both",
            Self::OtherPending => {
                "compare pop identity here with pop list there; make a new invitation if it was not you"
            }
            Self::MemberExists => {
                "run pop list on the primary; pop remove there first, or choose another name"
            }
            _ => {
                "make a new one there: clavitor pop invite NAME --key FINGERPRINT (pop identity prints it here)"
            }
        }
    }
}

/// Encodes a body.
pub(crate) fn encode<T: Encode<()>>(message: &T) -> Vec<u8> {
    let mut body = vec![FORMAT];
    minicbor::encode(message, &mut body).expect("encoding into a Vec cannot fail");
    body
}

/// Decodes a body; `None` when it is not one, or its texts are too long to be what they should be.
pub(crate) fn decode_request(body: &[u8]) -> Option<JoinRequest> {
    let request: JoinRequest = decode(body, limits::JOIN_BODY_BYTES_MAX)?;
    let urls_fit = [&request.url, &request.public_url].iter().all(|url| url.len() <= 512);
    urls_fit.then_some(request)
}

/// Decodes an answer.
pub(crate) fn decode_answer(body: &[u8]) -> Option<JoinAnswer> {
    decode(body, ANSWER_BYTES_MAX)
}

fn decode<T: for<'b> Decode<'b, ()>>(body: &[u8], bytes_max: usize) -> Option<T> {
    if body.len() > bytes_max {
        return None;
    }
    let fields = body.strip_prefix(&[FORMAT])?;
    let mut decoder = minicbor::Decoder::new(fields);
    let message = decoder.decode().ok()?;
    (decoder.position() == fields.len()).then_some(message)
}
