//! The live links: the shell around the backups' link machines, and both ends' notice of a loss.

use clavitor_core::order::Position;
use clavitor_protocol::link::{Attempt, LinkEffect, LinkInput, LinkTimer};
use clavitor_protocol::message::{FORMATS, Watch};
use clavitor_protocol::peer::{Event, LinkId, State};
use clavitor_protocol::receiver::open_link;
use clavitor_protocol::rules::Rules;

use super::coverage::Situation;
use super::node::Connection;
use super::step::{Life, PRIMARY, Step, Target};
use super::turn::World;

/// How long a backup waits for the first event of a link.
const OPEN_TIMEOUT_MS: u64 = 10_000;
/// How long an end may take to notice that the other is gone (keep-alive).
const NOTICE_MS: u64 = 30_000;

impl<R: Rules> World<R> {
    pub(super) fn drive_link(&mut self, life: Life, input: LinkInput) {
        if !self.lives(life) {
            return;
        }
        for effect in self.nodes[life.node].link.step(input) {
            match effect {
                LinkEffect::Open { attempt, .. } => self.open(life, attempt),
                LinkEffect::Close => self.close(life.node - 1, true),
                LinkEffect::ArmTimer { timer, delay } => {
                    let token = self.token();
                    let at_ms = self.now_ms + delay.pick(self.random.next());
                    self.nodes[life.node].link_timers[timer as usize] = Some(token);
                    self.queue.push(at_ms, Step::LinkTimer { life, timer, token });
                }
                LinkEffect::CancelTimer(timer) => self.nodes[life.node].link_timers[timer as usize] = None,
                LinkEffect::Alert(alert) => {
                    self.nodes[life.node].alerts.insert((alert.kind, alert.subject));
                }
                LinkEffect::Recovered { kind, subject } => {
                    self.nodes[life.node].alerts.remove(&(kind, subject));
                }
            }
        }
    }

    fn open(&mut self, life: Life, attempt: Attempt) {
        self.close(life.node - 1, true);
        let backup = life.node - 1;
        let blocked = self.is_swallowed(backup, true) || self.profile.linkless == Some(backup);
        if blocked || self.random.chance(self.profile.drops) {
            self.after(OPEN_TIMEOUT_MS, OPEN_TIMEOUT_MS, Step::LinkLost { life, attempt });
        } else {
            self.after(1, 20, Step::LinkArrives { life, attempt });
        }
    }

    /// The primary answers, refuses, or is not there.
    pub(super) fn link_arrives(&mut self, life: Life, attempt: Attempt) {
        let backup = life.node - 1;
        let store = &self.nodes[life.node].store;
        let watch = Watch {
            cell: store.node().cell,
            epoch_seen: store.epoch_seen,
            position: Position { history: store.epoch_seen, ..store.position() },
            formats: FORMATS,
        };
        let primary = &self.nodes[PRIMARY];
        let member = primary.slots[backup].as_ref().map(|slot| slot.membership);
        let opened = primary.up && open_link(&primary.store.node(), &watch).is_ok();
        let (Some(membership), true, true) = (member, opened, self.lives(life)) else {
            self.after(1, 20, Step::LinkLost { life, attempt });
            return;
        };
        let link = LinkId(self.token());
        let primary = self.nodes[PRIMARY].life;
        self.connections.push(Connection { link, backup: life, attempt, primary });
        if self.is_swallowed(backup, false) {
            self.after(OPEN_TIMEOUT_MS, OPEN_TIMEOUT_MS, Step::LinkLost { life, attempt });
        } else {
            self.after(1, 20, Step::LinkOpens { life, attempt });
        }
        let target = Target { life: primary, backup, membership };
        let at_work = self
            .slot(target)
            .is_some_and(|slot| matches!(slot.peer.state(), State::Handshake { .. } | State::Sending { .. }));
        if at_work {
            self.coverage.note(Situation::LinkDuringRequest);
        }
        if self.healed_at_ms.is_some() {
            self.linked_at_ms[backup] = Some(self.now_ms);
        }
        self.drive(target, Event::PeerHello { link });
    }

    /// The backup notices; what is left of the link is closed, and the primary notices in turn.
    pub(super) fn link_lost(&mut self, life: Life, attempt: Attempt) {
        let stale = |connection: &Connection| connection.backup == life && connection.attempt == attempt;
        if self.connections.iter().any(stale) {
            self.close(life.node - 1, false);
        }
        self.drive_link(life, LinkInput::Lost { attempt, cause: "the link is gone".to_owned() });
    }

    pub(super) fn link_gone(&mut self, life: Life, backup: usize, link: LinkId) {
        let Some(slot) = &self.nodes[life.node].slots[backup] else { return };
        let target = Target { life, backup, membership: slot.membership };
        self.drive(target, Event::PeerGone { link });
    }

    pub(super) fn link_timer(&mut self, life: Life, timer: LinkTimer, token: u64) {
        if self.lives(life) && self.nodes[life.node].link_timers[timer as usize] == Some(token) {
            self.nodes[life.node].link_timers[timer as usize] = None;
            self.drive_link(life, LinkInput::TimerFired(timer));
        }
    }

    /// Breaks a link; both ends notice within the keep-alive.
    pub(super) fn break_link(&mut self, backup: usize) {
        self.close(backup, false);
    }

    /// Ends all links of a backup. `at_once`: the backup closed them itself, and hears no more of them.
    fn close(&mut self, backup: usize, at_once: bool) {
        let (ended, kept): (Vec<_>, Vec<_>) =
            self.connections.iter().partition(|connection| connection.backup.node == backup + 1);
        self.connections = kept;
        for Connection { link, backup: life, attempt, primary } in ended {
            self.after(0, NOTICE_MS, Step::LinkGone { life: primary, backup, link });
            if !at_once {
                self.after(0, NOTICE_MS, Step::LinkLost { life, attempt });
            }
        }
    }
}
