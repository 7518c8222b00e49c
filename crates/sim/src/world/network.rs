//! The network: loses, doubles, delays and reorders packets, and swallows them in black holes.

use std::rc::Rc;

use clavitor_protocol::rules::Rules;

use super::coverage::Situation;
use super::step::{Content, Life, Packet, Step};
use super::turn::World;

/// The longest that a packet is held up.
const HELD_UP_MS: u64 = 40_000;

impl<R: Rules> World<R> {
    /// A node that still lives hands over a packet.
    pub(super) fn transmit(&mut self, life: Life, packet: &Rc<Packet>) {
        if !self.lives(life) {
            return;
        }
        let backwards = packet.content == Content::Reply;
        if self.is_swallowed(packet.target.backup, backwards) || self.random.chance(self.profile.drops) {
            return;
        }
        self.pass_on(packet);
        if self.random.chance(self.profile.duplicates) {
            self.coverage.note(Situation::Duplicated);
            self.pass_on(packet);
        }
    }

    fn pass_on(&mut self, packet: &Rc<Packet>) {
        if self.random.chance(self.profile.held_up) {
            self.after(100, HELD_UP_MS, Step::Deliver { packet: Rc::clone(packet) });
            return;
        }
        let high_ms = if self.random.chance(700) { 3 } else { self.profile.delay_ms_max.max(3) };
        self.after(1, high_ms, Step::Deliver { packet: Rc::clone(packet) });
    }

    pub(super) fn deliver(&mut self, packet: Rc<Packet>) {
        if packet.content == Content::Reply {
            self.answered(&packet);
        } else if self.nodes[packet.target.backup + 1].up {
            self.asked(&packet);
        } else if self.random.chance(500) {
            // The host answers for the dead process; otherwise there is no host to answer.
            self.after(1, 3, Step::Unanswered { target: packet.target, id: packet.id, refused: true });
        }
    }

    /// Whether a black hole is open in this direction.
    pub(super) fn is_swallowed(&self, backup: usize, backwards: bool) -> bool {
        self.black_holes[backup][usize::from(backwards)] > self.now_ms
    }
}
