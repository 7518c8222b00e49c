//! Failures: the schedule, the one alert, the parked state and what ends it.

use clavitor_core::alerts::AlertKind;
use clavitor_core::limits::{PARKED_WRITE_TRY_S, RETRY_SCHEDULE_S};
use clavitor_core::replicator::BackupState;

use super::bench::{Bench, view};
use crate::delay;
use crate::peer::{Event, LinkId, State, Timer};

/// A linked peer with changes, whose retries are used up.
fn parked() -> Bench {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(1);
    bench.fail();
    for _ in RETRY_SCHEDULE_S {
        bench.wait();
        bench.fail();
    }
    assert_eq!(*bench.peer.state(), State::Parked);
    bench
}

#[test]
fn retries_follow_the_schedule_and_the_alert_follows_the_fifth() {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(1);
    bench.fail();
    for (at, seconds) in RETRY_SCHEDULE_S.into_iter().enumerate() {
        assert_eq!(*bench.peer.state(), State::Waiting { retry: u32::try_from(at).unwrap() + 1 });
        assert_eq!(bench.peer.backup_state(), BackupState::Retrying);
        assert_eq!(bench.peer.next_try_in_ms(bench.now), Some(seconds * 1_000));
        assert!(bench.alerts.is_empty(), "no alert before the fifth retry has failed");
        let delay = bench.wait();
        assert_eq!(delay.max_ms, seconds * 1_000);
        assert!(delay.min_ms >= seconds * 900, "the jitter stays small");
        assert!(bench.hello().is_some(), "a retry greets first");
        bench.fail();
    }
    assert_eq!(bench.alerts, [AlertKind::ReplicationStalled]);
    assert_eq!(bench.peer.backup_state(), BackupState::Parked);
    assert_eq!(bench.timers[Timer::Retry as usize], Some(delay::PARKED_PROBE));
}

#[test]
fn a_parked_peer_alerts_once_and_recovers() {
    let mut bench = parked();
    for _ in 0..4 {
        bench.wait();
        bench.fail();
        assert_eq!(*bench.peer.state(), State::Parked);
    }
    assert_eq!(bench.alerts, [AlertKind::ReplicationStalled], "no second alert");
    bench.wait();
    bench.tell(0);
    assert!(bench.recovered.is_empty(), "an answered greeting alone moves no change");
    bench.batch_to(1);
    bench.ack();
    assert_eq!(bench.recovered, [AlertKind::ReplicationStalled]);
    assert_eq!((bench.peer.failures(), bench.peer.cause()), (0, None));
    assert_eq!(bench.timers, [None; 2]);
}

#[test]
fn writes_wake_a_parked_peer_once_a_minute() {
    let mut bench = parked();
    bench.head(2);
    assert!(bench.sent.is_none(), "the last try was just now");
    bench.pass(PARKED_WRITE_TRY_S * 1_000);
    bench.head(3);
    assert!(bench.hello().is_some());
    assert_eq!(bench.timers[Timer::Retry as usize], None);
    bench.fail();
    assert_eq!(*bench.peer.state(), State::Parked);
    bench.head(4);
    assert!(bench.sent.is_none(), "only one try a minute");
    assert_eq!(bench.alerts.len(), 1);
}

#[test]
fn the_link_and_the_operator_end_any_wait() {
    for wake in [Event::PeerHello { link: LinkId(9) }, Event::OperatorWake] {
        let mut bench = parked();
        bench.step(wake.clone());
        assert!(bench.hello().is_some(), "{wake:?}");
        assert_eq!(bench.timers, [None; 2]);

        let mut bench = Bench::idle_at(0);
        bench.head(1);
        bench.batch_to(1);
        bench.fail();
        bench.step(wake);
        assert!(bench.hello().is_some());
        bench.fail();
        assert_eq!(*bench.peer.state(), State::Waiting { retry: 2 }, "the schedule goes on");
    }
}

#[test]
fn a_write_does_not_end_a_wait() {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(1);
    bench.fail();
    bench.pass(600_000);
    bench.head(2);
    assert_eq!(*bench.peer.state(), State::Waiting { retry: 1 });
    assert!(bench.sent.is_none());
}

#[test]
fn the_operator_leaves_a_healthy_peer_alone() {
    let mut bench = Bench::idle_at(3);
    bench.step(Event::OperatorWake);
    assert_eq!(*bench.peer.state(), State::Idle);
    assert!(bench.sent.is_none());
}

#[test]
fn an_answered_greeting_does_not_restart_the_schedule() {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(1);
    bench.fail();
    for retry in 2..=5 {
        bench.wait();
        bench.tell(0);
        bench.batch_to(1);
        bench.fail();
        assert_eq!(*bench.peer.state(), State::Waiting { retry });
    }
    bench.wait();
    bench.tell(0);
    bench.batch_to(1);
    bench.fail();
    assert_eq!(bench.alerts, [AlertKind::ReplicationStalled], "batches that never pass are told");
}

#[test]
fn progress_restarts_the_schedule() {
    let mut bench = Bench::idle_at(0);
    bench.head(2);
    bench.batch_to(1);
    bench.fail();
    bench.wait();
    bench.tell(0);
    bench.batch_to(1);
    bench.ack();
    bench.batch_to(2);
    bench.fail();
    assert_eq!(*bench.peer.state(), State::Waiting { retry: 1 });
}

#[test]
fn an_unreachable_backup_is_owed_a_greeting_from_the_start() {
    let mut bench = Bench::new();
    bench.step(Event::Started(view(0)));
    bench.fail();
    assert_eq!(
        *bench.peer.state(),
        State::Waiting { retry: 1 },
        "nothing is dirty, yet nothing is confirmed"
    );
    for _ in RETRY_SCHEDULE_S {
        bench.wait();
        bench.fail();
    }
    assert_eq!(bench.alerts, [AlertKind::ReplicationStalled]);
}

#[test]
fn a_stray_timer_does_nothing() {
    let mut bench = Bench::idle_at(1);
    bench.step(Event::TimerFired(Timer::Retry));
    bench.step(Event::TimerFired(Timer::LinkAlert));
    assert_eq!(*bench.peer.state(), State::Idle);
    assert!(bench.sent.is_none() && bench.alerts.is_empty());
}
