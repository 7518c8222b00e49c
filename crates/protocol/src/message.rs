//! What travels between POPs: numbered-field messages behind one format byte, sizes checked before and
//! after reading.
//!
//! The bodies of `POST /api/replication/hello` ([`Hello`], answered by [`Reply`]), `/apply` ([`Apply`],
//! [`Reply`]) and `/watch` ([`Watch`], answered by a stream of [`LinkEvent`] frames, see [`crate::frame`]).
//! It never decides anything.

use clavitor_core::ids::{CellId, RecordId};
use clavitor_core::limits;
use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq};
use clavitor_core::replica::{LineageEntry, LogEntry};
use minicbor::{Decode, Encode};
use thiserror::Error;

/// The first byte of every body: the format of what follows.
pub const FORMAT: u8 = 1;
/// The formats that this version reads.
pub const FORMATS: FormatRange = FormatRange { oldest: FORMAT, newest: FORMAT };
/// The most points of a [`PositionReply`]: two per bit of a seq, the floor, and the ends in the lineage.
pub const POINTS_MAX: usize = 66 + limits::LINEAGE_MAX;
/// The most denials of one message; beyond it a sender must not rely on the list.
pub const DENIED_MAX: usize = 1_000;
/// The largest body of everything but [`Apply`].
pub const SMALL_BYTES_MAX: usize = 64 * 1024;
/// The largest frame on the live link.
pub const LINK_EVENT_BYTES_MAX: usize = 4 * 1024;

/// What a [`PositionReply`] hands out and an [`Apply`] must echo. A restart of the backup voids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Session(#[n(0)] pub u64);

/// A range of formats, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct FormatRange {
    /// The oldest.
    #[n(0)]
    pub oldest: u8,
    /// The newest.
    #[n(1)]
    pub newest: u8,
}

/// A denial that must not wait for its place in the order: a revoked or locked record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Denied {
    /// The record that is denied.
    #[n(0)]
    pub record: RecordId,
    /// The change that denies it; the denial is dropped when the receiver's position reaches it.
    #[n(1)]
    pub seq: Seq,
}

/// The primary's greeting: who it is, and where its log stands. Answered by a [`PositionReply`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// The cell; another cell's message is refused.
    #[n(0)]
    pub cell: CellId,
    /// The epoch under which the sender is primary.
    #[n(1)]
    pub epoch: Epoch,
    /// The history that it writes.
    #[n(2)]
    pub history: Epoch,
    /// Its head.
    #[n(3)]
    pub head: Seq,
    /// Changes at or below it are no longer in its log.
    #[n(4)]
    pub floor: Seq,
    /// Where its earlier histories ended, oldest first.
    #[cbor(n(5), decode_with = "crate::capped::at_most::<_, _, { limits::LINEAGE_MAX }>")]
    pub lineage: Vec<LineageEntry>,
    /// The formats that the sender reads.
    #[n(6)]
    pub formats: FormatRange,
    /// Denials above the receiver's position. Empty in this version.
    #[cbor(n(7), decode_with = "crate::capped::at_most::<_, _, DENIED_MAX>")]
    pub denied: Vec<Denied>,
}

/// One chain value of a backup's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Point {
    /// Where.
    #[n(0)]
    pub seq: Seq,
    /// The chain value there.
    #[n(1)]
    pub chain: Chain,
}

/// A backup's answer to [`Hello`]: where it stands, with enough chain values to find the common part.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PositionReply {
    /// The greatest epoch that was ever proved to it.
    #[n(0)]
    pub epoch_seen: Epoch,
    /// Where it stands; history and chain are zero when it never applied anything.
    #[n(1)]
    pub position: Position,
    /// The digest there.
    #[n(2)]
    pub digest: Digest,
    /// Chain values at seq, seq-1, -2, -4, …, the floor, and the ends in its lineage.
    #[cbor(n(3), decode_with = "crate::capped::at_most::<_, _, POINTS_MAX>")]
    pub points: Vec<Point>,
    /// How many records it has set aside.
    #[n(4)]
    pub quarantined: u64,
    /// What the next [`Apply`] must echo.
    #[n(5)]
    pub session: Session,
    /// The formats that it reads.
    #[n(6)]
    pub formats: FormatRange,
}

/// One batch of changes, at most [`limits::BATCH_RECORDS_MAX`] records and [`limits::BATCH_BYTES_MAX`]
/// record bytes, ending at the end of an operation. Answered by an [`Ack`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Apply {
    /// The cell; another cell's message is refused.
    #[n(0)]
    pub cell: CellId,
    /// The session of the last [`PositionReply`].
    #[n(1)]
    pub session: Session,
    /// The epoch under which the sender is primary.
    #[n(2)]
    pub epoch: Epoch,
    /// The history that it writes.
    #[n(3)]
    pub history: Epoch,
    /// The position that the first entry follows, in the sender's history.
    #[n(4)]
    pub base: Position,
    /// The changes, dense from `base.seq + 1`; records as stored, never re-encoded.
    #[cbor(n(5), decode_with = "crate::capped::at_most::<_, _, { limits::BATCH_RECORDS_MAX }>")]
    pub entries: Vec<LogEntry>,
    /// Where the sender's earlier histories ended, oldest first.
    #[cbor(n(6), decode_with = "crate::capped::at_most::<_, _, { limits::LINEAGE_MAX }>")]
    pub lineage: Vec<LineageEntry>,
    /// Denials above the receiver's position. Empty in this version.
    #[cbor(n(7), decode_with = "crate::capped::at_most::<_, _, DENIED_MAX>")]
    pub denied: Vec<Denied>,
    /// The digest after the last entry, where that is the sender's head; else none.
    #[n(8)]
    pub at_head: Option<Digest>,
}

/// A backup's answer to [`Apply`], after its COMMIT.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Ack {
    /// What is durable and visible there.
    #[n(0)]
    pub position: Position,
    /// Its digest there, where the batch said that it ends at the head.
    #[n(1)]
    pub digest: Option<Digest>,
    /// How many records it has set aside, in all.
    #[n(2)]
    pub quarantined: u64,
    /// Whether its digest differs from the one that the batch named for the head.
    #[n(3)]
    pub mismatch: bool,
}

/// Why a message was refused. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Error)]
pub enum Refusal {
    /// The sender's epoch is below one that was proved to this node.
    #[n(0)]
    #[error("fenced: this node has seen epoch {epoch_seen}")]
    Fenced {
        /// What this node has seen.
        #[n(0)]
        epoch_seen: Epoch,
    },
    /// A role does not fit: the sender's higher epoch is not proved, or the receiver is not what was assumed.
    #[n(1)]
    #[error("not primary here: this node knows epoch {epoch_seen}")]
    NotPrimary {
        /// What this node has seen.
        #[n(0)]
        epoch_seen: Epoch,
    },
    /// The batch starts beyond this node's position.
    #[n(2)]
    #[error("a gap: this node stands at {}", have.seq)]
    Gap {
        /// Where this node stands.
        #[n(0)]
        have: Position,
    },
    /// The batch disagrees with this node's log.
    #[n(3)]
    #[error("a fork at {at}")]
    Fork {
        /// The first seq that differs.
        #[n(0)]
        at: Seq,
    },
    /// The body's format is not read here.
    #[n(4)]
    #[error("only formats {} to {} are read here", supported.oldest, supported.newest)]
    Format {
        /// What is.
        #[n(0)]
        supported: FormatRange,
    },
    /// The message is over a limit of this node.
    #[n(5)]
    #[error("over the limit of {max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        #[n(0)]
        max: u64,
    },
    /// Too much waits already, or an earlier batch is not finished.
    #[n(6)]
    #[error("busy for {after_ms} ms")]
    Busy {
        /// When to come again, in milliseconds.
        #[n(0)]
        after_ms: u64,
    },
    /// This node's own log does not recompute.
    #[n(7)]
    #[error("this node's log is damaged at {at}")]
    Damaged {
        /// Where.
        #[n(0)]
        at: Seq,
    },
    /// The session is not the current one: greet again.
    #[n(8)]
    #[error("the session is not the current one")]
    Session,
    /// The message is for another cell.
    #[n(9)]
    #[error("the message is for another cell")]
    ForeignCell,
    /// The message is not well formed.
    #[n(10)]
    #[error("the message is malformed")]
    Malformed,
    /// This node could not store it: its disk is full or failing.
    #[n(11)]
    #[error("this node could not write to its disk")]
    Unwritable,
}

/// The answer to [`Hello`] and [`Apply`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// To [`Hello`].
    #[n(0)]
    Position(#[n(0)] PositionReply),
    /// To [`Apply`].
    #[n(1)]
    Ack(#[n(0)] Ack),
    /// To either.
    #[n(2)]
    Refused(#[n(0)] Refusal),
}

/// A backup opens its live link at the primary: one long request. Answered by a stream of [`LinkEvent`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Watch {
    /// The cell; another cell's message is refused.
    #[n(0)]
    pub cell: CellId,
    /// The greatest epoch that was ever proved to the backup.
    #[n(1)]
    pub epoch_seen: Epoch,
    /// Where it stands.
    #[n(2)]
    pub position: Position,
    /// The formats that it reads.
    #[n(3)]
    pub formats: FormatRange,
}

/// What the primary sends on the live link. Numbers above these belong to later versions.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum LinkEvent {
    /// The first: the link is open, and the primary greets next.
    #[n(0)]
    Opened {
        /// The primary's epoch.
        #[n(0)]
        epoch: Epoch,
        /// Its head.
        #[n(1)]
        head: Seq,
    },
    /// The link is refused or ended, for this reason; nothing follows.
    #[n(1)]
    Refused(#[n(0)] Refusal),
}

/// What the primary sends to a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// To `/api/replication/hello`.
    Hello(Hello),
    /// To `/api/replication/apply`.
    Apply(Box<Apply>),
}

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The format byte is not one that this version reads.
    #[error("format {found} is not read here")]
    Format {
        /// What was found.
        found: u8,
    },
    /// Over a limit.
    #[error("a message of {bytes} bytes is over the limit of {max}")]
    TooLarge {
        /// Its size, or that of the records in it.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes do not decode, or contradict themselves.
    #[error("the message is malformed: {0}")]
    Malformed(String),
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Format { .. } => Self::Format { supported: FORMATS },
            DecodeError::TooLarge { max, .. } => Self::TooLarge { max: max as u64 },
            DecodeError::Malformed(_) => Self::Malformed,
        }
    }
}

/// A whole body: something with a cap and a shape of its own.
pub trait Message: Encode<()> + for<'b> Decode<'b, ()> {
    /// The largest body. A server refuses more before it reads it.
    const BYTES_MAX: usize;

    /// What the types cannot say: sizes after decoding, order of the entries.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`], [`DecodeError::Malformed`].
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

impl Message for Hello {
    const BYTES_MAX: usize = SMALL_BYTES_MAX;
}

impl Message for Reply {
    const BYTES_MAX: usize = SMALL_BYTES_MAX;
}

impl Message for Watch {
    const BYTES_MAX: usize = LINK_EVENT_BYTES_MAX;
}

impl Message for LinkEvent {
    const BYTES_MAX: usize = LINK_EVENT_BYTES_MAX;
}

impl Message for Apply {
    const BYTES_MAX: usize = limits::MESSAGE_BYTES_MAX;

    fn check(&self) -> Result<(), DecodeError> {
        let mut total = 0usize;
        let mut expected = self.base.seq;
        for entry in &self.entries {
            expected = Seq(expected.0.checked_add(1).ok_or_else(|| malformed("a seq overflows"))?);
            if entry.seq != expected {
                return Err(malformed("the entries are not dense above the base"));
            }
            check_size(entry.record.len(), limits::RECORD_BYTES_MAX)?;
            total += entry.record.len();
        }
        check_size(total, limits::BATCH_BYTES_MAX)?;
        match self.entries.last() {
            Some(last) if last.operation_end => Ok(()),
            Some(_) => Err(malformed("the batch ends inside an operation")),
            None => Err(malformed("the batch is empty")),
        }
    }
}

fn malformed(what: &str) -> DecodeError {
    DecodeError::Malformed(what.to_owned())
}

fn check_size(bytes: usize, max: usize) -> Result<(), DecodeError> {
    if bytes > max { Err(DecodeError::TooLarge { bytes, max }) } else { Ok(()) }
}

/// The body of a message: the format byte, then the fields.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let mut body = vec![FORMAT];
    minicbor::encode(message, &mut body).expect("encoding into a Vec cannot fail");
    body
}

/// Reads a body. Fields that a newer version added are ignored.
///
/// # Errors
/// - [`DecodeError::TooLarge`]: over [`Message::BYTES_MAX`], checked before reading, or over a limit once
///   decoded.
/// - [`DecodeError::Format`]: another format byte.
/// - [`DecodeError::Malformed`]: anything else, bytes after the message included.
pub fn decode<M: Message>(body: &[u8]) -> Result<M, DecodeError> {
    check_size(body.len(), M::BYTES_MAX)?;
    let (&found, fields) = body.split_first().ok_or_else(|| malformed("the body is empty"))?;
    if !(FORMATS.oldest..=FORMATS.newest).contains(&found) {
        return Err(DecodeError::Format { found });
    }
    let mut decoder = minicbor::Decoder::new(fields);
    let message: M = decoder.decode().map_err(|error| DecodeError::Malformed(error.to_string()))?;
    if decoder.position() != fields.len() {
        return Err(malformed("bytes after the message"));
    }
    message.check()?;
    Ok(message)
}
