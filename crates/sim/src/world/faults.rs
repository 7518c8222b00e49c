//! What goes wrong, and what an operator does about it.

use clavitor_core::order::Seq;
use clavitor_protocol::link::LinkInput;
use clavitor_protocol::peer::{Event, State};
use clavitor_protocol::rules::Rules;

use super::coverage::Situation;
use super::step::{Life, OLD_PRIMARY, PRIMARY, Step, Target};
use super::turn::World;
use crate::profile::Profile;

/// How long after healing the operator looks for backups that are told to differ.
const OPERATOR_MS: u64 = 90_000;

impl<R: Rules> World<R> {
    /// A process or machine ends; its disk stays, and now and then is put back to an older copy.
    pub(super) fn crash(&mut self, number: usize) {
        if !self.nodes[number].up || (self.crashes_left == 0 && self.healed_at_ms.is_none()) {
            return;
        }
        self.crashes_left = self.crashes_left.saturating_sub(1);
        let primary = self.nodes[PRIMARY].name.clone();
        self.nodes[number].crash(primary);
        let life = self.nodes[number].life;
        let outage_ms = self.profile.outage_ms_max;
        self.after(50, outage_ms.max(50), Step::Restart { life });
        if number == PRIMARY {
            for backup in 0..2 {
                self.break_link(backup);
            }
            if self.random.chance(self.profile.restored_primaries) {
                self.restore_primary();
            }
        } else {
            self.break_link(number - 1);
            if self.random.chance(self.profile.restored_backups) {
                let seq = Seq(self.random.below(self.nodes[number].store.head().0 + 1));
                self.nodes[number].store.restore(seq);
                self.truth.has(number - 1, self.nodes[number].store.position());
                self.coverage.note(Situation::BackupRestored);
            }
        }
    }

    fn restore_primary(&mut self) {
        let (first, head) = (self.profile.prefix, self.primary_head().0);
        let depth = self.random.below(head - first + 1).min(self.random.between(1, 8));
        self.nodes[PRIMARY].store.restore(Seq(head - depth));
        self.truth.forget_lost(&self.nodes[PRIMARY].store);
        self.primary_restored = true;
        self.coverage.note(Situation::PrimaryRestored);
    }

    pub(super) fn restart(&mut self, life: Life) {
        let node = &mut self.nodes[life.node];
        if node.up || node.life != life {
            return;
        }
        node.up = true;
        node.store.started();
        if life.node == PRIMARY {
            for backup in 0..2 {
                self.add_slot(PRIMARY, backup);
            }
            // Links may open before the worker has started.
            self.after(0, 40, Step::Start { life });
        } else {
            self.drive_link(life, LinkInput::Started);
        }
    }

    pub(super) fn black_hole(&mut self, backup: usize, towards: bool, back: bool, until_ms: u64) {
        for (open, until) in [towards, back].into_iter().zip(&mut self.black_holes[backup]) {
            if open && self.healed_at_ms.is_none() {
                *until = (*until).max(until_ms);
            }
        }
        self.break_link(backup);
    }

    pub(super) fn jump_clock(&mut self) {
        let jump_ms = self.random.below(100_000_000_000);
        let back = self.random.chance(500);
        let offset = self.wall_offset_ms;
        self.wall_offset_ms = if back { offset.wrapping_sub(jump_ms) } else { offset.wrapping_add(jump_ms) };
        self.coverage.note(Situation::ClockJumped);
    }

    /// `pop remove`: the machine ends, the cursor is forgotten, the link is closed.
    pub(super) fn remove(&mut self, backup: usize) {
        let Some(target) = self.member(PRIMARY, backup) else { return };
        let at_work = self
            .slot(target)
            .is_some_and(|slot| matches!(slot.peer.state(), State::Handshake { .. } | State::Sending { .. }));
        if at_work {
            self.coverage.note(Situation::RemovedDuringRequest);
        }
        self.drive(target, Event::Removed);
        let armed = self.slot(target).is_some_and(|slot| slot.timers.iter().any(Option::is_some));
        self.seen.timers_after_removal |= armed;
        self.nodes[PRIMARY].slots[backup] = None;
        self.forget_cursor(PRIMARY, backup);
        self.break_link(backup);
    }

    pub(super) fn rejoin(&mut self, backup: usize) {
        let life = self.nodes[PRIMARY].life;
        if self.nodes[PRIMARY].up && self.nodes[PRIMARY].slots[backup].is_none() {
            self.add_slot(PRIMARY, backup);
            if self.nodes[PRIMARY].started {
                self.start_slot(life, backup);
            }
        }
    }

    pub(super) fn wake(&mut self, number: usize) {
        for backup in 0..2 {
            if let Some(target) = self.member(number, backup) {
                self.drive(target, Event::OperatorWake);
            }
        }
    }

    /// No more faults: everything runs, everything passes, and one last write may come.
    pub(super) fn heal(&mut self) {
        self.healed_at_ms = Some(self.now_ms);
        self.crashes_left = 0;
        self.black_holes = [[0; 2]; 2];
        self.profile = Profile {
            drops: 0,
            held_up: 0,
            duplicates: 0,
            delay_ms_max: 20,
            outage_ms_max: 1_000,
            lost_signals: 0,
            restored_backups: 0,
            restored_primaries: 0,
            ..self.profile.clone()
        };
        for number in 0..self.nodes.len() {
            let life = self.nodes[number].life;
            self.restart(life);
        }
        for backup in 0..2 {
            self.rejoin(backup);
        }
        if self.random.chance(300) {
            self.after(1, 1_000, Step::Write { node: PRIMARY });
        }
        self.call_operator();
    }

    /// The operator comes, some time after an alert.
    pub(super) fn call_operator(&mut self) {
        self.after(OPERATOR_MS, OPERATOR_MS, Step::EmptyDiverged);
    }

    /// The way out that the alert names: keep what may be missed, empty the folder, join anew.
    pub(super) fn empty_diverged(&mut self) {
        for backup in 0..2 {
            let diverged = self.nodes[PRIMARY].slots[backup]
                .as_ref()
                .is_some_and(|slot| *slot.peer.state() == State::Diverged);
            if diverged {
                self.nodes[backup + 1].store.restore(Seq::ZERO);
                self.emptied_at_ms = Some(self.now_ms);
                self.crash(backup + 1);
                if self.profile.linkless == Some(backup) {
                    self.after(OPERATOR_MS, OPERATOR_MS, Step::Wake { node: PRIMARY });
                }
            }
        }
        if self.nodes.len() > OLD_PRIMARY {
            self.wake(OLD_PRIMARY);
        }
    }

    pub(super) fn member(&self, number: usize, backup: usize) -> Option<Target> {
        let node = &self.nodes[number];
        let slot = node.slots[backup].as_ref()?;
        node.up.then_some(Target { life: node.life, backup, membership: slot.membership })
    }
}
