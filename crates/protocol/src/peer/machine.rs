//! The machine's step: which event leads where. Rounds of batches are in `rounds`, answers in `answer`,
//! waits in `waits`.

use clavitor_core::alerts::AlertKind;
use clavitor_core::limits;
use clavitor_core::order::Seq;

use super::event::{Effect, Event, LinkId, Now, RequestId, Timer, View};
use super::state::{Peer, State};
use crate::rules::Rules;

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

    /// Whether this read or request is the one under way.
    fn awaits(&self, id: RequestId) -> bool {
        match self.state {
            State::Handshake { id: under_way } | State::Sending { id: under_way, .. } => under_way == id,
            _ => false,
        }
    }
}
