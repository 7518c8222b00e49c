//! Greetings and rounds of batches: what leaves for the backup, and the rest when nothing is owed.

use clavitor_core::order::{Position, Seq};
use clavitor_core::replica::{Batch, BatchLimits, PeerCursor};

use super::event::{Effect, Now, RequestId};
use super::state::{Peer, Sent, State};
use crate::delay;
use crate::message::{Apply, FORMATS, Hello, Request};
use crate::rules::Rules;

/// The most remembered heads; beyond it the newest is moved on, which shows the lag rather too old than too
/// young.
const MARKS_MAX: usize = 64;

impl<R: Rules> Peer<R> {
    /// Greets: the answer says where the backup stands, and opens a session.
    pub(super) fn greet(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.cancel_retry(out);
        let id = self.fresh_id();
        let Some(view) = &self.view else { return };
        let hello = Hello {
            cell: view.cell,
            epoch: view.epoch,
            history: view.epoch,
            head: view.head,
            floor: view.floor,
            lineage: view.lineage.clone(),
            formats: FORMATS,
            denied: Vec::new(),
        };
        self.round_head = view.head;
        self.rehello = false;
        self.session = None;
        self.last_try_ms = now.monotonic_ms;
        self.state = State::Handshake { id };
        out.push(Effect::Send { id, request: Request::Hello(hello) });
    }

    /// Reads the next batch. The base is the backup's confirmed position.
    pub(super) fn read(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.session.is_none() {
            self.greet(now, out);
            return;
        }
        self.cancel_retry(out);
        if matches!(self.state, State::Idle | State::Disconnected) {
            self.round_head = self.head();
        }
        let id = self.fresh_id();
        self.state = State::Sending { id, sent: None };
        let limits = if R::BATCH_CAP {
            self.limits
        } else {
            BatchLimits { records_max: usize::MAX, bytes_max: usize::MAX }
        };
        out.push(Effect::ReadLog { id, after: self.acked.seq, limits });
    }

    pub(super) fn on_batch(&mut self, id: RequestId, batch: Batch, now: Now, out: &mut Vec<Effect>) {
        if self.rehello {
            self.greet(now, out);
            return;
        }
        let follows =
            batch.base.seq == self.acked.seq && (!R::CHAIN_CHECK || batch.base.chain == self.acked.chain);
        let (Some(view), Some(session)) = (&mut self.view, self.session) else { return };
        if !follows || batch.entries.is_empty() {
            self.regreet("this node's log does not go on from the backup's position", now, out);
            return;
        }
        view.head = view.head.max(batch.end.seq);
        let at_head = batch.end.seq == view.head;
        self.state = State::Sending {
            id,
            sent: Some(Sent {
                end: batch.end,
                digest: batch.digest,
                at_head,
                records: batch.entries.len() as u64,
            }),
        };
        let apply = Apply {
            cell: view.cell,
            session,
            epoch: view.epoch,
            history: view.epoch,
            base: Position { history: view.epoch, ..batch.base },
            entries: batch.entries,
            lineage: view.lineage.clone(),
            denied: Vec::new(),
            at_head: at_head.then_some(batch.digest),
        };
        out.push(Effect::Send { id, request: Request::Apply(Box::new(apply)) });
    }

    /// After a good answer: greet again if a link opened meanwhile, send what is owed, or rest.
    pub(super) fn proceed(&mut self, now: Now, out: &mut Vec<Effect>) {
        let goal = if R::LEVEL_TRIGGERED { self.head() } else { self.round_head };
        if self.rehello {
            self.greet(now, out);
        } else if goal > self.acked.seq {
            self.read(now, out);
        } else {
            self.succeeded(out);
            self.rest(now, out);
        }
    }

    /// Nothing is owed: no timer while the link is open, else the slow greeting.
    pub(super) fn rest(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.link.is_some() {
            self.state = State::Idle;
            return;
        }
        self.state = State::Disconnected;
        if R::DISCONNECTED_HELLO {
            self.arm_retry(delay::DISCONNECTED_HELLO, now, out);
        }
    }

    /// Takes over what the backup has on its disk.
    pub(super) fn set_acked(&mut self, acked: Position, now: Now, out: &mut Vec<Effect>) {
        if self.acked != acked {
            self.acked = acked;
            let cursor = PeerCursor { pop: self.pop.clone(), acked, at_ms: now.wall_ms };
            out.push(Effect::Persist(cursor));
        }
        while self.marks.front().is_some_and(|(head, _)| *head <= acked.seq) {
            self.marks.pop_front();
        }
    }

    pub(super) fn head(&self) -> Seq {
        self.view.as_ref().map_or(Seq::ZERO, |view| view.head)
    }

    pub(super) fn behind(&self) -> bool {
        self.head() > self.acked.seq
    }

    fn fresh_id(&mut self) -> RequestId {
        self.next_id += 1;
        RequestId(self.next_id)
    }

    /// Remembers when a head was first seen, for the lag.
    pub(super) fn mark(&mut self, now: Now) {
        let head = self.head();
        if head <= self.acked.seq || self.marks.back().is_some_and(|(marked, _)| *marked >= head) {
            return;
        }
        if self.marks.len() < MARKS_MAX {
            self.marks.push_back((head, now.monotonic_ms));
        } else if let Some(newest) = self.marks.back_mut() {
            newest.0 = head;
        }
    }
}
