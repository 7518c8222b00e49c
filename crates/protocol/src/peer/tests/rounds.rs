//! Rounds of batches: what leaves, what an acknowledgement covers, and the quiet afterwards.

use clavitor_core::alerts::AlertKind;
use clavitor_core::order::{Chain, Digest, Seq};
use clavitor_core::replica::ReadError;
use clavitor_core::replicator::BackupState;

use super::bench::{Bench, EPOCH, chain, position, told, view};
use crate::decide::Evidence;
use crate::message::{Ack, Reply, Session};
use crate::peer::{Event, LinkId, RequestId, State};

#[test]
fn a_start_greets_and_an_equal_backup_needs_no_timer() {
    let mut bench = Bench::new();
    bench.step(Event::PeerHello { link: LinkId(1) });
    assert!(bench.sent.is_none(), "nothing before the start");
    bench.step(Event::Started(view(7)));
    let hello = bench.hello().unwrap();
    assert_eq!((hello.epoch, hello.history, hello.head), (EPOCH, EPOCH, Seq(7)));
    assert!(bench.peer.owed(), "an unconfirmed position is owed");
    bench.tell(7);
    assert_eq!(*bench.peer.state(), State::Idle);
    assert_eq!(bench.timers, [None; 2]);
    assert!(!bench.peer.owed());
    assert_eq!(bench.peer.digest_equal(), Some(true));
    assert_eq!(bench.peer.backup_state(), BackupState::Streaming);
}

#[test]
fn batches_follow_one_another_until_the_head() {
    let mut bench = Bench::idle_at(2);
    bench.head(9);
    bench.batch_to(6);
    let apply = bench.apply().unwrap().clone();
    assert_eq!((apply.base, apply.session, apply.at_head), (position(2), Session(102), None));
    assert_eq!(bench.peer.backup_state(), BackupState::CatchingUp);
    bench.ack();
    assert_eq!(bench.peer.acked(), position(6));
    bench.batch_to(9);
    assert!(
        bench.apply().unwrap().at_head.is_some(),
        "the digest travels with the batch that ends at the head"
    );
    bench.ack();
    assert_eq!(*bench.peer.state(), State::Idle);
    assert_eq!((bench.peer.batches_total(), bench.peer.records_total()), (2, 7));
    assert_eq!(bench.persisted.last().unwrap().acked, position(9));
    assert_eq!(bench.peer.digest_equal(), Some(true));
}

#[test]
fn an_acknowledgement_covers_only_what_it_carried() {
    let mut bench = Bench::idle_at(2);
    bench.head(3);
    bench.batch_to(3);
    bench.head(5);
    bench.ack();
    assert_eq!(bench.peer.acked(), position(3), "5 was written during the send");
    assert!(bench.read.is_some(), "and leaves next");
    bench.batch_to(5);
    bench.ack();
    assert_eq!(bench.peer.acked(), position(5));
}

#[test]
fn many_heads_during_a_send_are_one_next_send() {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(1);
    for head in 2..50 {
        bench.head(head);
    }
    assert!(bench.read.is_none());
    bench.ack();
    bench.batch_to(49);
    bench.ack();
    assert_eq!((bench.peer.batches_total(), bench.peer.acked().seq), (2, Seq(49)));
}

#[test]
fn a_batch_may_hold_more_than_the_machine_was_told() {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(4);
    assert!(bench.apply().unwrap().at_head.is_some());
    bench.ack();
    assert_eq!(*bench.peer.state(), State::Idle);
    bench.head(3);
    assert_eq!(*bench.peer.state(), State::Idle, "an old head is no news");
}

#[test]
fn stale_answers_are_ignored() {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(1);
    let (id, _) = bench.sent.clone().unwrap();
    bench.fail();
    let state = bench.peer.state().clone();
    let ack = Reply::Ack(Ack { position: position(1), digest: None, quarantined: 0, mismatch: false });
    for stale in [id, RequestId(0), RequestId(id.0 + 9)] {
        bench.step(Event::Reply { id: stale, reply: ack.clone(), evidence: Evidence::default() });
        bench.step(Event::Failed { id: stale, cause: "late".to_owned() });
        bench.step(Event::BatchRead { id: stale, batch: Err(ReadError("late".to_owned())) });
    }
    assert_eq!(*bench.peer.state(), state);
    assert_eq!(bench.peer.acked(), position(0));
}

#[test]
fn a_duplicate_of_an_answer_counts_once() {
    let mut bench = Bench::idle_at(0);
    bench.head(2);
    bench.batch_to(1);
    let (id, _) = bench.sent.clone().unwrap();
    bench.ack();
    let ack = Reply::Ack(Ack { position: position(1), digest: None, quarantined: 0, mismatch: false });
    bench.step(Event::Reply { id, reply: ack, evidence: Evidence::default() });
    assert_eq!(bench.peer.batches_total(), 1);
    bench.batch_to(2);
    bench.ack();
    assert_eq!(*bench.peer.state(), State::Idle);
}

#[test]
fn an_acknowledgement_with_another_chain_is_a_damaged_copy() {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(1);
    let mut at = position(1);
    at.chain = Chain([77; 32]);
    bench.answer(Reply::Ack(Ack { position: at, digest: None, quarantined: 0, mismatch: false }));
    assert_eq!(*bench.peer.state(), State::Diverged);
    assert_eq!(bench.peer.acked(), position(0), "it counts for nothing");
    assert_eq!(bench.alerts, [AlertKind::Diverged]);
    assert_eq!(bench.timers, [None; 2]);
}

#[test]
fn an_acknowledgement_of_another_change_is_not_believed() {
    let mut bench = Bench::idle_at(0);
    bench.head(2);
    bench.batch_to(1);
    bench.answer(Reply::Ack(Ack { position: position(2), digest: None, quarantined: 0, mismatch: false }));
    assert_eq!(bench.peer.acked(), position(0));
    assert!(bench.hello().is_some(), "it is asked where it stands");
}

#[test]
fn another_digest_at_the_head_stops_the_stream() {
    for by_backup in [true, false] {
        let mut bench = Bench::idle_at(0);
        bench.head(1);
        bench.batch_to(1);
        let digest = if by_backup { bench.apply().unwrap().at_head } else { Some(Digest([66; 32])) };
        let ack = Ack { position: position(1), digest, quarantined: 0, mismatch: by_backup };
        bench.answer(Reply::Ack(ack));
        assert_eq!(*bench.peer.state(), State::Diverged);
        assert_eq!(bench.peer.digest_equal(), Some(false));
        assert_eq!(bench.peer.acked(), position(1), "the log did agree");
    }
}

#[test]
fn quarantined_records_are_told_and_nothing_stops() {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.batch_to(1);
    let ack = Ack { position: position(1), digest: Some(Digest([66; 32])), quarantined: 1, mismatch: false };
    bench.answer(Reply::Ack(ack));
    assert_eq!(*bench.peer.state(), State::Idle);
    assert_eq!(bench.alerts, [AlertKind::Quarantined]);
    bench.head(2);
    bench.batch_to(2);
    bench.ack();
    assert_eq!(bench.recovered, [AlertKind::Quarantined]);
}

#[test]
fn a_backup_that_fell_back_gets_it_all_again() {
    let mut bench = Bench::idle_at(5);
    bench.step(Event::PeerHello { link: LinkId(2) });
    bench.tell(2);
    assert_eq!(bench.peer.acked(), position(2), "the cursor follows what it has");
    bench.batch_to(5);
    bench.ack();
    assert_eq!(*bench.peer.state(), State::Idle);
}

#[test]
fn a_log_that_does_not_follow_is_not_sent() {
    let mut bench = Bench::idle_at(1);
    bench.head(2);
    let id = bench.read.take().unwrap();
    let batch = clavitor_core::replica::Batch {
        base: clavitor_core::order::Position { chain: Chain([9; 32]), ..position(1) },
        ..Default::default()
    };
    bench.step(Event::BatchRead { id, batch: Ok(batch) });
    assert!(bench.hello().is_some() && bench.apply().is_none());
}

#[test]
fn a_failed_read_is_tried_again() {
    let mut bench = Bench::idle_at(1);
    bench.head(2);
    let id = bench.read.take().unwrap();
    bench.step(Event::BatchRead { id, batch: Err(ReadError("disk".to_owned())) });
    assert_eq!(*bench.peer.state(), State::Waiting { retry: 1 });
    assert!(bench.peer.cause().unwrap().contains("disk"));
}

#[test]
fn lag_is_the_age_of_the_oldest_unacknowledged_change() {
    let mut bench = Bench::idle_at(0);
    bench.head(1);
    bench.pass(40);
    bench.head(2);
    bench.pass(2);
    assert_eq!(bench.peer.lag_ms(bench.now), 42);
    bench.batch_to(1);
    bench.ack();
    assert_eq!(bench.peer.lag_ms(bench.now), 2);
    bench.batch_to(2);
    bench.ack();
    let status = bench.peer.status("https://zurich:1985", bench.now);
    assert_eq!((status.lag_ms, status.lag_records, status.state), (0, 0, BackupState::Streaming));
    assert_eq!(status.cause, None);
}

#[test]
fn a_position_in_another_log_is_not_streamed_to() {
    let mut bench = Bench::idle_at(4);
    bench.step(Event::PeerHello { link: LinkId(2) });
    let mut theirs = told(3);
    theirs.position.chain = Chain([200; 32]);
    assert_ne!(theirs.position.chain, chain(3));
    bench.answer(Reply::Position(theirs));
    assert_eq!(*bench.peer.state(), State::Diverged);
    bench.head(6);
    assert!(bench.sent.is_none() && bench.read.is_none(), "nothing is sent to it");
    bench.step(Event::PeerHello { link: LinkId(3) });
    bench.tell(0);
    assert_eq!(bench.recovered, [AlertKind::Diverged], "an emptied folder is the way out");
}
