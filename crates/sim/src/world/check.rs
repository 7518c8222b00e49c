//! The invariants: checked after every step, and once more when nothing is left to happen.

use clavitor_core::alerts::AlertKind;
use clavitor_core::order::{Digest, Epoch, Position, Seq};
use clavitor_protocol::peer::State;
use clavitor_protocol::rules::Rules;

use super::step::{BACKUPS, PRIMARY};
use super::turn::World;
use crate::run::Violation;

/// How long after its link has opened a backup may take until it is equal: a request under way must first
/// time out.
const LINKED_RECOVERY_MS: u64 = 40_000;
/// The same after healing, where no link opened: the longest retry, a request, slack.
const LINKLESS_RECOVERY_MS: u64 = 760_000;

/// What has been seen so far, so that only what changed is checked again.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    states: [Option<(Position, Digest)>; 3],
    epochs: [Epoch; 3],
    acked: [Option<Position>; 2],
    /// A batch below the fence was applied.
    pub(crate) below_fence: bool,
    /// A node halted or stepped down without proof.
    pub(crate) unproved: bool,
    /// A removed member left a timer behind.
    pub(crate) timers_after_removal: bool,
}

type Checked = Result<(), Violation>;

fn broken(invariant: &'static str, what: impl Into<String>) -> Checked {
    Err(Violation::new(invariant, what))
}

impl<R: Rules> World<R> {
    /// Every invariant that must hold at every moment.
    pub(super) fn check(&mut self) -> Checked {
        for number in 0..3 {
            self.check_state(number)?;
        }
        if self.seen.below_fence {
            return broken("I5", "a batch from an epoch below the fence was applied");
        }
        if self.seen.unproved {
            return broken("fence", "a node halted or stepped down without proof");
        }
        if self.seen.timers_after_removal {
            return broken("I11", "a removed member left a timer behind");
        }
        for backup in 0..2 {
            self.check_cursor(backup)?;
            self.check_machine(backup)?;
        }
        self.note_equality();
        Ok(())
    }

    /// I2, I3, I4: a whole operation of a rightful primary ends where a node stands, and the state is the
    /// one there.
    fn check_state(&mut self, number: usize) -> Checked {
        let store = &self.nodes[number].store;
        if store.epoch_seen < self.seen.epochs[number] {
            return broken("I4", format!("node {number} forgot epoch {}", self.seen.epochs[number]));
        }
        self.seen.epochs[number] = store.epoch_seen;
        let state = (store.position(), store.digest());
        if self.seen.states[number] == Some(state) {
            return Ok(());
        }
        self.seen.states[number] = Some(state);
        let (position, digest) = state;
        if position.seq == Seq::ZERO {
            return if digest == Digest::ZERO { Ok(()) } else { broken("I3", "an empty log with records") };
        }
        match self.truth.fact(&position.chain) {
            None => {
                broken("I2", format!("node {number} stands at {}, where no primary ever stood", position.seq))
            }
            Some(fact) if fact.seq != position.seq => {
                broken("I2", format!("node {number} counts differently"))
            }
            Some(fact) if !fact.whole => {
                broken("I2", format!("node {number} stands at {}, inside an operation", position.seq))
            }
            Some(fact) if fact.digest != digest => broken(
                "I3",
                format!("node {number} has another state at {} than was committed", position.seq),
            ),
            Some(_) => Ok(()),
        }
    }

    /// I6: a cursor, in memory or stored, never exceeds what the backup durably had.
    fn check_cursor(&mut self, backup: usize) -> Checked {
        let node = &self.nodes[PRIMARY];
        let stored = node.store.cursors[backup];
        let acked = node.slots[backup].as_ref().map_or(stored, |slot| slot.peer.acked());
        if self.seen.acked[backup] == Some(acked) {
            return Ok(());
        }
        self.seen.acked[backup] = Some(acked);
        for cursor in [acked, stored] {
            if !self.truth.ever_had(backup, cursor) {
                return broken("I6", format!("backup {backup} never had {} on its disk", cursor.seq));
            }
        }
        Ok(())
    }

    /// I10, I11, and that a confirmed backup stands in the primary's line.
    fn check_machine(&self, backup: usize) -> Checked {
        let node = &self.nodes[PRIMARY];
        let Some(slot) = &node.slots[backup] else { return Ok(()) };
        let (peer, armed) = (&slot.peer, slot.timers.map(|timer| timer.is_some()));
        let counted = usize::try_from(peer.timers_armed()).unwrap_or(usize::MAX);
        if counted != armed.iter().filter(|armed| **armed).count() {
            return broken(
                "I11",
                format!("backup {backup}: the machine counts {counted} timers, armed {armed:?}"),
            );
        }
        let waits = matches!(peer.state(), State::Waiting { .. } | State::Parked | State::Disconnected);
        if armed[0] && !waits || armed[1] && peer.link_open() {
            return broken("I11", format!("backup {backup}: timers {armed:?} in {:?}", peer.state()));
        }
        if *peer.state() == State::Idle && (peer.owed() || !peer.link_open() || armed != [false; 2]) {
            return broken("I11", format!("backup {backup} is idle, yet owed, unlinked or timed"));
        }
        let kind = match peer.state() {
            State::Parked => Some(AlertKind::ReplicationStalled),
            State::Diverged => Some(AlertKind::Diverged),
            State::Fenced => Some(AlertKind::Fenced),
            State::Format => Some(AlertKind::FormatUnknown),
            _ => None,
        };
        let subject = peer.pop().to_string();
        if kind.is_some_and(|kind| !node.alerts.contains(&(kind, subject))) {
            return broken("I10", format!("backup {backup} is stuck in {:?} without an alert", peer.state()));
        }
        if matches!(peer.state(), State::Diverged | State::Fenced | State::Format) && !self.primary_restored {
            return broken("I10", format!("backup {backup} was given up for no reason: {:?}", peer.cause()));
        }
        let theirs = self.nodes[backup + 1].store.position();
        if peer.confirmed() && node.store.chain_at(theirs.seq) != Some(theirs.chain) {
            return broken("I3", format!("backup {backup} left the line of the primary that confirmed it"));
        }
        Ok(())
    }

    fn is_equal(&self, backup: usize) -> bool {
        let (mine, theirs) = (&self.nodes[PRIMARY].store, &self.nodes[backup + 1].store);
        (mine.head(), mine.position().chain, mine.digest())
            == (theirs.head(), theirs.position().chain, theirs.digest())
    }

    fn note_equality(&mut self) {
        for backup in 0..2 {
            let up = self.nodes[PRIMARY].up && self.nodes[backup + 1].up;
            if self.healed_at_ms.is_none() || !up || !self.is_equal(backup) {
                self.equal_since_ms[backup] = None;
            } else {
                self.equal_since_ms[backup].get_or_insert(self.now_ms);
            }
        }
    }

    /// When all is said and done: equal, nothing lost, quiet, and the operator told that all is well.
    pub(super) fn check_end(&self) -> Checked {
        for backup in 0..2 {
            self.check_end_of(backup)?;
        }
        let store = &self.nodes[PRIMARY].store;
        if let Some(lost) = self.truth.first_lost(store) {
            return broken("I1", format!("the answered write at {} is lost", lost.seq));
        }
        for number in [PRIMARY, BACKUPS[0], BACKUPS[1]] {
            let node = &self.nodes[number];
            if R::TOMBSTONES && !node.store.recomputes() {
                return broken("I2", format!("node {number} does not recompute"));
            }
            let linked = self.profile.linkless.is_none();
            if linked && let Some(alert) = node.alerts.first() {
                return broken("I10", format!("node {number} still alerts: {alert:?}"));
            }
        }
        self.check_speed()
    }

    fn check_end_of(&self, backup: usize) -> Checked {
        let Some(slot) = &self.nodes[PRIMARY].slots[backup] else {
            return broken("end", format!("backup {backup} is no member"));
        };
        let peer = &slot.peer;
        let linkless = self.profile.linkless == Some(backup);
        if !self.is_equal(backup) {
            let (mine, theirs) = (self.primary_head(), self.nodes[backup + 1].store.head());
            return broken(
                "end",
                format!(
                    "backup {backup} at {theirs} is not equal to the primary at {mine}: {:?}",
                    peer.state()
                ),
            );
        }
        let rests = if linkless { State::Disconnected } else { State::Idle };
        if *peer.state() != rests || peer.owed() || peer.failures() > 0 || peer.cause().is_some() {
            return broken("end", format!("backup {backup} is equal and not at rest: {:?}", peer.state()));
        }
        let link = &self.nodes[backup + 1].link;
        if !linkless && (peer.timers_armed() > 0 || link.timers_armed() > 0 || !link.is_open()) {
            return broken("I11", format!("backup {backup} is equal and linked, yet has timers"));
        }
        if peer.digest_equal() != Some(true) {
            return broken("end", format!("backup {backup}: digests compared {:?}", peer.digest_equal()));
        }
        Ok(())
    }

    fn check_speed(&self) -> Checked {
        let healed_ms = self.emptied_at_ms.max(self.healed_at_ms).unwrap_or(0);
        for backup in 0..2 {
            let linked_ms = self.linked_at_ms[backup].map(|at_ms| at_ms.max(healed_ms) + LINKED_RECOVERY_MS);
            let bound_ms = linked_ms.unwrap_or(healed_ms + LINKLESS_RECOVERY_MS);
            match self.equal_since_ms[backup] {
                Some(at_ms) if at_ms <= bound_ms => {}
                other => {
                    let what = format!("backup {backup}: bound {bound_ms} ms, equal only at {other:?}");
                    return broken("speed", what);
                }
            }
        }
        Ok(())
    }
}
