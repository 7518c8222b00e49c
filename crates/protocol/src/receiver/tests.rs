//! Tests of the receiver: who may speak, which batch is taken, what is answered.

use clavitor_core::order::Position;
use clavitor_core::replica::{LineageEntry, LogEntry};

use super::*;

const EPOCH: Epoch = Epoch { number: 2, nonce: 7 };
const LOWER: Epoch = Epoch { number: 2, nonce: 6 };
const HIGHER: Epoch = Epoch { number: 3, nonce: 0 };
const CELL: CellId = CellId::from_bytes([3; 16]);

fn node() -> NodeState {
    NodeState {
        cell: CELL,
        pop: None,
        role: Role::Backup,
        epoch_seen: EPOCH,
        position: Position { history: EPOCH, seq: Seq(20), chain: Chain([20; 32]) },
        digest: Digest([5; 32]),
        log_floor: Seq::ZERO,
        halted: None,
        starts: 1,
        lineage: vec![LineageEntry { history: LOWER, upto: Seq(7), chain: Chain([7; 32]) }],
    }
}

fn hello(epoch: Epoch) -> Hello {
    Hello {
        cell: CELL,
        epoch,
        history: epoch,
        head: Seq(30),
        floor: Seq::ZERO,
        lineage: Vec::new(),
        formats: FORMATS,
        denied: Vec::new(),
    }
}

fn apply(epoch: Epoch, session: Session, records: u64) -> Apply {
    let entry = |seq| LogEntry { seq: Seq(seq), record: vec![1, 2], operation_end: true };
    Apply {
        cell: CELL,
        session,
        epoch,
        history: epoch,
        base: node().position,
        entries: (21..21 + records).map(entry).collect(),
        lineage: Vec::new(),
        denied: Vec::new(),
        at_head: Some(Digest([6; 32])),
    }
}

/// A receiver that has told its position under a session.
fn greeted(session: Session) -> Receiver<Strict> {
    let mut receiver = Receiver::new(BATCH_LIMITS);
    receiver.hello(&node(), &hello(EPOCH)).unwrap();
    assert!(matches!(receiver.position(&node(), &[], 0, session), Reply::Position(_)));
    receiver
}

fn applied(position_seq: u64, digest: u8, quarantined: u64) -> Result<Applied, ApplyError> {
    let position = Position { seq: Seq(position_seq), ..node().position };
    Ok(Applied::Batch { position, digest: Digest([digest; 32]), quarantined })
}

#[test]
fn only_the_cell_s_primary_may_speak() {
    let mut receiver = Receiver::<Strict>::new(BATCH_LIMITS);
    let mut judge = |node: &NodeState, hello: Hello| receiver.hello(node, &hello).map(|_| ());
    assert_eq!(judge(&node(), hello(EPOCH)), Ok(()));
    assert_eq!(judge(&node(), hello(LOWER)), Err(Refusal::Fenced { epoch_seen: EPOCH }));
    let unproved = Err(Refusal::NotPrimary { epoch_seen: EPOCH });
    assert_eq!(judge(&node(), hello(HIGHER)), unproved, "a higher epoch needs a proof");
    assert_eq!(judge(&NodeState { role: Role::Primary, ..node() }, hello(EPOCH)), unproved);
    let fresh = NodeState { epoch_seen: Epoch::NONE, ..node() };
    assert_eq!(judge(&fresh, hello(HIGHER)), Ok(()), "a new backup takes its primary's word");
    let foreign = Hello { cell: CellId::NIL, ..hello(EPOCH) };
    assert_eq!(judge(&node(), foreign), Err(Refusal::ForeignCell));
    let torn = Hello { history: HIGHER, ..hello(EPOCH) };
    assert_eq!(judge(&node(), torn), Err(Refusal::Malformed));
}

#[test]
fn a_position_comes_with_points_to_compare() {
    let mut receiver = Receiver::<Strict>::new(BATCH_LIMITS);
    let seqs = receiver.hello(&node(), &hello(EPOCH)).unwrap();
    assert_eq!(seqs.iter().map(|seq| seq.0).collect::<Vec<_>>(), [4, 7, 12, 16, 18, 19, 20]);
    let points: Vec<_> =
        seqs.iter().map(|seq| (*seq, (seq.0 > 10).then_some((Chain([1; 32]), Digest::ZERO)))).collect();
    let Reply::Position(told) = receiver.position(&node(), &points, 2, Session(9)) else {
        panic!("a position");
    };
    assert_eq!(told.points.len(), 5, "what the log does not know is left out");
    assert_eq!((told.session, told.quarantined, told.position), (Session(9), 2, node().position));
    let empty = NodeState { position: Position::default(), lineage: Vec::new(), ..node() };
    assert_eq!(receiver.hello(&empty, &hello(EPOCH)).unwrap(), []);
    let far = NodeState { position: Position { seq: Seq(u64::MAX), ..node().position }, ..node() };
    assert!(receiver.hello(&far, &hello(EPOCH)).unwrap().len() <= crate::message::POINTS_MAX);
}

#[test]
fn a_batch_needs_the_session_of_the_last_greeting() {
    let mut receiver = greeted(Session(1));
    assert_eq!(receiver.apply(&node(), apply(EPOCH, Session(2), 1)), Err(Refusal::Session));
    receiver.hello(&node(), &hello(EPOCH)).unwrap();
    let old = receiver.apply(&node(), apply(EPOCH, Session(1), 1));
    assert_eq!(old, Err(Refusal::Session), "an accepted greeting voids it, even before its answer");
    receiver.position(&node(), &[], 0, Session(3));
    assert!(receiver.apply(&node(), apply(EPOCH, Session(3), 1)).is_ok());
    let mut restarted = Receiver::<Strict>::new(BATCH_LIMITS);
    assert_eq!(restarted.apply(&node(), apply(EPOCH, Session(3), 1)), Err(Refusal::Session));
}

#[test]
fn a_refused_greeting_leaves_the_session() {
    let mut receiver = greeted(Session(1));
    receiver.hello(&node(), &hello(LOWER)).unwrap_err();
    assert!(receiver.apply(&node(), apply(EPOCH, Session(1), 1)).is_ok());
}

#[test]
fn a_fenced_or_foreign_batch_is_refused_whatever_its_session() {
    let mut receiver = greeted(Session(1));
    let fenced = receiver.apply(&node(), apply(LOWER, Session(1), 1));
    assert_eq!(fenced, Err(Refusal::Fenced { epoch_seen: EPOCH }));
    let foreign = Apply { cell: CellId::NIL, ..apply(EPOCH, Session(1), 1) };
    assert_eq!(receiver.apply(&node(), foreign), Err(Refusal::ForeignCell));
}

#[test]
fn one_batch_at_a_time_and_no_position_meanwhile() {
    let mut receiver = greeted(Session(1));
    let Submission { asked, batch } = receiver.apply(&node(), apply(EPOCH, Session(1), 2)).unwrap();
    assert_eq!((batch.epoch, batch.base, batch.entries.len()), (EPOCH, node().position, 2));
    let busy = Refusal::Busy { after_ms: BUSY_AFTER_MS };
    assert_eq!(receiver.apply(&node(), apply(EPOCH, Session(1), 1)), Err(busy.clone()));
    assert_eq!(receiver.hello(&node(), &hello(EPOCH)), Err(busy.clone()));
    assert_eq!(receiver.position(&node(), &[], 0, Session(4)), Reply::Refused(busy));
    let reply = receiver.applied(&node(), asked, applied(22, 6, 0));
    let Reply::Ack(ack) = reply else { panic!("an acknowledgement") };
    assert_eq!((ack.position.seq, ack.digest, ack.mismatch), (Seq(22), Some(Digest([6; 32])), false));
    assert!(receiver.hello(&node(), &hello(EPOCH)).is_ok());
}

#[test]
fn a_differing_digest_is_said_only_where_it_can_be_compared() {
    let cases = [
        (applied(21, 9, 0), true, true),
        (applied(21, 9, 1), false, true),
        (applied(25, 9, 0), false, false),
        (applied(21, 6, 0), false, true),
    ];
    for (outcome, mismatch, compared) in cases {
        let mut receiver = greeted(Session(1));
        let asked = receiver.apply(&node(), apply(EPOCH, Session(1), 1)).unwrap().asked;
        let Reply::Ack(ack) = receiver.applied(&node(), asked, outcome.clone()) else {
            panic!("{outcome:?}")
        };
        assert_eq!((ack.mismatch, ack.digest.is_some()), (mismatch, compared), "{outcome:?}");
    }
}

#[test]
fn a_batch_over_the_limits_is_refused() {
    let limits = BatchLimits { records_max: 2, bytes_max: 5 };
    for (records, taken) in [(2, true), (3, false)] {
        let mut receiver = Receiver::<Strict>::new(limits);
        receiver.hello(&node(), &hello(EPOCH)).unwrap();
        receiver.position(&node(), &[], 0, Session(1));
        let judged = receiver.apply(&node(), apply(EPOCH, Session(1), records));
        assert_eq!(judged.is_ok(), taken);
        assert!(taken || judged == Err(Refusal::TooLarge { max: 5 }));
    }
}

#[test]
fn the_store_s_refusals_have_their_answers() {
    let have = node().position;
    let cases = [
        (ApplyError::Fenced { sent: LOWER, seen: HIGHER }, Refusal::Fenced { epoch_seen: HIGHER }),
        (ApplyError::Gap { have }, Refusal::Gap { have }),
        (ApplyError::Fork { at: Seq(3) }, Refusal::Fork { at: Seq(3) }),
        (ApplyError::Malformed("x".to_owned()), Refusal::Malformed),
        (ApplyError::WrongRole, Refusal::NotPrimary { epoch_seen: EPOCH }),
        (ApplyError::Damaged { at: Seq(4) }, Refusal::Damaged { at: Seq(4) }),
        (ApplyError::Write(WriteError::Busy), Refusal::Busy { after_ms: QUEUE_BUSY_AFTER_MS }),
        (ApplyError::Write(WriteError::Closed), Refusal::Busy { after_ms: QUEUE_BUSY_AFTER_MS }),
        (ApplyError::Write(WriteError::Disk("full".to_owned())), Refusal::Unwritable),
    ];
    for (error, refusal) in cases {
        let mut receiver = greeted(Session(1));
        let asked = receiver.apply(&node(), apply(EPOCH, Session(1), 1)).unwrap().asked;
        assert_eq!(receiver.applied(&node(), asked, Err(error)), Reply::Refused(refusal));
        assert!(receiver.apply(&node(), apply(EPOCH, Session(1), 1)).is_ok(), "it is free again");
    }
}

#[test]
fn a_link_is_opened_by_the_primary_of_the_cell_only() {
    let watch = Watch { cell: CELL, epoch_seen: EPOCH, position: node().position, formats: FORMATS };
    let primary = NodeState { role: Role::Primary, ..node() };
    assert_eq!(open_link(&primary, &watch), Ok(LinkEvent::Opened { epoch: EPOCH, head: Seq(20) }));
    assert_eq!(open_link(&node(), &watch), Err(Refusal::NotPrimary { epoch_seen: EPOCH }));
    let foreign = Watch { cell: CellId::NIL, ..watch };
    assert_eq!(open_link(&primary, &foreign), Err(Refusal::ForeignCell));
}
