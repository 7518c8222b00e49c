//! What a peer's machine remembers. Only `step` changes it.

use std::collections::VecDeque;
use std::marker::PhantomData;

use clavitor_core::alerts::AlertKind;
use clavitor_core::ids::PopName;
use clavitor_core::order::{Digest, Position, Seq};
use clavitor_core::replica::BatchLimits;

use super::event::{LinkId, RequestId, View};
use crate::message::Session;
use crate::rules::{Rules, Strict};

/// Where the machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not started, or not primary, or shut down.
    Stopped,
    /// A greeting is under way.
    Handshake {
        /// The request.
        id: RequestId,
    },
    /// Nothing is owed and the link is open. No timer.
    Idle,
    /// A batch is being read or sent.
    Sending {
        /// The read or the request.
        id: RequestId,
        /// What is under way; `None` while it is read.
        sent: Option<Sent>,
    },
    /// The next try has a time.
    Waiting {
        /// Which retry comes next, from 1; 0 when the backup was only busy.
        retry: u32,
    },
    /// The retries are used up and the operator has been told; a slow probe goes on.
    Parked,
    /// The backup does not read our format, until its next link.
    Format,
    /// The backup has seen a newer epoch, which is not proved to us.
    Fenced,
    /// Its copy is not in our line; nothing is sent until its next link.
    Diverged,
    /// Nothing is owed, but no link is open: a slow greeting goes on.
    Disconnected,
    /// No member any more.
    Removed,
}

/// A batch under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The position of its last entry in our log.
    pub end: Position,
    /// Our digest there.
    pub digest: Digest,
    /// Whether that was the head.
    pub at_head: bool,
    /// How many records it carries.
    pub records: u64,
}

/// The machine for one backup. See [`Peer::step`](super::Peer).
#[derive(Debug, Clone)]
pub struct Peer<R: Rules = Strict> {
    pub(super) pop: PopName,
    pub(super) limits: BatchLimits,
    pub(super) view: Option<View>,
    pub(super) state: State,
    /// What the backup has on its disk, as it said last.
    pub(super) acked: Position,
    /// Whether it said so since start, promotion and link.
    pub(super) confirmed: bool,
    pub(super) session: Option<Session>,
    pub(super) link: Option<LinkId>,
    /// A link opened during a request: whatever that answers, a greeting comes next.
    pub(super) rehello: bool,
    /// Failures in a row; a success is an acknowledged batch, or a position that is owed nothing.
    pub(super) failures: u32,
    /// A refusal has led to a greeting, and nothing was acknowledged since: the next one is a failure.
    pub(super) regreeted: bool,
    /// What the operator has been told and not yet been told to be well.
    pub(super) raised: Vec<AlertKind>,
    pub(super) retry_armed_until: Option<u64>,
    pub(super) link_alert_armed: bool,
    pub(super) last_try_ms: u64,
    pub(super) busy_since_ms: Option<u64>,
    /// The head when the present round began; only read where `LEVEL_TRIGGERED` is left out.
    pub(super) round_head: Seq,
    /// When heads were seen: (head, monotonic ms), oldest first, bounded.
    pub(super) marks: VecDeque<(Seq, u64)>,
    pub(super) cause: Option<String>,
    pub(super) digest_equal: Option<bool>,
    pub(super) quarantined: u64,
    pub(super) last_ok_at_ms: Option<u64>,
    pub(super) batches_total: u64,
    pub(super) records_total: u64,
    pub(super) next_id: u64,
    pub(super) rules: PhantomData<R>,
}

impl<R: Rules> Peer<R> {
    /// A machine that has not started.
    ///
    /// - `acked`: the cursor as last stored; it is only shown until the backup has confirmed a position.
    /// - `limits`: [`crate::receiver::BATCH_LIMITS`], or smaller ones in a simulation.
    pub fn new(pop: PopName, acked: Position, limits: BatchLimits) -> Self {
        Self {
            pop,
            limits,
            view: None,
            state: State::Stopped,
            acked,
            confirmed: false,
            session: None,
            link: None,
            rehello: false,
            failures: 0,
            regreeted: false,
            raised: Vec::new(),
            retry_armed_until: None,
            link_alert_armed: false,
            last_try_ms: 0,
            busy_since_ms: None,
            round_head: Seq::ZERO,
            marks: VecDeque::new(),
            cause: None,
            digest_equal: None,
            quarantined: 0,
            last_ok_at_ms: None,
            batches_total: 0,
            records_total: 0,
            next_id: 0,
            rules: PhantomData,
        }
    }
}
