//! The machine's step: which event leads where, the greeting, the rounds of batches, the waits. Answers are
//! judged in `answer`.

use clavitor_core::alerts::{Alert, AlertKind};
use clavitor_core::limits;
use clavitor_core::order::{Position, Seq};
use clavitor_core::replica::{Batch, BatchLimits, PeerCursor};

use super::event::{Effect, Event, LinkId, Now, RequestId, Timer, View};
use super::state::{Peer, Sent, State};
use crate::delay::{self, Delay};
use crate::message::{Apply, FORMATS, Hello, Request};
use crate::rules::Rules;

/// The most remembered heads; beyond it the newest is moved on, which shows the lag rather too old than too
/// young.
const MARKS_MAX: usize = 64;

impl<R: Rules> Peer<R> {
    /// Takes one event and says what the shell must do, in this order.
    ///
    /// Answers to requests that are not under way any more are ignored. A removed peer ignores everything.
    pub fn step(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.state == State::Removed {
            return out;
        }
        match event {
            Event::Started(view) => self.start(view, now, &mut out),
            Event::Head(head) => self.on_head(head, now, &mut out),
            Event::BatchRead { id, batch } if self.awaits(id) => match batch {
                Ok(batch) => self.on_batch(id, batch, now, &mut out),
                Err(error) => self.failed(&error.to_string(), now, &mut out),
            },
            Event::Reply { id, reply, evidence } if self.awaits(id) => {
                self.on_reply(reply, &evidence, now, &mut out);
            }
            Event::Failed { id, cause } if self.awaits(id) => self.failed(&cause, now, &mut out),
            Event::BatchRead { .. } | Event::Reply { .. } | Event::Failed { .. } => {}
            Event::TimerFired(timer) => self.on_timer(timer, now, &mut out),
            Event::PeerHello { link } => self.on_link(link, now, &mut out),
            Event::PeerGone { link } => self.on_link_lost(link, now, &mut out),
            Event::OperatorWake => {
                if !matches!(self.state, State::Idle) {
                    self.wake(now, &mut out);
                }
            }
            Event::Removed => self.stop(State::Removed, &mut out),
            Event::RoleChanged(Some(view)) => self.start(view, now, &mut out),
            Event::RoleChanged(None) | Event::Shutdown => self.stop(State::Stopped, &mut out),
        }
        out
    }

    fn start(&mut self, view: View, now: Now, out: &mut Vec<Effect>) {
        self.view = Some(view);
        self.confirmed = false;
        self.failures = 0;
        self.regreeted = false;
        self.marks.clear();
        self.mark(now);
        if self.link.is_none() {
            self.arm_link_alert(out);
        }
        self.greet(now, out);
    }

    pub(super) fn stop(&mut self, state: State, out: &mut Vec<Effect>) {
        self.cancel_retry(out);
        self.cancel_link_alert(out);
        for kind in std::mem::take(&mut self.raised) {
            out.push(Effect::Recovered { kind, subject: self.pop.to_string() });
        }
        self.view = None;
        self.session = None;
        self.confirmed = false;
        self.rehello = false;
        self.state = state;
    }

    fn on_head(&mut self, head: Seq, now: Now, out: &mut Vec<Effect>) {
        let Some(view) = &mut self.view else { return };
        view.head = view.head.max(head);
        self.mark(now);
        match self.state {
            State::Idle | State::Disconnected if self.behind() => self.read(now, out),
            State::Parked => {
                let since_ms = now.monotonic_ms.saturating_sub(self.last_try_ms);
                if since_ms >= limits::PARKED_WRITE_TRY_S * 1_000 {
                    self.greet(now, out);
                }
            }
            _ => {}
        }
    }

    fn on_timer(&mut self, timer: Timer, now: Now, out: &mut Vec<Effect>) {
        match timer {
            Timer::Retry if self.retry_armed_until.take().is_some() => self.greet(now, out),
            Timer::LinkAlert if std::mem::take(&mut self.link_alert_armed) => {
                let text = format!(
                    "the backup {} has had no open link for {} s. Nothing is lost: changes are kept and \
                     sent as soon as it can be reached. Look whether it runs and whether it reaches this \
                     node's POP address",
                    self.pop,
                    limits::LINK_ALERT_S
                );
                self.raise(AlertKind::BackupDisconnected, text, out);
            }
            Timer::Retry | Timer::LinkAlert => {}
        }
    }

    fn on_link(&mut self, link: LinkId, now: Now, out: &mut Vec<Effect>) {
        self.link = Some(link);
        self.cancel_link_alert(out);
        self.recover(AlertKind::BackupDisconnected, out);
        self.wake(now, out);
    }

    /// Ends every wait: a greeting at once, or after the request that is under way.
    fn wake(&mut self, now: Now, out: &mut Vec<Effect>) {
        match self.state {
            State::Stopped | State::Removed => {}
            State::Handshake { .. } | State::Sending { .. } => {
                if R::REHELLO {
                    self.confirmed = false;
                    self.rehello = true;
                }
            }
            _ => {
                self.confirmed = false;
                self.greet(now, out);
            }
        }
    }

    fn on_link_lost(&mut self, link: LinkId, now: Now, out: &mut Vec<Effect>) {
        if self.link != Some(link) {
            return;
        }
        self.link = None;
        if self.view.is_none() {
            return;
        }
        self.arm_link_alert(out);
        if self.state == State::Idle {
            self.rest(now, out);
        }
    }

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
    fn read(&mut self, now: Now, out: &mut Vec<Effect>) {
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

    fn on_batch(&mut self, id: RequestId, batch: Batch, now: Now, out: &mut Vec<Effect>) {
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

    fn rest(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.link.is_some() {
            self.state = State::Idle;
            return;
        }
        self.state = State::Disconnected;
        if R::DISCONNECTED_HELLO {
            self.arm_retry(delay::DISCONNECTED_HELLO, now, out);
        }
    }

    /// Something went through: the retry schedule starts afresh.
    pub(super) fn succeeded(&mut self, out: &mut Vec<Effect>) {
        self.failures = 0;
        self.regreeted = false;
        self.busy_since_ms = None;
        self.cause = None;
        self.recover(AlertKind::ReplicationStalled, out);
    }

    /// A refusal that a fresh greeting may mend; without progress since the last one it is a failure.
    pub(super) fn regreet(&mut self, cause: &str, now: Now, out: &mut Vec<Effect>) {
        if std::mem::replace(&mut self.regreeted, true) {
            self.failed(cause, now, out);
        } else {
            self.greet(now, out);
        }
    }

    /// A try failed: the next one has a time, or the operator is told and only slow probes go on.
    pub(super) fn failed(&mut self, cause: &str, now: Now, out: &mut Vec<Effect>) {
        self.cause = Some(cause.to_owned());
        if self.confirmed && !self.behind() && !self.rehello {
            self.rest(now, out);
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let next = delay::retry(self.failures);
        if next.is_none() {
            self.raise_stalled(out);
        }
        if self.rehello {
            self.greet(now, out);
        } else if let Some(wait) = next {
            self.state = State::Waiting { retry: self.failures };
            self.arm_retry(wait, now, out);
        } else {
            self.state = State::Parked;
            self.arm_retry(delay::PARKED_PROBE, now, out);
        }
    }

    /// The backup asked to be left alone for a while: no failure, but not for ever either.
    pub(super) fn busy(&mut self, after_ms: u64, now: Now, out: &mut Vec<Effect>) {
        let since_ms = *self.busy_since_ms.get_or_insert(now.monotonic_ms);
        self.cause = Some("the backup is busy".to_owned());
        if now.monotonic_ms.saturating_sub(since_ms) >= limits::LINK_ALERT_S * 1_000 {
            self.raise_stalled(out);
        }
        self.state = State::Waiting { retry: 0 };
        self.arm_retry(delay::busy(after_ms), now, out);
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

    pub(super) fn raise(&mut self, kind: AlertKind, text: String, out: &mut Vec<Effect>) {
        if !self.raised.contains(&kind) {
            self.raised.push(kind);
            out.push(Effect::Alert(Alert { kind, subject: self.pop.to_string(), text }));
        }
    }

    pub(super) fn recover(&mut self, kind: AlertKind, out: &mut Vec<Effect>) {
        if let Some(index) = self.raised.iter().position(|raised| *raised == kind) {
            self.raised.swap_remove(index);
            out.push(Effect::Recovered { kind, subject: self.pop.to_string() });
        }
    }

    fn raise_stalled(&mut self, out: &mut Vec<Effect>) {
        let text = format!(
            "changes up to {} do not reach the backup {}, which confirmed {}: {}. They are kept and tried \
             again slowly, when the backup comes back, and on `clavitor replication wake`",
            self.head(),
            self.pop,
            self.acked.seq,
            self.cause.as_deref().unwrap_or("no answer")
        );
        self.raise(AlertKind::ReplicationStalled, text, out);
    }

    fn awaits(&self, id: RequestId) -> bool {
        match self.state {
            State::Handshake { id: under_way } | State::Sending { id: under_way, .. } => under_way == id,
            _ => false,
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

    fn mark(&mut self, now: Now) {
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

    fn arm_retry(&mut self, delay: Delay, now: Now, out: &mut Vec<Effect>) {
        self.retry_armed_until = Some(now.monotonic_ms.saturating_add(delay.max_ms));
        out.push(Effect::ArmTimer { timer: Timer::Retry, delay });
    }

    pub(super) fn cancel_retry(&mut self, out: &mut Vec<Effect>) {
        if self.retry_armed_until.take().is_some() {
            out.push(Effect::CancelTimer(Timer::Retry));
        }
    }

    fn arm_link_alert(&mut self, out: &mut Vec<Effect>) {
        if !self.link_alert_armed && !self.raised.contains(&AlertKind::BackupDisconnected) {
            self.link_alert_armed = true;
            out.push(Effect::ArmTimer { timer: Timer::LinkAlert, delay: delay::LINK_ALERT });
        }
    }

    fn cancel_link_alert(&mut self, out: &mut Vec<Effect>) {
        if std::mem::take(&mut self.link_alert_armed) {
            out.push(Effect::CancelTimer(Timer::LinkAlert));
        }
    }
}
