//! Tests of the messages: they read back, and what is too large, too long, foreign or torn is refused.

use clavitor_core::ids::{CellId, RecordId};
use clavitor_core::limits;
use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq};
use clavitor_core::replica::{LineageEntry, LogEntry};
use minicbor::Encode;

use super::*;

fn hello() -> Hello {
    Hello {
        cell: CellId::from_bytes([1; 16]),
        epoch: Epoch { number: 1, nonce: 2 },
        history: Epoch { number: 1, nonce: 2 },
        head: Seq(9),
        floor: Seq::ZERO,
        lineage: vec![LineageEntry { history: Epoch::NONE, upto: Seq(3), chain: Chain([4; 32]) }],
        formats: FORMATS,
        denied: vec![Denied { record: RecordId::from_bytes([5; 16]), seq: Seq(10) }],
    }
}

fn entry(seq: u64, bytes: usize) -> LogEntry {
    LogEntry { seq: Seq(seq), record: vec![0; bytes], operation_end: true }
}

fn apply(entries: Vec<LogEntry>) -> Apply {
    let Hello { cell, epoch, history, lineage, denied, .. } = hello();
    let base = Position { history, seq: Seq(4), chain: Chain([7; 32]) };
    Apply {
        cell,
        session: Session(11),
        epoch,
        history,
        base,
        entries,
        lineage,
        denied,
        at_head: Some(Digest([8; 32])),
    }
}

fn reads_back<M: Message + PartialEq + std::fmt::Debug>(message: &M) {
    assert_eq!(&decode::<M>(&encode(message)).unwrap(), message);
}

#[test]
fn messages_read_back() {
    let position = Position { history: Epoch { number: 1, nonce: 2 }, seq: Seq(4), chain: Chain([7; 32]) };
    let epoch_seen = position.history;
    reads_back(&hello());
    reads_back(&apply(vec![entry(5, 3), entry(6, 0)]));
    reads_back(&Watch { cell: CellId::NIL, epoch_seen, position, formats: FORMATS });
    reads_back(&LinkEvent::Opened { epoch: epoch_seen, head: Seq(3) });
    reads_back(&LinkEvent::Refused(Refusal::ForeignCell));
    reads_back(&Reply::Position(PositionReply {
        epoch_seen,
        position,
        digest: Digest([1; 32]),
        points: vec![Point { seq: Seq(4), chain: Chain([7; 32]) }; POINTS_MAX],
        quarantined: 2,
        session: Session(u64::MAX),
        formats: FORMATS,
    }));
    reads_back(&Reply::Ack(Ack { position, digest: None, quarantined: 0, mismatch: true }));
    let refusals = [
        Refusal::Fenced { epoch_seen },
        Refusal::NotPrimary { epoch_seen },
        Refusal::Gap { have: position },
        Refusal::Fork { at: Seq(1) },
        Refusal::Format { supported: FORMATS },
        Refusal::TooLarge { max: 3 },
        Refusal::Busy { after_ms: 4 },
        Refusal::Damaged { at: Seq(2) },
        Refusal::Session,
        Refusal::ForeignCell,
        Refusal::Malformed,
        Refusal::Unwritable,
    ];
    for refusal in refusals {
        reads_back(&Reply::Refused(refusal));
    }
}

#[test]
fn the_largest_batch_fits_its_body() {
    let records = limits::BATCH_RECORDS_MAX;
    let entries = (0..records as u64).map(|at| entry(5 + at, limits::BATCH_BYTES_MAX / records)).collect();
    let mut largest = apply(entries);
    largest.lineage = vec![largest.lineage[0]; limits::LINEAGE_MAX];
    largest.denied = vec![largest.denied[0]; DENIED_MAX];
    let body = encode(&largest);
    assert!(body.len() <= Apply::BYTES_MAX, "{} bytes", body.len());
    assert_eq!(decode::<Apply>(&body).unwrap(), largest);
    let mut greeting = hello();
    greeting.lineage = largest.lineage.clone();
    greeting.denied = largest.denied.clone();
    assert!(encode(&greeting).len() <= Hello::BYTES_MAX);
}

#[test]
fn oversized_bodies_are_refused_before_reading() {
    let body = vec![FORMAT; limits::MESSAGE_BYTES_MAX + 1];
    let too_large = DecodeError::TooLarge { bytes: body.len(), max: limits::MESSAGE_BYTES_MAX };
    assert_eq!(decode::<Apply>(&body), Err(too_large.clone()));
    assert_eq!(Refusal::from(too_large), Refusal::TooLarge { max: limits::MESSAGE_BYTES_MAX as u64 });
    assert!(matches!(
        decode::<Hello>(&vec![FORMAT; SMALL_BYTES_MAX + 1]),
        Err(DecodeError::TooLarge { max: SMALL_BYTES_MAX, .. })
    ));
}

#[test]
fn sizes_are_checked_after_decoding_too() {
    let one = decode::<Apply>(&encode(&apply(vec![entry(5, limits::RECORD_BYTES_MAX + 1)])));
    assert!(matches!(one, Err(DecodeError::TooLarge { max: limits::RECORD_BYTES_MAX, .. })), "{one:?}");
    let entries = (5..8).map(|seq| entry(seq, limits::BATCH_BYTES_MAX / 3 + 1)).collect();
    let all = decode::<Apply>(&encode(&apply(entries)));
    assert!(matches!(all, Err(DecodeError::TooLarge { max: limits::BATCH_BYTES_MAX, .. })), "{all:?}");
}

#[test]
fn lists_are_no_longer_than_allowed() {
    let entries = (0..=limits::BATCH_RECORDS_MAX as u64).map(|at| entry(5 + at, 1)).collect();
    assert!(matches!(decode::<Apply>(&encode(&apply(entries))), Err(DecodeError::Malformed(_))));
    let mut long = hello();
    long.lineage = vec![long.lineage[0]; limits::LINEAGE_MAX + 1];
    assert!(matches!(decode::<Hello>(&encode(&long)), Err(DecodeError::Malformed(_))));
}

#[test]
fn a_list_without_a_length_is_bounded_too() {
    let list = |items: usize| {
        let mut bytes = vec![0x9f];
        bytes.extend(std::iter::repeat_n(0x01, items));
        bytes.push(0xff);
        let mut decoder = minicbor::Decoder::new(&bytes);
        let read = crate::capped::at_most::<(), u8, 3>(&mut decoder, &mut ());
        read.ok().filter(|_| decoder.position() == bytes.len())
    };
    assert_eq!(list(3), Some(vec![1, 1, 1]));
    assert_eq!(list(0), Some(vec![]));
    assert_eq!(list(4), None);
}

#[test]
fn a_batch_is_dense_and_ends_with_an_operation() {
    let mut torn = entry(6, 1);
    torn.operation_end = false;
    for entries in [vec![], vec![entry(6, 1)], vec![entry(5, 1), entry(5, 1)], vec![entry(5, 1), torn]] {
        let read = decode::<Apply>(&encode(&apply(entries.clone())));
        assert!(matches!(read, Err(DecodeError::Malformed(_))), "{entries:?}");
    }
    let mut last = apply(vec![entry(0, 1)]);
    last.base.seq = Seq(u64::MAX);
    assert!(matches!(decode::<Apply>(&encode(&last)), Err(DecodeError::Malformed(_))));
}

#[test]
fn other_formats_and_torn_bodies_are_refused() {
    let mut body = encode(&hello());
    body.push(0);
    assert!(matches!(decode::<Hello>(&body), Err(DecodeError::Malformed(_))), "bytes after it");
    body.pop();
    for length in 1..body.len() {
        assert!(matches!(decode::<Hello>(&body[..length]), Err(DecodeError::Malformed(_))), "{length}");
    }
    assert!(matches!(decode::<Hello>(&[]), Err(DecodeError::Malformed(_))));
    body[0] = FORMAT + 1;
    let other = decode::<Hello>(&body).unwrap_err();
    assert_eq!(other, DecodeError::Format { found: FORMAT + 1 });
    assert_eq!(Refusal::from(other), Refusal::Format { supported: FORMATS });
}

#[test]
fn a_field_of_a_newer_version_is_ignored() {
    #[derive(Encode)]
    struct Newer {
        #[n(0)]
        position: Position,
        #[n(1)]
        digest: Option<Digest>,
        #[n(2)]
        quarantined: u64,
        #[n(3)]
        mismatch: bool,
        #[n(4)]
        added: u64,
    }
    #[derive(Encode)]
    enum NewerReply {
        #[n(1)]
        Ack(#[n(0)] Newer),
        #[n(9)]
        Unknown(#[n(0)] u64),
    }
    let position = Position { seq: Seq(3), ..Position::default() };
    let ack = Ack { position, digest: None, quarantined: 1, mismatch: false };
    let newer = NewerReply::Ack(Newer { position, digest: None, quarantined: 1, mismatch: false, added: 7 });
    let body = |reply| [&[FORMAT], minicbor::to_vec(reply).unwrap().as_slice()].concat();
    assert_eq!(decode::<Reply>(&body(newer)).unwrap(), Reply::Ack(ack));
    let unknown = decode::<Reply>(&body(NewerReply::Unknown(1)));
    assert!(matches!(unknown, Err(DecodeError::Malformed(_))), "an unknown answer is no answer");
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        mut body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
    ) {
        if let Some(first) = body.first_mut() {
            *first = FORMAT;
        }
        let _ = decode::<Hello>(&body);
        let _ = decode::<Apply>(&body);
        let _ = decode::<Reply>(&body);
        let _ = decode::<Watch>(&body);
        let _ = decode::<LinkEvent>(&body);
    }
}
