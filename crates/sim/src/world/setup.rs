//! A new world: nodes as the seed wants them, and the plan of its faults in the queue.

use clavitor_core::ids::{CellId, PopName};
use clavitor_core::order::{Epoch, Seq};
use clavitor_core::replica::ApplyBatch;
use clavitor_protocol::link::LinkInput;
use clavitor_protocol::rules::Rules;

use super::check::Seen;
use super::coverage::Coverage;
use super::node::{LIMITS, Node};
use super::step::{BACKUPS, OLD_PRIMARY, PRIMARY, Queue, Step};
use super::trace::Trace;
use super::truth::Truth;
use super::turn::World;
use crate::profile::Profile;
use crate::random::Random;
use crate::store::{Change, Store};

const EARLIER: Epoch = Epoch { number: 1, nonce: 0x0123_4567_89ab_cdef };
const PRESENT: Epoch = Epoch { number: 2, nonce: 0x0fed_cba9_8765_4321 };
const WALL_START_MS: u64 = 1_800_000_000_000;

impl<R: Rules> World<R> {
    pub(crate) fn new(seed: u64, with_trace: bool) -> Self {
        let mut random = Random::new(seed);
        let profile = Profile::draw(&mut random);
        let mut world = Self {
            nodes: nodes(&profile, &mut random),
            random,
            now_ms: 0,
            wall_offset_ms: WALL_START_MS,
            queue: Queue::default(),
            connections: Vec::new(),
            black_holes: [[0; 2]; 2],
            healed_at_ms: None,
            emptied_at_ms: None,
            equal_since_ms: [None; 2],
            linked_at_ms: [None; 2],
            primary_restored: false,
            crashes_left: profile.crashes,
            next_token: 0,
            truth: Truth::default(),
            seen: Seen::default(),
            coverage: Coverage::default(),
            trace: Trace::new(with_trace),
            steps: 0,
            profile,
        };
        world.trace.line(|| format!("{:?}", world.profile));
        let before = Seq::ZERO;
        world.truth.committed(&world.nodes[PRIMARY].store, before);
        for backup in BACKUPS {
            world.truth.has(backup - 1, world.nodes[backup].store.position());
        }
        world.begin();
        world.plan();
        world
    }

    fn begin(&mut self) {
        for number in 0..self.nodes.len() {
            let life = self.nodes[number].life;
            if BACKUPS.contains(&number) {
                self.drive_link(life, LinkInput::Started);
            } else {
                for backup in 0..2 {
                    self.add_slot(number, backup);
                }
                self.after(0, 40, Step::Start { life });
            }
        }
    }

    fn plan(&mut self) {
        let profile = self.profile.clone();
        let chaos_ms = profile.chaos_ms;
        for _ in 0..profile.writes {
            self.after(0, chaos_ms, Step::Write { node: PRIMARY });
        }
        for _ in 0..profile.crashes {
            if self.random.chance(400) {
                let node = self.random.index(3);
                self.after(0, chaos_ms, Step::Crash { node });
            }
        }
        if let Some(backup) = profile.linkless {
            self.after(chaos_ms - chaos_ms / 20, chaos_ms, Step::Crash { node: BACKUPS[backup] });
        }
        for _ in 0..profile.black_holes {
            let backup = self.random.index(2);
            let (towards, back) = [(true, true), (true, false), (false, true)][self.random.index(3)];
            let begin_ms = self.random.below(chaos_ms);
            let until_ms = self.random.between(begin_ms, chaos_ms);
            self.queue.push(begin_ms, Step::BlackHole { backup, towards, back, until_ms });
        }
        for _ in 0..profile.link_breaks {
            let backup = self.random.index(2);
            self.after(0, chaos_ms, Step::BreakLink { backup });
        }
        for _ in 0..profile.clock_jumps {
            self.after(0, chaos_ms, Step::JumpClock);
        }
        for _ in 0..profile.removals {
            let backup = self.random.index(2);
            self.after(0, chaos_ms, Step::Remove { backup });
            self.after(0, chaos_ms, Step::Rejoin { backup });
        }
        for _ in 0..profile.wakes {
            self.after(0, chaos_ms, Step::Wake { node: PRIMARY });
        }
        if profile.old_primary {
            for _ in 0..3 {
                self.after(0, chaos_ms, Step::Write { node: OLD_PRIMARY });
                self.after(0, chaos_ms, Step::Wake { node: OLD_PRIMARY });
            }
        }
        self.queue.push(chaos_ms, Step::Heal);
    }
}

/// Two histories are possible: one that ended with what all nodes have, and the present one.
fn nodes<R: Rules>(profile: &Profile, random: &mut Random) -> Vec<Node<R>> {
    let cell = CellId::from_bytes([7; 16]);
    let mut primary = Store::primary(cell, if profile.prefix > 0 { EARLIER } else { PRESENT });
    for key in 0..profile.prefix {
        primary.commit::<R>(&[Change { key, payload: Some(random.next()) }], WALL_START_MS);
    }
    let old = primary.clone();
    let mut backup = Store::backup(cell);
    if profile.prefix > 0 {
        let batch = old.read_log::<R>(Seq::ZERO, LIMITS);
        let batch =
            ApplyBatch { epoch: EARLIER, base: batch.base, entries: batch.entries, lineage: Vec::new() };
        backup.apply::<R>(&batch).expect("an empty store takes the first batch");
        // The promotion was shown to the backups before the present primary wrote anything.
        backup.epoch_seen = PRESENT;
        primary.begin_history(PRESENT);
    }
    let name = |text: &str| text.parse::<PopName>().expect("a POP name");
    let main = name("primary");
    let mut nodes = vec![Node::new(PRIMARY, main.clone(), main.clone(), primary)];
    for number in BACKUPS {
        let pop = name(&format!("backup-{number}"));
        nodes.push(Node::new(number, pop, main.clone(), backup.clone()));
    }
    if profile.old_primary {
        nodes.push(Node::new(OLD_PRIMARY, name("old-primary"), main, old));
    }
    nodes
}
