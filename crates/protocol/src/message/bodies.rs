//! The messages themselves, field by field. Numbers are fixed for ever; new fields come at the end and are
//! optional.

use clavitor_core::ids::{CellId, RecordId};
use clavitor_core::limits;
use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq};
use clavitor_core::replica::{LineageEntry, LogEntry};
use minicbor::{Decode, Encode};

use super::refusal::Refusal;

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
