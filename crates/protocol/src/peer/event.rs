//! What happens to a peer's machine, and what it asks of the shell. Plain values; nothing is decided here.

use clavitor_core::alerts::{Alert, AlertKind};
use clavitor_core::ids::CellId;
use clavitor_core::order::{Epoch, Seq};
use clavitor_core::replica::{Batch, BatchLimits, LineageEntry, NodeState, PeerCursor, ReadError};

use crate::decide::Evidence;
use crate::delay::Delay;
use crate::message::{Reply, Request};

/// Both clocks, read by the shell just before a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For durations; never falls.
    pub monotonic_ms: u64,
    /// For people; may jump.
    pub wall_ms: u64,
}

/// Names one request or log read of one machine, so that a late answer is recognised and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names one live link, so that the end of an older one is not taken for the end of its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// A machine has at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// The next try: a retry, a slow probe, the greeting of a peer without a link.
    Retry,
    /// The link has been gone for too long.
    LinkAlert,
}

/// This node as primary: what greetings and batches say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The cell.
    pub cell: CellId,
    /// The epoch, which names the history that this node writes.
    pub epoch: Epoch,
    /// The head.
    pub head: Seq,
    /// Changes at or below it are no longer in the log.
    pub floor: Seq,
    /// Where earlier histories ended, oldest first.
    pub lineage: Vec<LineageEntry>,
}

impl From<&NodeState> for View {
    fn from(node: &NodeState) -> Self {
        Self {
            cell: node.cell,
            epoch: node.position.history,
            head: node.position.seq,
            floor: node.log_floor,
            lineage: node.lineage.clone(),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The worker has started, or this member has been added.
    Started(View),
    /// Something was committed; losing this event loses no change.
    Head(Seq),
    /// The log was read, as [`Effect::ReadLog`] asked.
    BatchRead {
        /// Which read.
        id: RequestId,
        /// What was read.
        batch: Result<Batch, ReadError>,
    },
    /// A request was answered.
    Reply {
        /// Which request.
        id: RequestId,
        /// The answer.
        reply: Reply,
        /// For a position: what our own log says at its seqs. Empty for other answers.
        evidence: Evidence,
    },
    /// A request was not answered: no connection, time-out, an answer that does not decode.
    Failed {
        /// Which request.
        id: RequestId,
        /// Why, in a phrase for the operator, without secrets.
        cause: String,
    },
    /// A timer has run out.
    TimerFired(Timer),
    /// The backup has opened its live link: its hello.
    PeerHello {
        /// Which link; it replaces an older one.
        link: LinkId,
    },
    /// A live link has ended.
    PeerGone {
        /// Which.
        link: LinkId,
    },
    /// The operator ends every wait.
    OperatorWake,
    /// The member has been removed. The machine ends.
    Removed,
    /// The role or epoch of this node has changed: as primary it starts anew, as anything else it stops.
    RoleChanged(Option<View>),
    /// The node stops.
    Shutdown,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read the log and come back with [`Event::BatchRead`].
    ReadLog {
        /// To be repeated in the answer.
        id: RequestId,
        /// Entries above it.
        after: Seq,
        /// How much.
        limits: BatchLimits,
    },
    /// Send a request and come back with [`Event::Reply`] or [`Event::Failed`], after a bounded time.
    Send {
        /// To be repeated in the answer.
        id: RequestId,
        /// The request. An older one that is still under way may be dropped: its answer would be ignored.
        request: Request,
    },
    /// Arm this timer, in place of an armed one of the same name.
    ArmTimer {
        /// Which.
        timer: Timer,
        /// For how long; see [`Delay::pick`].
        delay: Delay,
    },
    /// Disarm this timer.
    CancelTimer(Timer),
    /// Note what the peer has on its disk.
    Persist(PeerCursor),
    /// Tell the operator.
    Alert(Alert),
    /// What was told is well again.
    Recovered {
        /// About what.
        kind: AlertKind,
        /// Which POP.
        subject: String,
    },
    /// A newer epoch is proved: this node is not primary any more.
    Demote {
        /// The newer epoch.
        epoch: Epoch,
    },
    /// This node was rewound or forked, and that is proved: it must take no more writes.
    Halt {
        /// Why and what to do, for the operator.
        cause: String,
    },
}
