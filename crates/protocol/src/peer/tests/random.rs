//! Random events in any order: the machine never panics, and what must always hold does.

use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq};
use clavitor_core::replica::{Batch, LogEntry, ReadError};
use proptest::prelude::*;

use super::bench::{EPOCH, chain, digest, position, told, view};
use crate::decide::Evidence;
use crate::message::{Ack, FormatRange, Refusal, Reply};
use crate::peer::{Effect, Event, LinkId, Now, Peer, RequestId, State, Timer};
use crate::receiver::BATCH_LIMITS;
use crate::rules::Strict;

/// An event before the ids of the run are known: true means the id under way.
#[derive(Debug, Clone)]
enum Draft {
    Plain(Event),
    Batch(bool, u64),
    BadBatch(bool),
    Answer(bool, Reply, bool),
    Failed(bool),
}

fn refusals() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        Just(Refusal::Session),
        Just(Refusal::ForeignCell),
        Just(Refusal::Malformed),
        Just(Refusal::Unwritable),
        (0..12u64).prop_map(|at| Refusal::Fork { at: Seq(at) }),
        (0..12u64).prop_map(|at| Refusal::Gap { have: position(at) }),
        (0..12u64).prop_map(|at| Refusal::Damaged { at: Seq(at) }),
        any::<u64>().prop_map(|after_ms| Refusal::Busy { after_ms }),
        any::<u64>().prop_map(|max| Refusal::TooLarge { max }),
        (0..6u64).prop_map(|number| Refusal::Fenced { epoch_seen: Epoch { number, nonce: 33 } }),
        (0..6u64).prop_map(|number| Refusal::NotPrimary { epoch_seen: Epoch { number, nonce: 33 } }),
        Just(Refusal::Format { supported: FormatRange { oldest: 2, newest: 3 } }),
    ]
}

fn replies() -> impl Strategy<Value = Reply> {
    let positions = (0..12u64, 2..5u64, 0..3u64, any::<bool>()).prop_map(|(seq, epoch, quarantined, bad)| {
        let mut theirs = told(seq);
        theirs.epoch_seen = Epoch { number: epoch, ..EPOCH };
        theirs.quarantined = quarantined;
        if bad {
            theirs.position.chain = Chain([250; 32]);
        }
        Reply::Position(theirs)
    });
    let acks =
        (0..12u64, 0..3u64, any::<bool>(), any::<bool>()).prop_map(|(seq, quarantined, bad, mismatch)| {
            let at = if bad { Position { chain: Chain([251; 32]), ..position(seq) } } else { position(seq) };
            Reply::Ack(Ack { position: at, digest: bad.then_some(Digest([9; 32])), quarantined, mismatch })
        });
    prop_oneof![3 => positions, 3 => acks, 2 => refusals().prop_map(Reply::Refused)]
}

fn drafts() -> impl Strategy<Value = Draft> {
    let links = 1..4u64;
    prop_oneof![
        4 => (0..12u64).prop_map(|head| Draft::Plain(Event::Head(Seq(head)))),
        3 => any::<bool>().prop_map(|retry| {
            Draft::Plain(Event::TimerFired(if retry { Timer::Retry } else { Timer::LinkAlert }))
        }),
        2 => links.clone().prop_map(|link| Draft::Plain(Event::PeerHello { link: LinkId(link) })),
        2 => links.prop_map(|link| Draft::Plain(Event::PeerGone { link: LinkId(link) })),
        1 => Just(Draft::Plain(Event::OperatorWake)),
        1 => (0..12u64).prop_map(|head| Draft::Plain(Event::RoleChanged(Some(view(head))))),
        1 => prop_oneof![
            Just(Event::Shutdown), Just(Event::RoleChanged(None)), Just(Event::Started(view(3)))
        ].prop_map(Draft::Plain),
        8 => (any::<bool>(), 0..12u64).prop_map(|(current, end)| Draft::Batch(current, end)),
        1 => any::<bool>().prop_map(Draft::BadBatch),
        9 => (any::<bool>(), replies(), any::<bool>())
            .prop_map(|(current, reply, proved)| Draft::Answer(current, reply, proved)),
        3 => any::<bool>().prop_map(Draft::Failed),
    ]
}

fn event(draft: Draft, last: RequestId, acked: Seq) -> Event {
    let pick = |current: bool| if current { last } else { RequestId(last.0 / 2) };
    match draft {
        Draft::Plain(event) => event,
        Draft::Failed(current) => Event::Failed { id: pick(current), cause: "it failed".to_owned() },
        Draft::BadBatch(current) => {
            Event::BatchRead { id: pick(current), batch: Err(ReadError("the disk".to_owned())) }
        }
        Draft::Batch(current, end) => {
            let entries = (acked.0 + 1..=end).map(|seq| LogEntry {
                seq: Seq(seq),
                record: Vec::new(),
                operation_end: true,
            });
            let entries: Vec<_> = entries.collect();
            let end = if entries.is_empty() { acked.0 } else { end };
            let batch = Batch { base: position(acked.0), entries, end: position(end), digest: digest(end) };
            Event::BatchRead { id: pick(current), batch: Ok(batch) }
        }
        Draft::Answer(current, reply, proved) => {
            let mine = (1..12).map(|seq| (Seq(seq), Some((chain(seq), digest(seq))))).collect();
            let promotion = proved.then_some(Epoch { number: 4, ..EPOCH });
            Event::Reply {
                id: pick(current),
                reply,
                evidence: Evidence { mine, promotion, rows_are_mine: false },
            }
        }
    }
}

struct Model {
    armed: [bool; 2],
    last: RequestId,
    alerts: Vec<String>,
    demoted: bool,
}

impl Model {
    fn note(&mut self, effect: Effect) -> Result<(), TestCaseError> {
        match effect {
            Effect::Send { id, .. } | Effect::ReadLog { id, .. } => self.last = id,
            Effect::ArmTimer { timer, delay } => {
                prop_assert!(delay.min_ms <= delay.max_ms);
                self.armed[timer as usize] = true;
            }
            Effect::CancelTimer(timer) => {
                prop_assert!(self.armed[timer as usize], "only what is armed is disarmed");
                self.armed[timer as usize] = false;
            }
            Effect::Alert(alert) => {
                let name = alert.kind.to_string();
                prop_assert!(!self.alerts.contains(&name), "told twice: {name}");
                self.alerts.push(name);
            }
            Effect::Recovered { kind, .. } => {
                let name = kind.to_string();
                prop_assert!(self.alerts.contains(&name), "well again, but never told: {name}");
                self.alerts.retain(|known| *known != name);
            }
            Effect::Demote { .. } => self.demoted = true,
            Effect::Persist(cursor) => prop_assert_eq!(cursor.acked.chain, chain(cursor.acked.seq.0)),
            Effect::Halt { .. } => prop_assert!(false, "halted without proof"),
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn what_must_always_hold_does(steps in prop::collection::vec((drafts(), 0..90_000u64), 1..80)) {
        let mut peer = Peer::<Strict>::new("zurich-01".parse().unwrap(), Position::default(), BATCH_LIMITS);
        let mut now = Now::default();
        let mut model = Model { armed: [false; 2], last: RequestId(0), alerts: Vec::new(), demoted: false };
        let mut started = false;
        for (draft, ms) in steps {
            now.monotonic_ms += ms;
            let event = event(draft, model.last, peer.acked().seq);
            if let Event::TimerFired(timer) = event {
                if !model.armed[timer as usize] {
                    continue;
                }
                model.armed[timer as usize] = false;
            }
            started |= matches!(event, Event::Started(_) | Event::RoleChanged(Some(_)));
            let effects = peer.step(event, now);
            let asks = |e: &&Effect| matches!(e, Effect::Send { .. } | Effect::ReadLog { .. });
            prop_assert!(effects.iter().filter(asks).count() <= 1, "one request at a time");
            for effect in effects {
                model.note(effect)?;
            }
            let armed = model.armed.iter().filter(|armed| **armed).count();
            prop_assert_eq!(peer.timers_armed() as usize, armed);
            let waits = matches!(peer.state(), State::Waiting { .. } | State::Parked | State::Disconnected);
            prop_assert_eq!(model.armed[0], waits, "{:?}", peer.state());
            prop_assert!(!(model.armed[1] && peer.link_open()));
            if *peer.state() == State::Idle {
                prop_assert!(!peer.owed() && peer.link_open() && armed == 0 && peer.failures() == 0);
            }
            if *peer.state() == State::Stopped {
                prop_assert!(armed == 0 && model.alerts.is_empty());
            }
            prop_assert!(started || *peer.state() == State::Stopped);
            if *peer.state() == State::Parked {
                prop_assert!(model.alerts.contains(&"replication-stalled".to_owned()));
            }
        }
    }
}
