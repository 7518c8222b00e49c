//! A primary: writes, commits, signals, and the shell around its machines, one per backup.

use std::rc::Rc;

use clavitor_core::order::{Position, Seq};
use clavitor_core::replica::BatchLimits;
use clavitor_protocol::decide::Evidence;
use clavitor_protocol::message::{self, Reply, Request};
use clavitor_protocol::peer::{Effect, Event, Peer, RequestId, State, Timer, View};
use clavitor_protocol::rules::Rules;

use super::coverage::Situation;
use super::node::{LIMITS, OPERATION_RECORDS_MAX, Slot};
use super::step::{Content, Life, PRIMARY, Packet, Step, Target};
use super::turn::World;
use crate::store::Change;

/// How long a request may take before the shell gives it up.
const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// How many records exist at most.
const KEYS: u64 = 40;

impl<R: Rules> World<R> {
    pub(super) fn write(&mut self, node: usize) {
        if !self.nodes[node].up {
            return;
        }
        let import = self.random.chance(self.profile.imports);
        let operations = if import { self.random.between(2, 5) } else { 1 };
        for _ in 0..operations {
            let operation = self.operation(node, import);
            self.nodes[node].pending.push(operation);
        }
        if !self.nodes[node].commit_scheduled {
            self.nodes[node].commit_scheduled = true;
            let life = self.nodes[node].life;
            self.after(1, 5, Step::Commit { life });
        }
    }

    fn operation(&mut self, node: usize, import: bool) -> Vec<Change> {
        let records = match self.random.below(4) {
            _ if import => OPERATION_RECORDS_MAX,
            0 => self.random.between(2, OPERATION_RECORDS_MAX),
            _ => 1,
        };
        let mut changes = Vec::new();
        for _ in 0..records {
            let key = self.random.below(KEYS);
            let deletes = !import && self.random.chance(250);
            let random = self.random.next();
            let living = if deletes { self.nodes[node].store.some_living(random) } else { None };
            changes.push(match living {
                Some(key) => Change { key, payload: None },
                None => Change { key: key + random % 3 * KEYS, payload: Some(random) },
            });
        }
        changes
    }

    /// One transaction: what waits, and the cursors noted since the last.
    pub(super) fn commit(&mut self, life: Life) {
        if !self.lives(life) {
            return;
        }
        let wall_ms = self.now().wall_ms;
        let node = &mut self.nodes[life.node];
        node.commit_scheduled = false;
        let before = node.store.head();
        for operation in std::mem::take(&mut node.pending) {
            node.store.commit::<R>(&operation, wall_ms);
        }
        for backup in 0..2 {
            if let Some(acked) = node.noted[backup].take() {
                node.store.cursors[backup] = acked;
            }
        }
        let position = node.store.position();
        if life.node == PRIMARY {
            self.truth.committed(&self.nodes[PRIMARY].store, before);
        }
        if position.seq == before {
            return;
        }
        // A signal can be lost only where the worker is at work, between a commit and its next sleep.
        let at_work = self.nodes[life.node]
            .slots
            .iter()
            .flatten()
            .any(|slot| matches!(slot.peer.state(), State::Handshake { .. } | State::Sending { .. }));
        if at_work && self.random.chance(self.profile.lost_signals) {
            self.coverage.note(Situation::SignalLost);
        } else {
            self.after(0, 2, Step::Signal { life });
        }
        self.after(0, 4, Step::Answer { life, position });
    }

    pub(super) fn signal(&mut self, life: Life) {
        if self.lives(life) {
            for backup in 0..2 {
                self.tell_head(life, backup);
            }
        }
    }

    /// Tells a machine the head, where it does not know it yet.
    fn tell_head(&mut self, life: Life, backup: usize) {
        let now = self.now();
        let node = &mut self.nodes[life.node];
        let head = node.store.head();
        let Some(slot) = &mut node.slots[backup] else { return };
        if slot.told >= head || !node.started {
            return;
        }
        slot.told = head;
        let target = Target { life, backup, membership: slot.membership };
        let effects = slot.peer.step(Event::Head(head), now);
        self.carry_out_all(target, effects);
    }

    /// A machine for a member, not started.
    pub(super) fn add_slot(&mut self, node: usize, backup: usize) {
        let membership = u32::try_from(self.token()).expect("few tokens");
        let acked = self.nodes[node].store.cursors[backup];
        let peer = Peer::new(self.nodes[backup + 1].name.clone(), acked, LIMITS);
        self.nodes[node].slots[backup] = Some(Slot { membership, peer, told: Seq::ZERO, timers: [None; 2] });
    }

    pub(super) fn start(&mut self, life: Life) {
        if !self.lives(life) {
            return;
        }
        self.nodes[life.node].started = true;
        for backup in 0..2 {
            self.start_slot(life, backup);
        }
    }

    pub(super) fn start_slot(&mut self, life: Life, backup: usize) {
        let view = View::from(&self.nodes[life.node].store.node());
        let Some(slot) = &mut self.nodes[life.node].slots[backup] else { return };
        slot.told = view.head;
        let target = Target { life, backup, membership: slot.membership };
        if slot.peer.link_open() {
            self.coverage.note(Situation::LinkBeforeStart);
        }
        self.drive(target, Event::Started(view));
    }

    pub(super) fn slot(&mut self, target: Target) -> Option<&mut Slot<R>> {
        if !self.lives(target.life) {
            return None;
        }
        let slot = self.nodes[target.life.node].slots[target.backup].as_mut()?;
        (slot.membership == target.membership).then_some(slot)
    }

    /// Gives an event to a machine, and the head before it can sleep.
    pub(super) fn drive(&mut self, target: Target, event: Event) {
        let now = self.now();
        let Some(slot) = self.slot(target) else { return };
        let was = slot.peer.state().clone();
        let effects = slot.peer.step(event, now);
        let is = slot.peer.state().clone();
        if was != is {
            self.note_state(&is);
        }
        self.carry_out_all(target, effects);
        if R::LEVEL_TRIGGERED && self.lives(target.life) {
            for backup in 0..2 {
                self.tell_head(target.life, backup);
            }
        }
    }

    fn note_state(&mut self, state: &State) {
        match state {
            State::Parked => self.coverage.note(Situation::Parked),
            State::Diverged => {
                self.coverage.note(Situation::Diverged);
                if self.healed_at_ms.is_some() {
                    self.call_operator();
                }
            }
            State::Fenced => self.coverage.note(Situation::Fenced),
            State::Sending { sent: Some(sent), .. } if !sent.at_head => {
                self.coverage.note(Situation::SeveralBatches);
            }
            _ => {}
        }
    }

    fn carry_out_all(&mut self, target: Target, effects: Vec<Effect>) {
        for effect in effects {
            self.trace.line(|| format!("             -> {}", describe(&effect)));
            self.carry_out_effect(target, effect);
        }
    }

    fn carry_out_effect(&mut self, target: Target, effect: Effect) {
        let Target { life, backup, .. } = target;
        match effect {
            Effect::ReadLog { id, after, limits } => {
                self.after(0, 2, Step::Read { target, id, after, limits });
            }
            Effect::Send { id, request } => self.send(target, id, &request),
            Effect::ArmTimer { timer, delay } => {
                let token = self.token();
                let at_ms = self.now_ms + delay.pick(self.random.next());
                if let Some(slot) = self.slot(target) {
                    slot.timers[timer as usize] = Some(token);
                }
                self.queue.push(at_ms, Step::PeerTimer { target, timer, token });
            }
            Effect::CancelTimer(timer) => {
                if let Some(slot) = self.slot(target) {
                    slot.timers[timer as usize] = None;
                }
            }
            Effect::Persist(cursor) => self.nodes[life.node].noted[backup] = Some(cursor.acked),
            Effect::Alert(alert) => {
                self.nodes[life.node].alerts.insert((alert.kind, alert.subject));
            }
            Effect::Recovered { kind, subject } => {
                self.nodes[life.node].alerts.remove(&(kind, subject));
            }
            Effect::Demote { .. } | Effect::Halt { .. } => {
                self.seen.unproved = true;
            }
        }
    }

    fn send(&mut self, target: Target, id: RequestId, request: &Request) {
        let (content, body) = match request {
            Request::Hello(hello) => (Content::Hello, message::encode(hello)),
            Request::Apply(apply) => (Content::Apply, message::encode(apply.as_ref())),
        };
        let packet = Rc::new(Packet { target, id, content, body: body.into() });
        self.after(0, 2, Step::Transmit { life: target.life, packet });
        let at_ms = self.now_ms + REQUEST_TIMEOUT_MS;
        self.queue.push(at_ms, Step::Unanswered { target, id, refused: false });
    }

    pub(super) fn read(&mut self, target: Target, id: RequestId, after: Seq, limits: BatchLimits) {
        if self.slot(target).is_some() {
            let batch = self.nodes[target.life.node].store.read_log::<R>(after, limits);
            self.drive(target, Event::BatchRead { id, batch: Ok(batch) });
        }
    }

    pub(super) fn peer_timer(&mut self, target: Target, timer: Timer, token: u64) {
        let Some(slot) = self.slot(target) else { return };
        if slot.timers[timer as usize] != Some(token) {
            return;
        }
        slot.timers[timer as usize] = None;
        match (timer, slot.peer.state()) {
            (Timer::LinkAlert, _) => self.coverage.note(Situation::LinkAlerted),
            (Timer::Retry, State::Disconnected) => self.coverage.note(Situation::GreetedWithoutLink),
            _ => {}
        }
        self.drive(target, Event::TimerFired(timer));
    }

    /// An answer arrives at the primary that asked, with what its own log says at the seqs named.
    pub(super) fn answered(&mut self, packet: &Packet) {
        if self.slot(packet.target).is_none() {
            return;
        }
        let Ok(reply) = message::decode::<Reply>(&packet.body) else {
            let cause = "an answer that does not decode".to_owned();
            self.drive(packet.target, Event::Failed { id: packet.id, cause });
            return;
        };
        let mut evidence = Evidence::default();
        if let Reply::Position(theirs) = &reply {
            let store = &self.nodes[packet.target.life.node].store;
            evidence.mine = store.points(&theirs.seqs_to_compare());
        }
        self.drive(packet.target, Event::Reply { id: packet.id, reply, evidence });
    }

    pub(super) fn forget_cursor(&mut self, node: usize, backup: usize) {
        self.nodes[node].noted[backup] = None;
        self.nodes[node].store.cursors[backup] = Position::default();
    }
}

fn describe(effect: &Effect) -> String {
    match effect {
        Effect::Send { id, request: Request::Hello(hello) } => format!("hello {} at {}", id.0, hello.head),
        Effect::Send { id, request: Request::Apply(apply) } => {
            format!("apply {}: {} entries above {}", id.0, apply.entries.len(), apply.base.seq)
        }
        Effect::ReadLog { id, after, .. } => format!("read {} above {after}", id.0),
        Effect::ArmTimer { timer, delay } => format!("arm {timer:?} {} to {} ms", delay.min_ms, delay.max_ms),
        Effect::Persist(cursor) => format!("persist {}", cursor.acked.seq),
        Effect::Alert(alert) => format!("ALERT {}: {}", alert.kind, alert.text),
        other => format!("{other:?}"),
    }
}
