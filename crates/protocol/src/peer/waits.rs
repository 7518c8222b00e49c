//! Failures, waits, timers, and what the operator is told of them.

use clavitor_core::alerts::{Alert, AlertKind};
use clavitor_core::limits;

use super::event::{Effect, Now, Timer};
use super::state::{Peer, State};
use crate::delay::{self, Delay};
use crate::rules::Rules;

impl<R: Rules> Peer<R> {
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

    pub(super) fn arm_retry(&mut self, delay: Delay, now: Now, out: &mut Vec<Effect>) {
        self.retry_armed_until = Some(now.monotonic_ms.saturating_add(delay.max_ms));
        out.push(Effect::ArmTimer { timer: Timer::Retry, delay });
    }

    pub(super) fn cancel_retry(&mut self, out: &mut Vec<Effect>) {
        if self.retry_armed_until.take().is_some() {
            out.push(Effect::CancelTimer(Timer::Retry));
        }
    }

    pub(super) fn arm_link_alert(&mut self, out: &mut Vec<Effect>) {
        if !self.link_alert_armed && !self.raised.contains(&AlertKind::BackupDisconnected) {
            self.link_alert_armed = true;
            out.push(Effect::ArmTimer { timer: Timer::LinkAlert, delay: delay::LINK_ALERT });
        }
    }

    pub(super) fn cancel_link_alert(&mut self, out: &mut Vec<Effect>) {
        if std::mem::take(&mut self.link_alert_armed) {
            out.push(Effect::CancelTimer(Timer::LinkAlert));
        }
    }
}
