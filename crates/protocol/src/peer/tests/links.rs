//! Links: opened, lost, opened during a request; and the ends of a machine.

use clavitor_core::alerts::AlertKind;
use clavitor_core::replicator::BackupState;

use super::bench::{Bench, position, view};
use crate::delay;
use crate::message::{FormatRange, Refusal};
use crate::peer::{Effect, Event, LinkId, State, Timer};

#[test]
fn a_lost_link_arms_one_alert_and_one_slow_greeting() {
    let mut bench = Bench::idle_at(2);
    bench.step(Event::PeerGone { link: LinkId(1) });
    assert_eq!(*bench.peer.state(), State::Disconnected);
    assert_eq!(bench.timers, [Some(delay::DISCONNECTED_HELLO), Some(delay::LINK_ALERT)]);
    bench.fire(Timer::LinkAlert);
    assert_eq!(bench.alerts, [AlertKind::BackupDisconnected]);
    bench.step(Event::PeerHello { link: LinkId(2) });
    assert_eq!(bench.recovered, [AlertKind::BackupDisconnected]);
    bench.tell(2);
    assert_eq!(*bench.peer.state(), State::Idle);
    assert_eq!(bench.timers, [None; 2]);
}

#[test]
fn a_link_that_comes_back_in_time_alerts_nobody() {
    let mut bench = Bench::idle_at(2);
    bench.step(Event::PeerGone { link: LinkId(1) });
    bench.step(Event::PeerHello { link: LinkId(2) });
    assert_eq!(bench.timers, [None; 2]);
    assert!(bench.alerts.is_empty() && bench.recovered.is_empty());
    assert!(bench.hello().is_some(), "opening it is its hello");
}

#[test]
fn the_end_of_an_older_link_is_no_news() {
    let mut bench = Bench::idle_at(2);
    bench.step(Event::PeerHello { link: LinkId(2) });
    bench.step(Event::PeerGone { link: LinkId(1) });
    assert!(bench.peer.link_open());
    bench.tell(2);
    assert_eq!(*bench.peer.state(), State::Idle);
}

#[test]
fn a_backup_without_a_link_is_still_written_to() {
    let mut bench = Bench::disconnected_at(1);
    assert_eq!(bench.peer.backup_state(), BackupState::Disconnected);
    bench.head(2);
    bench.batch_to(2);
    bench.ack();
    assert_eq!(bench.peer.acked(), position(2));
    assert_eq!(*bench.peer.state(), State::Disconnected);
    assert_eq!(bench.timers[Timer::Retry as usize], Some(delay::DISCONNECTED_HELLO));
}

#[test]
fn a_slow_greeting_that_fails_is_repeated_without_a_retry_schedule() {
    let mut bench = Bench::disconnected_at(1);
    for _ in 0..10 {
        bench.wait();
        bench.fail();
        assert_eq!(*bench.peer.state(), State::Disconnected);
    }
    assert_eq!(bench.peer.failures(), 0);
    assert!(bench.alerts.is_empty(), "the link alert is the one that tells");
    bench.wait();
    bench.head(2);
    bench.fail();
    assert_eq!(*bench.peer.state(), State::Waiting { retry: 1 }, "now something is owed");
}

#[test]
fn a_link_during_a_request_means_a_greeting_whatever_it_answers() {
    let answers: [fn(&mut Bench); 6] = [
        Bench::ack,
        Bench::fail,
        |bench| bench.refuse(Refusal::Session),
        |bench| bench.refuse(Refusal::Busy { after_ms: 9 }),
        |bench| bench.refuse(Refusal::Format { supported: FormatRange { oldest: 8, newest: 9 } }),
        |bench| bench.refuse(Refusal::Unwritable),
    ];
    for answer in answers {
        let mut bench = Bench::idle_at(0);
        bench.head(1);
        bench.batch_to(1);
        bench.step(Event::PeerHello { link: LinkId(2) });
        assert!(bench.apply().is_some(), "the request goes on");
        answer(&mut bench);
        assert!(bench.hello().is_some(), "{:?}", bench.peer.state());
        let acked = bench.peer.acked().seq.0;
        bench.tell(acked);
        if acked == 0 {
            bench.batch_to(1);
            bench.ack();
        }
        assert_eq!(*bench.peer.state(), State::Idle, "and only once");
    }
}

#[test]
fn a_link_during_a_greeting_or_a_read_means_another_greeting() {
    let mut bench = Bench::new();
    bench.step(Event::Started(view(1)));
    bench.step(Event::PeerHello { link: LinkId(1) });
    bench.tell(1);
    assert!(bench.hello().is_some(), "the first answer may be from before the restart");
    bench.tell(0);
    bench.step(Event::PeerHello { link: LinkId(2) });
    bench.batch_to(1);
    assert!(bench.apply().is_none() && bench.hello().is_some());
}

#[test]
fn a_removed_member_leaves_nothing_behind() {
    let mut bench = Bench::disconnected_at(1);
    bench.fire(Timer::LinkAlert);
    bench.step(Event::Removed);
    assert_eq!(bench.timers, [None; 2]);
    assert_eq!(bench.recovered, [AlertKind::BackupDisconnected]);
    bench.step(Event::PeerHello { link: LinkId(4) });
    bench.head(9);
    bench.step(Event::Started(view(9)));
    assert!(bench.sent.is_none());
    assert_eq!(*bench.peer.state(), State::Removed);
}

#[test]
fn shutdown_and_loss_of_the_role_stop_everything() {
    for event in [Event::Shutdown, Event::RoleChanged(None)] {
        let mut bench = Bench::disconnected_at(1);
        bench.step(event);
        assert_eq!(*bench.peer.state(), State::Stopped);
        assert_eq!(bench.timers, [None; 2]);
        bench.head(5);
        assert!(bench.sent.is_none() && !bench.peer.owed());
        bench.step(Event::RoleChanged(Some(view(5))));
        assert!(bench.hello().is_some(), "a promotion starts it anew");
    }
}

#[test]
fn nothing_but_evidence_makes_the_node_step_down_or_halt() {
    let mut bench = Bench::idle_at(1);
    bench.step(Event::PeerHello { link: LinkId(2) });
    bench.refuse(Refusal::Fenced { epoch_seen: clavitor_core::order::Epoch { number: 9, nonce: 1 } });
    assert_eq!(*bench.peer.state(), State::Fenced);
    assert_eq!(bench.alerts, [AlertKind::Fenced]);
    let unproved = |effect: &Effect| matches!(effect, Effect::Demote { .. } | Effect::Halt { .. });
    assert!(!bench.others.iter().any(unproved));
    assert_eq!(bench.timers, [None; 2]);
    bench.step(Event::OperatorWake);
    assert!(bench.hello().is_some());
}
