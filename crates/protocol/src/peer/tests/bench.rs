//! A machine on a bench: its timers, its last request, what it told the operator, and a log to answer from.

use clavitor_core::alerts::AlertKind;
use clavitor_core::ids::CellId;
use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq};
use clavitor_core::replica::{Batch, LogEntry, PeerCursor};

use crate::decide::Evidence;
use crate::delay::Delay;
use crate::message::{Ack, Apply, FORMATS, Hello, PositionReply, Refusal, Reply, Request, Session};
use crate::peer::{Effect, Event, LinkId, Now, Peer, RequestId, State, Timer, View};
use crate::receiver::BATCH_LIMITS;
use crate::rules::Strict;

pub(super) const EPOCH: Epoch = Epoch { number: 3, nonce: 33 };

/// The chain value that the bench's log has at a seq.
pub(super) fn chain(seq: u64) -> Chain {
    if seq == 0 { Chain::ZERO } else { Chain([u8::try_from(seq % 251 + 1).unwrap(); 32]) }
}

/// The digest at a seq.
pub(super) fn digest(seq: u64) -> Digest {
    if seq == 0 { Digest::ZERO } else { Digest([u8::try_from(seq % 241 + 2).unwrap(); 32]) }
}

pub(super) fn position(seq: u64) -> Position {
    Position { history: EPOCH, seq: Seq(seq), chain: chain(seq) }
}

pub(super) fn view(head: u64) -> View {
    let cell = CellId::from_bytes([1; 16]);
    View { cell, epoch: EPOCH, head: Seq(head), floor: Seq::ZERO, lineage: Vec::new() }
}

pub(super) struct Bench {
    pub(super) peer: Peer<Strict>,
    pub(super) now: Now,
    pub(super) timers: [Option<Delay>; 2],
    /// The last read or request, until it is answered.
    pub(super) read: Option<RequestId>,
    pub(super) sent: Option<(RequestId, Request)>,
    pub(super) alerts: Vec<AlertKind>,
    pub(super) recovered: Vec<AlertKind>,
    pub(super) persisted: Vec<PeerCursor>,
    pub(super) others: Vec<Effect>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            peer: Peer::new("zurich-01".parse().unwrap(), Position::default(), BATCH_LIMITS),
            now: Now { monotonic_ms: 1_000_000, wall_ms: 5 },
            timers: [None; 2],
            read: None,
            sent: None,
            alerts: Vec::new(),
            recovered: Vec::new(),
            persisted: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Started, linked, confirmed and at rest at a head.
    pub(super) fn idle_at(head: u64) -> Self {
        let mut bench = Self::new();
        bench.step(Event::PeerHello { link: LinkId(1) });
        bench.step(Event::Started(view(head)));
        bench.tell(head);
        assert_eq!(*bench.peer.state(), State::Idle);
        bench
    }

    /// Started without a link, confirmed: nothing owed.
    pub(super) fn disconnected_at(head: u64) -> Self {
        let mut bench = Self::new();
        bench.step(Event::Started(view(head)));
        bench.tell(head);
        assert_eq!(*bench.peer.state(), State::Disconnected);
        bench
    }

    pub(super) fn step(&mut self, event: Event) {
        for effect in self.peer.step(event, self.now) {
            match effect {
                Effect::ReadLog { id, .. } => self.read = Some(id),
                Effect::Send { id, request } => self.sent = Some((id, request)),
                Effect::ArmTimer { timer, delay } => self.timers[timer as usize] = Some(delay),
                Effect::CancelTimer(timer) => self.timers[timer as usize] = None,
                Effect::Persist(cursor) => self.persisted.push(cursor),
                Effect::Alert(alert) => self.alerts.push(alert.kind),
                Effect::Recovered { kind, .. } => self.recovered.push(kind),
                other => self.others.push(other),
            }
        }
        let armed = self.timers.iter().flatten().count();
        assert_eq!(self.peer.timers_armed() as usize, armed, "the machine knows its timers");
    }

    /// Time passes until the retry timer runs out.
    pub(super) fn wait(&mut self) -> Delay {
        self.fire(Timer::Retry)
    }

    /// Time passes until this timer runs out.
    pub(super) fn fire(&mut self, timer: Timer) -> Delay {
        let delay = self.timers[timer as usize].take().expect("the timer is armed");
        self.pass(delay.max_ms);
        self.step(Event::TimerFired(timer));
        delay
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.wall_ms += ms;
    }

    pub(super) fn head(&mut self, head: u64) {
        self.step(Event::Head(Seq(head)));
    }

    pub(super) fn hello(&self) -> Option<&Hello> {
        match &self.sent {
            Some((_, Request::Hello(hello))) => Some(hello),
            _ => None,
        }
    }

    pub(super) fn apply(&self) -> Option<&Apply> {
        match &self.sent {
            Some((_, Request::Apply(apply))) => Some(apply),
            _ => None,
        }
    }

    /// Answers the request under way.
    pub(super) fn answer(&mut self, reply: Reply) {
        let (id, _) = self.sent.take().expect("a request is under way");
        let seqs = match &reply {
            Reply::Position(theirs) => theirs.seqs_to_compare(),
            _ => Vec::new(),
        };
        let mine = seqs.into_iter().map(|seq| (seq, Some((chain(seq.0), digest(seq.0))))).collect();
        self.step(Event::Reply { id, reply, evidence: Evidence { mine, ..Evidence::default() } });
    }

    /// The backup tells that it stands at `seq` in our line.
    pub(super) fn tell(&mut self, seq: u64) {
        assert!(self.hello().is_some(), "a greeting is under way: {:?}", self.peer.state());
        self.answer(Reply::Position(told(seq)));
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.answer(Reply::Refused(refusal));
    }

    pub(super) fn fail(&mut self) {
        let (id, _) = self.sent.take().expect("a request is under way");
        self.step(Event::Failed { id, cause: "no answer in time".to_owned() });
    }

    /// The log is read: entries above what is acknowledged, up to `end`.
    pub(super) fn batch_to(&mut self, end: u64) {
        let id = self.read.take().expect("a read is under way");
        let base = self.peer.acked().seq.0;
        let entries =
            (base + 1..=end).map(|seq| LogEntry { seq: Seq(seq), record: vec![1], operation_end: true });
        let batch = Batch {
            base: position(base),
            entries: entries.collect(),
            end: position(end),
            digest: digest(end),
        };
        self.step(Event::BatchRead { id, batch: Ok(batch) });
    }

    /// The backup acknowledges the batch under way, truthfully.
    pub(super) fn ack(&mut self) {
        let apply = self.apply().expect("a batch is under way");
        let end = apply.entries.last().unwrap().seq.0;
        let digest = apply.at_head;
        self.answer(Reply::Ack(Ack { position: position(end), digest, quarantined: 0, mismatch: false }));
    }
}

pub(super) fn told(seq: u64) -> PositionReply {
    PositionReply {
        epoch_seen: EPOCH,
        position: position(seq),
        digest: digest(seq),
        points: Vec::new(),
        quarantined: 0,
        session: Session(seq + 100),
        formats: FORMATS,
    }
}
