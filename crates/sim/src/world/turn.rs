//! The world as one value, and its turn: take the next step, crash at it or carry it out, check everything.

use clavitor_core::order::Seq;
use clavitor_protocol::link::LinkInput;
use clavitor_protocol::peer::{Event, Now, State};
use clavitor_protocol::rules::Rules;

use super::check::Seen;
use super::coverage::{Coverage, Situation};
use super::node::{Connection, Node};
use super::step::{Content, Life, OLD_PRIMARY, PRIMARY, Queue, Step};
use super::trace::Trace;
use super::truth::Truth;
use crate::profile::Profile;
use crate::random::Random;
use crate::run::Violation;

/// More steps than any run needs: one that reaches it never goes quiet.
const STEPS_MAX: u64 = 60_000;
/// How long a run without any live link is watched after it has healed: its slow greetings never end.
const LINKLESS_WATCH_MS: u64 = 1_800_000;
/// How long one last greeting may take beyond that.
const GREETING_MS: u64 = 60_000;

/// Everything that a run consists of.
pub(crate) struct World<R: Rules> {
    pub(super) random: Random,
    pub(super) profile: Profile,
    pub(super) now_ms: u64,
    pub(super) wall_offset_ms: u64,
    pub(super) queue: Queue,
    pub(super) nodes: Vec<Node<R>>,
    pub(super) connections: Vec<Connection>,
    /// Until when nothing passes: towards and from each backup.
    pub(super) black_holes: [[u64; 2]; 2],
    pub(super) healed_at_ms: Option<u64>,
    /// When the operator emptied a diverged backup, which starts the clock of recovery anew.
    pub(super) emptied_at_ms: Option<u64>,
    /// Since when each backup is equal to the primary, after healing.
    pub(super) equal_since_ms: [Option<u64>; 2],
    /// When each backup's link last opened, after healing.
    pub(super) linked_at_ms: [Option<u64>; 2],
    pub(super) primary_restored: bool,
    pub(super) crashes_left: u64,
    pub(super) next_token: u64,
    pub(super) truth: Truth,
    pub(super) seen: Seen,
    pub(super) coverage: Coverage,
    pub(super) trace: Trace,
    pub(super) steps: u64,
}

impl<R: Rules> World<R> {
    /// Runs to the end: nothing left to happen.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        while let Some((at_ms, step)) = self.queue.pop() {
            if self.is_over(at_ms) {
                break;
            }
            self.now_ms = at_ms;
            self.steps += 1;
            self.record(&step);
            if let Some((node, situation)) = self.crash_point(&step) {
                self.coverage.note(situation);
                self.trace.line(|| format!("{at_ms:>8} ms  crash of node {node}: {situation:?}"));
                if situation == Situation::CrashAckNotStored {
                    self.carry_out(step);
                }
                self.crash(node);
            } else {
                self.carry_out(step);
            }
            self.check()?;
            if self.steps >= STEPS_MAX {
                return Err(Violation::new("I11", "it never goes quiet"));
            }
        }
        self.check_end()
    }

    /// Slow greetings without a link never end; a run is cut off between two of them, never inside one.
    fn is_over(&self, at_ms: u64) -> bool {
        let (Some(backup), Some(healed_ms)) = (self.profile.linkless, self.healed_at_ms) else {
            return false;
        };
        let greeting = self.nodes[PRIMARY].slots[backup]
            .as_ref()
            .is_some_and(|slot| matches!(slot.peer.state(), State::Handshake { .. } | State::Sending { .. }));
        let watched_ms = healed_ms + LINKLESS_WATCH_MS;
        at_ms > watched_ms && (!greeting || at_ms > watched_ms + GREETING_MS)
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Write { node } => self.write(node),
            Step::Commit { life } => self.commit(life),
            Step::Signal { life } => self.signal(life),
            Step::Answer { life, position } => {
                if self.lives(life) && life.node == PRIMARY {
                    self.truth.answered(position);
                }
            }
            Step::Start { life } => self.start(life),
            Step::Read { target, id, after, limits } => self.read(target, id, after, limits),
            Step::Transmit { life, packet } => self.transmit(life, &packet),
            Step::Deliver { packet } => self.deliver(packet),
            Step::TellPosition { life, packet, seqs } => self.tell_position(life, &packet, &seqs),
            Step::Apply { life, packet, submission } => self.apply(life, &packet, &submission),
            Step::Unanswered { target, id, refused } => {
                let cause = if refused { "connection refused" } else { "no answer in time" };
                self.drive(target, Event::Failed { id, cause: cause.to_owned() });
            }
            Step::PeerTimer { target, timer, token } => self.peer_timer(target, timer, token),
            Step::LinkArrives { life, attempt } => self.link_arrives(life, attempt),
            Step::LinkOpens { life, attempt } => self.drive_link(life, LinkInput::Opened(attempt)),
            Step::LinkLost { life, attempt } => self.link_lost(life, attempt),
            Step::LinkGone { life, backup, link } => self.link_gone(life, backup, link),
            Step::LinkTimer { life, timer, token } => self.link_timer(life, timer, token),
            Step::Crash { node } => self.crash(node),
            Step::Restart { life } => self.restart(life),
            Step::BlackHole { backup, towards, back, until_ms } => {
                self.black_hole(backup, towards, back, until_ms);
            }
            Step::BreakLink { backup } => self.break_link(backup),
            Step::JumpClock => self.jump_clock(),
            Step::Remove { backup } => self.remove(backup),
            Step::Rejoin { backup } => self.rejoin(backup),
            Step::Wake { node } => self.wake(node),
            Step::Heal => self.heal(),
            Step::EmptyDiverged => self.empty_diverged(),
        }
    }

    /// Whether this step is where a node crashes instead, which one, and what the situation is called.
    fn crash_point(&mut self, step: &Step) -> Option<(usize, Situation)> {
        if self.crashes_left == 0 {
            return None;
        }
        let (life, situation) = match step {
            Step::Commit { life } => (*life, Situation::CrashBeforeCommit),
            Step::Signal { life } => (*life, Situation::CrashBeforeSignal),
            Step::Answer { life, .. } => (*life, Situation::CrashBeforeAnswer),
            Step::Start { life } => (*life, Situation::CrashBeforeStart),
            Step::Read { target, .. } => (target.life, Situation::CrashBeforeRead),
            Step::Transmit { life, packet } if packet.content == Content::Reply => {
                (*life, Situation::CrashAckLost)
            }
            Step::Transmit { life, .. } => (*life, Situation::CrashBeforeSend),
            Step::Deliver { packet } if packet.content == Content::Reply => {
                (packet.target.life, Situation::CrashAckNotStored)
            }
            Step::Deliver { packet } => {
                let backup = packet.target.backup;
                (self.nodes[backup + 1].life, Situation::CrashBeforeBegin)
            }
            Step::Apply { life, .. } => (*life, Situation::CrashMidTransaction),
            _ => return None,
        };
        let possible = life.node != OLD_PRIMARY && self.lives(life);
        (possible && self.random.chance(self.profile.crash_chance)).then_some((life.node, situation))
    }

    fn record(&mut self, step: &Step) {
        let (now_ms, head) = (self.now_ms, self.nodes[PRIMARY].store.head());
        let backups = [1, 2].map(|node| self.nodes[node].store.head().0);
        let kind = step_kind(step);
        for value in [now_ms, kind, head.0, backups[0], backups[1], self.random.clone().next()] {
            self.trace.fold(value);
        }
        if self.trace.wants_text() {
            let states = self.nodes[PRIMARY].slots.each_ref().map(|slot| match slot {
                Some(slot) => describe_state(slot.peer.state(), slot.peer.acked().seq),
                None => "no member".to_owned(),
            });
            let [one, two] = states;
            let step = step.describe();
            let line = format!("{now_ms:>8} ms  {head:>3} {backups:?}  [{one}, {two}]  {step}");
            self.trace.line(|| line);
        }
    }

    /// Whether this life goes on.
    pub(super) fn lives(&self, life: Life) -> bool {
        let node = &self.nodes[life.node];
        node.up && node.life == life
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: self.now_ms.wrapping_add(self.wall_offset_ms) }
    }

    pub(super) fn after(&mut self, low_ms: u64, high_ms: u64, step: Step) {
        let at_ms = self.now_ms + self.random.between(low_ms, high_ms);
        self.queue.push(at_ms, step);
    }

    pub(super) fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    pub(super) fn primary_head(&self) -> Seq {
        self.nodes[PRIMARY].store.head()
    }
}

fn describe_state(state: &State, acked: Seq) -> String {
    match state {
        State::Handshake { id } => format!("handshake {} @{acked}", id.0),
        State::Sending { id, sent: None } => format!("reading {} @{acked}", id.0),
        State::Sending { id, sent: Some(sent) } => format!("sending {} to {} @{acked}", id.0, sent.end.seq),
        other => format!("{other:?} @{acked}"),
    }
}

fn step_kind(step: &Step) -> u64 {
    match step {
        Step::Write { node } => 100 + *node as u64,
        Step::Commit { .. } => 1,
        Step::Signal { .. } => 2,
        Step::Answer { .. } => 3,
        Step::Start { .. } => 4,
        Step::Read { target, .. } => 200 + target.backup as u64,
        Step::Transmit { packet, .. } => 300 + packet.id.0 * 4 + packet.target.backup as u64,
        Step::Deliver { packet } => 301 + packet.id.0 * 4 + packet.target.backup as u64,
        Step::TellPosition { .. } => 5,
        Step::Apply { .. } => 6,
        Step::Unanswered { .. } => 7,
        Step::PeerTimer { token, .. } => 400 + token,
        Step::LinkArrives { .. } => 8,
        Step::LinkOpens { .. } => 9,
        Step::LinkLost { .. } => 10,
        Step::LinkGone { .. } => 11,
        Step::LinkTimer { token, .. } => 401 + token,
        Step::Crash { node } => 500 + *node as u64,
        Step::Restart { .. } => 12,
        Step::BlackHole { .. } => 13,
        Step::BreakLink { .. } => 14,
        Step::JumpClock => 15,
        Step::Remove { .. } => 16,
        Step::Rejoin { .. } => 17,
        Step::Wake { .. } => 18,
        Step::Heal => 19,
        Step::EmptyDiverged => 20,
    }
}

impl<R: Rules> World<R> {
    pub(crate) fn into_outcome(self, seed: u64, violation: Option<Violation>) -> crate::run::Outcome {
        let (trace_hash, trace) = self.trace.finish();
        crate::run::Outcome { seed, trace_hash, steps: self.steps, violation, coverage: self.coverage, trace }
    }
}
