//! A peer's machine as people see it. Reading changes nothing and wakes nothing.

use clavitor_core::ids::PopName;
use clavitor_core::order::Position;
use clavitor_core::replicator::{BackupState, BackupStatus};

use super::event::Now;
use super::state::{Peer, State};
use crate::rules::Rules;

impl<R: Rules> Peer<R> {
    /// The backup's name.
    pub fn pop(&self) -> &PopName {
        &self.pop
    }

    /// Where the machine is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What the backup has on its disk, as it said last.
    pub fn acked(&self) -> Position {
        self.acked
    }

    /// Whether the backup has confirmed a position since start, promotion and link.
    pub fn confirmed(&self) -> bool {
        self.confirmed
    }

    /// Whether something is owed: changes, or a greeting.
    pub fn owed(&self) -> bool {
        self.view.is_some() && (self.behind() || !self.confirmed)
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How many timers are armed.
    pub fn timers_armed(&self) -> u32 {
        u32::from(self.retry_armed_until.is_some()) + u32::from(self.link_alert_armed)
    }

    /// When it is tried next, from now, at the latest.
    pub fn next_try_in_ms(&self, now: Now) -> Option<u64> {
        self.retry_armed_until.map(|at_ms| at_ms.saturating_sub(now.monotonic_ms))
    }

    /// Whether its live link is open.
    pub fn link_open(&self) -> bool {
        self.link.is_some()
    }

    /// Whether its digest was equal when last compared at the head.
    pub fn digest_equal(&self) -> Option<bool> {
        self.digest_equal
    }

    /// Why it is not streaming, and what to do.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// When it last answered, wall clock.
    pub fn last_ok_at_ms(&self) -> Option<u64> {
        self.last_ok_at_ms
    }

    /// How many batches it has acknowledged.
    pub fn batches_total(&self) -> u64 {
        self.batches_total
    }

    /// How many records it has acknowledged.
    pub fn records_total(&self) -> u64 {
        self.records_total
    }

    /// Age of the oldest unacknowledged change, rather too old than too young; 0 when there is none.
    pub fn lag_ms(&self, now: Now) -> u64 {
        self.marks.front().map_or(0, |(_, at_ms)| now.monotonic_ms.saturating_sub(*at_ms))
    }

    /// The state in the one vocabulary of all surfaces.
    pub fn backup_state(&self) -> BackupState {
        match &self.state {
            State::Idle => BackupState::Streaming,
            State::Handshake { .. } | State::Sending { .. } if self.is_stalled() => BackupState::Parked,
            State::Handshake { .. } | State::Sending { .. } if self.failures > 0 => BackupState::Retrying,
            State::Sending { sent: Some(sent), .. } if sent.at_head => BackupState::Streaming,
            State::Sending { sent: None, .. }
                if self.head().above(self.acked.seq) <= self.limits.records_max as u64 =>
            {
                BackupState::Streaming
            }
            State::Handshake { .. } | State::Sending { .. } => BackupState::CatchingUp,
            State::Waiting { .. } => BackupState::Retrying,
            State::Parked => BackupState::Parked,
            State::Format | State::Removed => BackupState::Rejected,
            State::Fenced => BackupState::Fenced,
            State::Diverged => BackupState::Diverged,
            State::Stopped | State::Disconnected => BackupState::Disconnected,
        }
    }

    fn is_stalled(&self) -> bool {
        self.raised.contains(&clavitor_core::alerts::AlertKind::ReplicationStalled)
    }

    /// All of it, for status answers. `url` is where the shell reaches the backup.
    pub fn status(&self, url: &str, now: Now) -> BackupStatus {
        BackupStatus {
            pop: self.pop.clone(),
            url: url.to_owned(),
            state: self.backup_state(),
            acked_seq: self.acked.seq,
            lag_records: self.head().above(self.acked.seq),
            lag_ms: self.lag_ms(now),
            last_ok_at_ms: self.last_ok_at_ms,
            failures: self.failures,
            next_try_in_ms: self.next_try_in_ms(now),
            link_open: self.link_open(),
            digest_equal: self.digest_equal,
            quarantined: self.quarantined,
            cause: self.cause.clone(),
        }
    }
}
