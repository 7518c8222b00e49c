//! Refusals: which are failures, which are answered by a greeting, which stop the stream.

use clavitor_core::alerts::AlertKind;
use clavitor_core::order::{Epoch, Seq};
use clavitor_core::replicator::BackupState;

use super::bench::{Bench, position, told};
use crate::decide::Evidence;
use crate::message::{FormatRange, Refusal, Reply};
use crate::peer::{Effect, Event, LinkId, State, Timer};

fn sending() -> Bench {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(1);
    bench
}

#[test]
fn busy_is_no_failure() {
    let mut bench = sending();
    for _ in 0..20 {
        bench.refuse(Refusal::Busy { after_ms: 200 });
        assert_eq!(*bench.peer.state(), State::Waiting { retry: 0 });
        assert_eq!(bench.peer.failures(), 0);
        bench.wait();
    }
    assert!(bench.alerts.is_empty());
    bench.tell(0);
    bench.batch_to(1);
    bench.ack();
    assert_eq!(bench.peer.cause(), None);
}

#[test]
fn busy_for_minutes_is_told_all_the_same() {
    let mut bench = sending();
    for _ in 0..7 {
        bench.refuse(Refusal::Busy { after_ms: u64::MAX });
        bench.wait();
    }
    assert_eq!(bench.alerts, [AlertKind::ReplicationStalled]);
    bench.tell(0);
    bench.batch_to(1);
    bench.ack();
    assert_eq!(bench.recovered, [AlertKind::ReplicationStalled]);
}

#[test]
fn an_unknown_format_waits_for_the_next_link() {
    let mut bench = sending();
    bench.refuse(Refusal::Format { supported: FormatRange { oldest: 7, newest: 8 } });
    assert_eq!((bench.peer.state(), bench.peer.failures()), (&State::Format, 0));
    assert_eq!(bench.peer.backup_state(), BackupState::Rejected);
    assert_eq!(bench.alerts, [AlertKind::FormatUnknown]);
    bench.head(5);
    assert!(bench.sent.is_none() && bench.timers == [None; 2]);
    bench.step(Event::PeerHello { link: LinkId(2) });
    let mut newer = told(0);
    newer.formats = FormatRange { oldest: 7, newest: 8 };
    bench.answer(Reply::Position(newer));
    assert_eq!(*bench.peer.state(), State::Format);
    bench.step(Event::PeerHello { link: LinkId(3) });
    assert_eq!(bench.alerts.len(), 1);
    bench.tell(0);
    assert_eq!(bench.recovered, [AlertKind::FormatUnknown]);
}

#[test]
fn a_lost_session_or_a_gap_is_greeted_once_and_then_a_failure() {
    for refusal in [Refusal::Session, Refusal::Gap { have: position(0) }] {
        let mut bench = sending();
        bench.refuse(refusal.clone());
        assert!(bench.hello().is_some(), "at once: the backup has restarted");
        assert_eq!(bench.peer.failures(), 0);
        bench.tell(0);
        bench.batch_to(1);
        bench.refuse(refusal);
        assert_eq!(*bench.peer.state(), State::Waiting { retry: 1 }, "no progress in between");
        bench.wait();
        bench.tell(0);
        bench.batch_to(1);
        bench.ack();
        assert_eq!(*bench.peer.state(), State::Idle);
    }
}

#[test]
fn a_fork_after_a_fresh_greeting_is_a_diverged_copy() {
    let mut bench = sending();
    bench.refuse(Refusal::Fork { at: Seq(1) });
    bench.tell(0);
    bench.batch_to(1);
    bench.refuse(Refusal::Fork { at: Seq(1) });
    assert_eq!(*bench.peer.state(), State::Diverged);
    assert_eq!(bench.alerts, [AlertKind::Diverged]);
}

#[test]
fn a_damaged_backup_is_not_written_to() {
    let mut bench = sending();
    bench.refuse(Refusal::Damaged { at: Seq(1) });
    assert_eq!(*bench.peer.state(), State::Diverged);
    assert_eq!(bench.peer.backup_state(), BackupState::Diverged);
    assert!(bench.peer.cause().unwrap().contains("join anew"), "the cause names the way out");
}

#[test]
fn other_refusals_are_failures_with_a_cause() {
    let epoch_seen = Epoch::NONE;
    let refusals = [
        Refusal::NotPrimary { epoch_seen },
        Refusal::Fenced { epoch_seen },
        Refusal::TooLarge { max: 1 },
        Refusal::ForeignCell,
        Refusal::Malformed,
        Refusal::Unwritable,
    ];
    for refusal in refusals {
        let mut bench = sending();
        bench.refuse(refusal.clone());
        assert_eq!(*bench.peer.state(), State::Waiting { retry: 1 }, "{refusal:?}");
        assert!(bench.peer.cause().unwrap().contains(&refusal.to_string()));
    }
}

#[test]
fn an_answer_to_another_question_is_a_failure() {
    let mut bench = sending();
    bench.answer(Reply::Position(told(1)));
    assert_eq!(*bench.peer.state(), State::Waiting { retry: 1 });
    assert_eq!(bench.peer.acked(), position(0));
}

#[test]
fn a_proved_promotion_demotes() {
    let newer = Epoch { number: 4, nonce: 0 };
    for refused in [true, false] {
        let mut bench = Bench::disconnected_at(1);
        bench.wait();
        let (id, _) = bench.sent.take().unwrap();
        let mut theirs = told(1);
        theirs.epoch_seen = newer;
        let reply = if refused {
            Reply::Refused(Refusal::Fenced { epoch_seen: newer })
        } else {
            Reply::Position(theirs)
        };
        let evidence = Evidence { promotion: Some(newer), ..Evidence::default() };
        bench.step(Event::Reply { id, reply, evidence });
        assert_eq!(bench.others, [Effect::Demote { epoch: newer }]);
        assert_eq!(*bench.peer.state(), State::Stopped);
        assert_eq!(bench.timers[Timer::Retry as usize], None);
    }
}
