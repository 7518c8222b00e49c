//! What can happen next, and when: the queue of a run. Equal times keep the order in which they were
//! scheduled.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use clavitor_core::order::{Position, Seq};
use clavitor_core::replica::BatchLimits;
use clavitor_protocol::link::{Attempt, LinkTimer};
use clavitor_protocol::peer::{LinkId, RequestId, Timer};
use clavitor_protocol::receiver::Submission;

/// The primary, two backups, and sometimes a primary of an earlier epoch.
pub(crate) const PRIMARY: usize = 0;
pub(crate) const BACKUPS: [usize; 2] = [1, 2];
pub(crate) const OLD_PRIMARY: usize = 3;

/// One life of a node, from a start to a crash. What belongs to an earlier life is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) node: usize,
    pub(crate) number: u32,
}

/// The machine of one membership of one backup, within one life of a primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) life: Life,
    pub(crate) backup: usize,
    pub(crate) membership: u32,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Hello,
    Apply,
    Reply,
}

/// One message on the network: the bytes that the real product would send.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    /// Who asked, or is answered.
    pub(crate) target: Target,
    pub(crate) id: RequestId,
    pub(crate) content: Content,
    pub(crate) body: Rc<[u8]>,
}

/// What happens next.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A client's operation reaches a primary.
    Write { node: usize },
    /// The writer commits what waits.
    Commit { life: Life },
    /// The commit's signal reaches the worker.
    Signal { life: Life },
    /// The clients of a commit are answered.
    Answer { life: Life, position: Position },
    /// The worker starts, with its check of every backup.
    Start { life: Life },
    /// The worker reads the log.
    Read { target: Target, id: RequestId, after: Seq, limits: BatchLimits },
    /// A node hands a packet to the network.
    Transmit { life: Life, packet: Rc<Packet> },
    /// The network delivers a packet.
    Deliver { packet: Rc<Packet> },
    /// A backup that accepted a greeting has read its chain values, and answers.
    TellPosition { life: Life, packet: Rc<Packet>, seqs: Vec<Seq> },
    /// A backup commits a batch.
    Apply { life: Life, packet: Rc<Packet>, submission: Rc<Submission> },
    /// A request has no answer.
    Unanswered { target: Target, id: RequestId, refused: bool },
    /// A timer of a primary's machine runs out.
    PeerTimer { target: Target, timer: Timer, token: u64 },
    /// A backup's request for a live link reaches the primary.
    LinkArrives { life: Life, attempt: Attempt },
    /// The first event of the link reaches the backup.
    LinkOpens { life: Life, attempt: Attempt },
    /// The backup notices that its link is gone, or never was.
    LinkLost { life: Life, attempt: Attempt },
    /// The primary notices that a link is gone.
    LinkGone { life: Life, backup: usize, link: LinkId },
    /// A timer of a backup's link machine runs out.
    LinkTimer { life: Life, timer: LinkTimer, token: u64 },
    /// A node crashes, whatever it does.
    Crash { node: usize },
    /// A crashed node comes back.
    Restart { life: Life },
    /// Nothing passes between the primary and a backup, in one or both directions, until then.
    BlackHole { backup: usize, towards: bool, back: bool, until_ms: u64 },
    /// A live link breaks; both ends notice by themselves.
    BreakLink { backup: usize },
    /// The wall clock of all nodes jumps.
    JumpClock,
    /// The operator removes a member.
    Remove { backup: usize },
    /// The operator adds it again.
    Rejoin { backup: usize },
    /// The operator ends all waits.
    Wake { node: usize },
    /// No more faults.
    Heal,
    /// The operator empties the folder of a backup that is told to differ, and joins it anew.
    EmptyDiverged,
}

impl Step {
    /// A short line for the trace.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Answer { position, .. } => format!("the clients of {} are answered", position.seq),
            Self::Read { target, id, after, .. } => {
                format!("backup {}: read {} above {after}", target.backup + 1, id.0)
            }
            Self::Transmit { packet, .. } => format!("{} leaves", packet.describe()),
            Self::Deliver { packet } => format!("{} arrives", packet.describe()),
            Self::TellPosition { packet, .. } => format!("the position for {}", packet.describe()),
            Self::Apply { packet, .. } => format!("COMMIT of {}", packet.describe()),
            Self::Unanswered { target, id, .. } => {
                format!("backup {}: request {} is given up", target.backup + 1, id.0)
            }
            Self::PeerTimer { target, timer, .. } => {
                format!("backup {}: {timer:?} timer, of node {}", target.backup + 1, target.life.node)
            }
            other => format!("{other:?}"),
        }
    }
}

impl Packet {
    fn describe(&self) -> String {
        let Target { life, backup, .. } = self.target;
        let content = self.content;
        format!("backup {}: {content:?} {} (node {}, life {})", backup + 1, self.id.0, life.node, life.number)
    }
}

struct Scheduled {
    at_ms: u64,
    order: u64,
    step: Step,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    /// Reversed: the heap gives the greatest first, and the earliest is wanted.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_ms, other.order).cmp(&(self.at_ms, self.order))
    }
}

/// The queue.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Scheduled>,
    scheduled: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at_ms: u64, step: Step) {
        self.scheduled += 1;
        self.heap.push(Scheduled { at_ms, order: self.scheduled, step });
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, Step)> {
        self.heap.pop().map(|scheduled| (scheduled.at_ms, scheduled.step))
    }
}
