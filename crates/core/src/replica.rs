//! The store as replication sees it: the log, positions, node-local values, and writes that go through the one writer.
//!
//! Synchronous and free of any runtime: reads block (call them where blocking is allowed), `submit` only enqueues.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::change::{Committed, Operation, WriteError};
use crate::ids::{CellId, PopName};
use crate::kind::Kind;
use crate::order::{Chain, Digest, Epoch, Position, Seq};
use crate::record::StoredRecord;

/// What a node does in its cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Accepts writes.
    Primary,
    /// Applies what the primary sends; serves reads only.
    Backup,
}

/// Where an earlier history ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct LineageEntry {
    /// The history.
    #[n(0)]
    pub history: Epoch,
    /// The last seq that the present line took from it.
    #[n(1)]
    pub upto: Seq,
    /// The chain value there.
    #[n(2)]
    pub chain: Chain,
}

/// The node's own replication state, from the table `meta`: one consistent view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// The cell.
    pub cell: CellId,
    /// This node's name; `None` on a node that does not replicate.
    pub pop: Option<PopName>,
    /// The role.
    pub role: Role,
    /// The greatest epoch that was ever proved to this node.
    pub epoch_seen: Epoch,
    /// Where the node stands. On a node without a log, history and chain are zero.
    pub position: Position,
    /// The digest at that position; zero on a node without a log.
    pub digest: Digest,
    /// Changes at or below it are no longer in the log.
    pub log_floor: Seq,
    /// Why the node takes no writes, where that is so.
    pub halted: Option<String>,
    /// Counts the starts of this database.
    pub starts: u64,
    /// Where earlier histories ended, oldest first.
    pub lineage: Vec<LineageEntry>,
}

/// One row of the log as it travels: the record's bytes are forwarded as received.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LogEntry {
    /// Its place in the order.
    #[n(0)]
    pub seq: Seq,
    /// The whole wire encoding of the record.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub record: Vec<u8>,
    /// Whether an operation ends here. A batch always ends at such an entry.
    #[n(2)]
    pub operation_end: bool,
}

/// How much one batch may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// At most this many records.
    pub records_max: usize,
    /// At most this many record bytes, but always at least one operation.
    pub bytes_max: usize,
}

/// A run of log entries, in order, dense, ending at the end of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The position that the first entry follows.
    pub base: Position,
    /// The entries; empty when there is nothing above the base.
    pub entries: Vec<LogEntry>,
    /// The position of the last entry (the base where there is none).
    pub end: Position,
    /// The digest at `end`.
    pub digest: Digest,
}

/// A write that replication asks for.
#[derive(Debug)]
pub enum ReplicaWrite {
    /// A batch from the primary: one savepoint of its own, all or nothing. Only on a backup.
    Apply(Box<ApplyBatch>),
    /// A normal operation of the node: members, invitations. Only on a primary where it changes records.
    Commit(Box<Operation>),
    /// Sets what `meta` says of this node's place in a cell. Only while the node has no log entry.
    Adopt(Box<Adopt>),
    /// Writes the cursors that [`ReplicaStore::note_acked`] left in memory.
    FlushCursors,
}

/// A batch to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyBatch {
    /// The sender's epoch, which names the history of the entries.
    pub epoch: Epoch,
    /// The position that the first entry follows, in the sender's history.
    pub base: Position,
    /// The entries; those at or below our position are compared, those above are applied.
    pub entries: Vec<LogEntry>,
    /// The sender's lineage.
    pub lineage: Vec<LineageEntry>,
}

/// What a joined or newly started member writes of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopt {
    /// The cell joined; `None` keeps the present one.
    pub cell: Option<CellId>,
    /// This node's name.
    pub pop: PopName,
    /// Its role.
    pub role: Role,
    /// Node-local values to be set with it: the bootstrap pin of the primary, for example.
    pub local: Vec<crate::change::LocalChange>,
}

/// What a [`ReplicaWrite`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The batch is durable and visible.
    Batch {
        /// Where the node stands now.
        position: Position,
        /// The digest there.
        digest: Digest,
        /// How many records lie in quarantine.
        quarantined: u64,
    },
    /// The operation is durable.
    Committed(Committed),
    /// The state is durable.
    Done,
}

/// Why a [`ReplicaWrite`] was refused. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The sender's epoch is below what this node has seen.
    #[error("epoch {sent} was fenced by {seen}")]
    Fenced {
        /// What was sent.
        sent: Epoch,
        /// What this node has seen.
        seen: Epoch,
    },
    /// The batch starts beyond our position.
    #[error("a gap: this node stands at {}", have.seq)]
    Gap {
        /// Where we stand.
        have: Position,
    },
    /// The batch disagrees with our log.
    #[error("a fork at {at}")]
    Fork {
        /// The first seq that differs.
        at: Seq,
    },
    /// The batch is not well formed: not dense, over a limit, or not ending at the end of an operation.
    #[error("the batch is malformed: {0}")]
    Malformed(String),
    /// This node's role does not allow it.
    #[error("not in this role")]
    WrongRole,
    /// Our own last log row does not recompute.
    #[error("this node's log is damaged at {at}")]
    Damaged {
        /// Where.
        at: Seq,
    },
    /// An operation was refused.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// A failure to read the store.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the database could not be read: {0}")]
pub struct ReadError(pub String);

/// What a backup has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCursor {
    /// The backup.
    pub pop: PopName,
    /// What it has on its disk.
    pub acked: Position,
    /// When it said so, wall clock.
    pub at_ms: u64,
}

/// Called once, with the answer of a submitted write, after its COMMIT, on the writer thread: it must not block.
pub type WriteDone = Box<dyn FnOnce(Result<Applied, ApplyError>) + Send + 'static>;

/// The port between replication and the store.
pub trait ReplicaStore: Send + Sync + 'static {
    /// The node's state as last committed. From memory; never blocks for long.
    fn node(&self) -> NodeState;

    /// Reads entries above `after`, up to the limits, ending at the end of an operation. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    fn read_log(&self, after: Seq, limits: BatchLimits) -> Result<Batch, ReadError>;

    /// The positions' chain values and digests that the log still knows, in the order asked. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    fn points(&self, seqs: &[Seq]) -> Result<Vec<Option<(Chain, Digest)>>, ReadError>;

    /// All living records of one kind, in the order of their ids. Meant for small kinds. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    fn records_of_kind(&self, kind: Kind) -> Result<Vec<StoredRecord>, ReadError>;

    /// One node-local value. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    fn local(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError>;

    /// All node-local values whose key starts with `prefix`, in key order. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    fn local_with_prefix(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, ReadError>;

    /// How many records lie in quarantine here. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    fn quarantined(&self) -> Result<u64, ReadError>;

    /// The cursors, as noted last. From memory.
    fn cursors(&self) -> Vec<PeerCursor>;

    /// Notes what a backup acknowledged. Kept in memory at once, written with the next transaction that any write
    /// causes: losing it costs one handshake, never a change.
    fn note_acked(&self, cursor: PeerCursor);

    /// Forgets a removed member's cursor, likewise.
    fn forget_acked(&self, pop: &PopName);

    /// Enqueues a write for the one writer and returns at once. A full queue answers [`WriteError::Busy`] through `done`.
    fn submit(&self, write: ReplicaWrite, done: WriteDone);
}

/// Told by the writer after each COMMIT that moved the head, before the callers are answered.
pub trait CommitObserver: Send + Sync + 'static {
    /// The head has moved. Must not block, cannot fail.
    fn committed(&self, head: Seq);
}
