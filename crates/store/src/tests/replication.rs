//! The port of replication: batches, apply, refusals, cursors, roles.

use clavitor_core::change::{Change, LocalChange, Operation, WriteError};
use clavitor_core::ids::{CellId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq, Version};
use clavitor_core::record::Record;
use clavitor_core::replica::{
    Adopt, Applied, ApplyBatch, ApplyError, Batch, BatchLimits, LineageEntry, LogEntry, PeerCursor,
    ReplicaWrite, Role,
};
use clavitor_crypto::chain;

use super::{ALL, CELL, NONCE, Node, VAULT, create, delete, event, id, open, sent, submit, update};

/// A primary with eight changes in five operations: ends at 1, 3, 4, 7, 8.
fn primary() -> Node {
    let node = Node::member(Role::Primary);
    node.change(vec![create(1, b"a")]).unwrap();
    node.change(vec![create(2, b"b"), create(3, b"c")]).unwrap();
    node.change(vec![update(1, 1, b"a2")]).unwrap();
    node.change(vec![create(4, b"d"), delete(2, 1), create(5, b"e")]).unwrap();
    node.change(vec![update(3, 1, b"c2")]).unwrap();
    node
}

fn backup() -> Node {
    Node::member(Role::Backup)
}

fn assert_equal(primary: &Node, backup: &Node) {
    let (ours, theirs) = (primary.store.node(), backup.store.node());
    assert_eq!((ours.position, ours.digest), (theirs.position, theirs.digest));
    let sum = backup.store.recompute_digest().unwrap();
    assert_eq!((sum.seq, sum.digest), (theirs.position.seq, theirs.digest));
    for number in 0..=255 {
        assert_eq!(primary.store.get(VAULT, id(number)), backup.store.get(VAULT, id(number)));
    }
    assert_eq!(primary.log(0, ALL), backup.log(0, ALL));
}

#[test]
fn a_batch_ends_at_the_end_of_an_operation() {
    let node = primary();
    let seqs = |after, records_max, bytes_max| {
        let batch = node.log(after, BatchLimits { records_max, bytes_max });
        let seqs: Vec<_> = batch.entries.iter().map(|entry| entry.seq.0).collect();
        assert_eq!(batch.base.seq.0, after);
        assert_eq!(batch.end.seq.0, seqs.last().copied().unwrap_or(after));
        let points = node.store.replica().points(&[batch.base.seq, batch.end.seq]).unwrap();
        assert_eq!(points, [points[0], Some((batch.end.chain, batch.digest))]);
        assert_eq!(points[0].unwrap().0, batch.base.chain);
        seqs
    };
    assert_eq!(seqs(0, 256, usize::MAX), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(seqs(0, 2, usize::MAX), [1]);
    assert_eq!(seqs(1, 2, usize::MAX), [2, 3]);
    assert_eq!(seqs(1, 4, usize::MAX), [2, 3, 4]);
    assert_eq!(seqs(4, 1, usize::MAX), [5, 6, 7], "at least one operation");
    assert_eq!(seqs(4, 256, 1), [5, 6, 7], "at least one operation");
    assert_eq!(seqs(8, 256, usize::MAX), [] as [u64; 0]);
    let one = node.log(0, BatchLimits { records_max: 1, bytes_max: usize::MAX }).entries[0].record.len();
    assert_eq!(seqs(0, 256, one), [1]);

    let beyond = node.log(99, ALL);
    assert!(beyond.entries.is_empty());
    assert_eq!((beyond.base, beyond.end), (node.store.node().position, node.store.node().position));
}

#[test]
fn points_are_known_along_the_log() {
    let node = primary();
    let head = node.store.node();
    let points = node.store.replica().points(&[Seq(8), Seq(0), Seq(9), Seq(3), Seq(u64::MAX)]).unwrap();
    assert_eq!(points[0], Some((head.position.chain, head.digest)));
    assert_eq!(points[1], Some((Chain::ZERO, Digest::ZERO)));
    assert_eq!((points[2], points[4]), (None, None));
    assert!(points[3].is_some());
}

#[test]
fn a_backup_reaches_the_same_state_by_any_cut() {
    let primary = primary();
    for records_max in 1..=9 {
        let backup = backup();
        let limits = BatchLimits { records_max, bytes_max: usize::MAX };
        loop {
            let have = backup.store.node().position.seq;
            let batch = primary.log(have.0, limits);
            if batch.entries.is_empty() {
                break;
            }
            let expected = Applied::Batch { position: batch.end, digest: batch.digest, quarantined: 0 };
            assert_eq!(backup.apply(sent(batch)), Ok(expected));
        }
        assert_equal(&primary, &backup);
        assert_eq!(backup.store.node().epoch_seen, primary.store.node().position.history);
        assert_eq!(*backup.store.head().borrow(), Seq(8));
        assert_eq!(
            backup.store.find(VAULT, &super::title(1), None, 1),
            primary.store.find(VAULT, &super::title(1), None, 1)
        );
    }
}

#[test]
fn applying_twice_or_overlapping_is_applying_once() {
    let (primary, backup) = (primary(), backup());
    let whole = primary.log(0, ALL);
    backup.apply(sent(primary.log(0, BatchLimits { records_max: 4, ..ALL }))).unwrap();
    backup.apply(sent(whole.clone())).unwrap();
    assert_equal(&primary, &backup);
    let transactions = backup.store.write_counts().transactions;
    for batch in [whole.clone(), primary.log(3, ALL), primary.log(8, ALL)] {
        let here = Applied::Batch { position: whole.end, digest: whole.digest, quarantined: 0 };
        assert_eq!(backup.apply(sent(batch)), Ok(here));
    }
    assert_equal(&primary, &backup);
    assert_eq!(backup.store.write_counts().transactions, transactions, "nothing new, nothing written");
}

/// A batch that is refused changes nothing.
fn refuse(backup: &Node, batch: ApplyBatch) -> ApplyError {
    let before = (backup.store.node(), backup.log(0, ALL));
    let error = backup.apply(batch).unwrap_err();
    assert_eq!((backup.store.node(), backup.log(0, ALL)), before);
    error
}

#[test]
fn a_gap_and_a_fork_are_refused() {
    let (primary, backup) = (primary(), backup());
    let from_3 = || sent(primary.log(3, ALL));
    let nowhere = Position::default();
    assert_eq!(refuse(&backup, from_3()), ApplyError::Gap { have: nowhere });
    backup.apply(sent(primary.log(0, BatchLimits { records_max: 4, ..ALL }))).unwrap();
    let have = backup.store.node().position;
    assert_eq!(refuse(&backup, sent(primary.log(7, ALL))), ApplyError::Gap { have });

    let mut other_base = from_3();
    other_base.base.chain = Chain([9; 32]);
    assert_eq!(refuse(&backup, other_base), ApplyError::Fork { at: Seq(3) });
    let mut zero = sent(primary.log(0, ALL));
    zero.base.chain = Chain([9; 32]);
    assert_eq!(refuse(&backup, zero), ApplyError::Fork { at: Seq(0) });
    let mut changed = sent(primary.log(0, ALL));
    changed.entries[1].record[20] ^= 1;
    assert_eq!(refuse(&backup, changed), ApplyError::Fork { at: Seq(2) });
    let mut swapped = sent(primary.log(0, ALL));
    let (first, second) = (swapped.entries[2].record.clone(), swapped.entries[3].record.clone());
    (swapped.entries[2].record, swapped.entries[3].record) = (second, first);
    assert_eq!(refuse(&backup, swapped), ApplyError::Fork { at: Seq(3) });
    backup.apply(from_3()).unwrap();
    assert_equal(&primary, &backup);
}

#[test]
fn a_batch_that_is_not_well_formed_is_refused() {
    let (primary, backup) = (primary(), backup());
    let good = sent(primary.log(0, ALL));
    let entry =
        |seq: u64, bytes: usize| LogEntry { seq: Seq(seq), record: vec![0; bytes], operation_end: true };
    let with = |edit: &dyn Fn(&mut ApplyBatch)| {
        let mut batch = good.clone();
        edit(&mut batch);
        batch
    };
    let lineage = LineageEntry { history: good.epoch, upto: Seq(1), chain: Chain::ZERO };
    for bad in [
        with(&|batch| drop(batch.entries.remove(3))),
        with(&|batch| drop(batch.entries.remove(0))),
        with(&|batch| batch.entries.swap(2, 3)),
        with(&|batch| batch.entries.truncate(2)),
        with(&|batch| batch.entries[1].seq = Seq(u64::MAX)),
        with(&|batch| batch.base.seq = Seq(u64::MAX)),
        with(&|batch| batch.entries = (1..=257).map(|seq| entry(seq, 1)).collect()),
        with(&|batch| batch.entries = (1..=3).map(|seq| entry(seq, limits::RECORD_BYTES_MAX)).collect()),
        with(&|batch| batch.lineage = vec![lineage; limits::LINEAGE_MAX + 1]),
        with(&|batch| batch.epoch = Epoch::NONE),
    ] {
        let error = refuse(&backup, bad.clone());
        assert!(matches!(error, ApplyError::Malformed(_)), "{error:?}");
    }
    let mut elsewhere = sent(primary.log(3, ALL));
    elsewhere.base.history.nonce += 1;
    assert!(matches!(refuse(&backup, elsewhere), ApplyError::Malformed(_)));
    backup.apply(good).unwrap();
}

#[test]
fn epochs_and_roles_are_checked() {
    let (primary, backup) = (primary(), backup());
    backup.apply(sent(primary.log(0, BatchLimits { records_max: 3, ..ALL }))).unwrap();
    let seen = primary.store.node().position.history;
    let mut older = sent(primary.log(3, ALL));
    older.epoch.nonce -= 1;
    older.base.history = older.epoch;
    assert_eq!(refuse(&backup, older.clone()), ApplyError::Fenced { sent: older.epoch, seen });
    assert_eq!(refuse(&primary, older.clone()), ApplyError::Fenced { sent: older.epoch, seen });
    let mut newer = sent(primary.log(3, ALL));
    newer.epoch.number += 1;
    newer.base.history = newer.epoch;
    assert!(matches!(refuse(&backup, newer), ApplyError::Malformed(_)), "another history, unproved");
    assert_eq!(refuse(&primary, sent(primary.log(3, ALL))), ApplyError::WrongRole);
    let alone = Node::new(false);
    assert_eq!(refuse(&alone, sent(primary.log(0, ALL))), ApplyError::WrongRole);
}

#[test]
fn an_empty_batch_confirms_a_position_and_lets_an_empty_node_adopt_the_history() {
    let (primary, backup) = (Node::member(Role::Primary), backup());
    let history = primary.store.node().position.history;
    assert_eq!(history, Epoch { number: 1, nonce: NONCE });
    let empty = primary.log(0, ALL);
    assert_eq!(empty.base, Position { history, ..Position::default() });
    backup.apply(sent(empty)).unwrap();
    assert_eq!(backup.store.node().position.history, history);
    assert_eq!(backup.store.node().epoch_seen, history);
    assert_eq!(*backup.store.head().borrow(), Seq::ZERO);
}

#[test]
fn a_lineage_is_kept() {
    let (primary, backup) = (primary(), backup());
    let lineage =
        vec![LineageEntry { history: Epoch { number: 1, nonce: 1 }, upto: Seq(4), chain: Chain([4; 32]) }];
    backup.apply(ApplyBatch { lineage: lineage.clone(), ..sent(primary.log(0, ALL)) }).unwrap();
    assert_eq!(backup.store.node().lineage, lineage);
    let path = backup.path();
    let _folder = backup.close();
    assert_eq!(open(&path, true).unwrap().node().lineage, lineage);
}

/// A batch of a hand-made history.
fn hand_made(records: Vec<Vec<u8>>) -> Batch {
    let history = Epoch { number: 3, nonce: 3 };
    let mut batch = Batch { base: Position { history, ..Position::default() }, ..Batch::default() };
    batch.end = batch.base;
    for record in records {
        let seq = batch.end.seq.next();
        batch.end.chain = chain::chain_next(&batch.end.chain, seq, &chain::record_hash(&record));
        batch.end.seq = seq;
        batch.entries.push(LogEntry { seq, record, operation_end: true });
    }
    batch
}

fn record(number: u8, version: u64) -> Record {
    Record {
        id: id(number),
        vault_id: VAULT,
        kind: Kind::ENTRY,
        version: Version(version),
        deleted: false,
        lookups: vec![super::title(number)],
        payload: vec![number],
        updated_at_ms: 9,
    }
}

#[test]
fn what_cannot_be_stored_is_set_aside_and_the_rest_goes_on() {
    let backup = backup();
    let garbage = b"no record".to_vec();
    let moved = Record { vault_id: VaultId::NIL, ..record(1, 2) }.encode().unwrap();
    let other_kind = Record { kind: Kind::SCOPE, ..record(1, 2) }.encode().unwrap();
    let beyond = record(6, u64::MAX).encode().unwrap();
    let batch = hand_made(vec![
        record(1, 1).encode().unwrap(),
        garbage.clone(),
        moved,
        other_kind,
        beyond,
        record(2, 1).encode().unwrap(),
    ]);
    let applied = backup.apply(sent(batch.clone())).unwrap();
    let Applied::Batch { position, digest, quarantined } = applied else { panic!("{applied:?}") };
    assert_eq!((position, quarantined), (batch.end, 4));
    assert_eq!(backup.store.replica().quarantined().unwrap(), 4);
    let sum = backup.store.recompute_digest().unwrap();
    assert_eq!(sum.digest, digest, "the digest is that of what is stored");
    assert_eq!(backup.store.get(VAULT, id(1)).unwrap().unwrap().record, record(1, 1));
    assert_eq!(backup.store.get(VAULT, id(2)).unwrap().unwrap().seq, Seq(6));
    assert_eq!(backup.log(0, ALL).entries, batch.entries, "forwarded as received");
    let kept: Vec<u8> = rusqlite::Connection::open(backup.path())
        .unwrap()
        .query_row("SELECT record FROM quarantine WHERE seq = 2", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, garbage);

    let path = backup.path();
    let _folder = backup.close();
    assert_eq!(open(&path, true).unwrap().node().position, batch.end);
}

#[test]
fn a_kind_and_a_field_of_a_newer_version_pass_through() {
    let mut newer = record(1, 1);
    newer.kind = Kind(999);
    let mut bytes = newer.encode().unwrap();
    // The encoding is an array of eight fields; a ninth is what a newer version would add.
    assert_eq!(bytes[0], 0x88);
    bytes[0] = 0x89;
    bytes.push(0x07);
    let (backup, batch) = (backup(), hand_made(vec![bytes]));
    let applied = backup.apply(sent(batch.clone())).unwrap();
    assert!(matches!(applied, Applied::Batch { quarantined: 0, .. }));
    assert_eq!(backup.store.replica().records_of_kind(Kind(999)).unwrap()[0].record, newer);
    assert_eq!(backup.log(0, ALL).entries, batch.entries, "forwarded as received");
    let digest =
        Digest::ZERO.plus(&chain::digest_term(Seq(1), &chain::record_hash(&batch.entries[0].record)));
    assert_eq!(backup.store.node().digest, digest);
}

#[test]
fn a_backup_takes_audit_rows_and_local_values_but_no_records() {
    let (primary, backup) = (primary(), backup());
    backup.apply(sent(primary.log(0, ALL))).unwrap();
    let local = vec![LocalChange { key: "a/b".to_owned(), value: Some(vec![1]) }];
    let operation = Operation { local: local.clone(), audit: vec![event(b"read")], ..Operation::default() };
    assert_eq!(backup.write(operation).unwrap().head, Seq(8));
    let refused = Operation { changes: vec![create(9, b"x")], local, ..Operation::default() };
    assert_eq!(backup.write(refused), Err(WriteError::ReadOnly));
    let commit =
        ReplicaWrite::Commit(Box::new(Operation { changes: vec![create(9, b"x")], ..Operation::default() }));
    let answer = submit(&*backup.store.replica(), commit);
    assert_eq!(answer, Err(ApplyError::Write(WriteError::ReadOnly)));
    assert_equal(&primary, &backup);
    assert_eq!(backup.store.verify_audit().unwrap().rows, 1);
}

#[test]
fn a_halted_node_takes_no_writes() {
    let node = primary();
    let path = node.path();
    let folder = node.close();
    rusqlite::Connection::open(&path).unwrap().execute("UPDATE meta SET halted = 'rewound'", []).unwrap();
    let store = open(&path, true).unwrap();
    store.start(std::sync::Arc::new(super::Deaf));
    assert_eq!(store.node().halted.as_deref(), Some("rewound"));
    let write = Operation { changes: vec![create(9, b"x")], ..Operation::default() };
    assert_eq!(super::block_on(store.write(write)), Err(WriteError::ReadOnly));
    drop(folder);
}

fn adopt(cell: Option<CellId>, role: Role) -> ReplicaWrite {
    let local = vec![LocalChange { key: "pin/x".to_owned(), value: Some(vec![7]) }];
    ReplicaWrite::Adopt(Box::new(Adopt { cell, pop: "calgary-01".parse().unwrap(), role, local }))
}

#[test]
fn a_place_in_a_cell_is_adopted() {
    let other = CellId::from_bytes([9; 16]);
    let node = Node::new(true);
    let take = |write| submit(&*node.store.replica(), write);
    assert_eq!(node.store.node().pop, None);
    // Configured as a primary first, then joined as a backup: its own unused history bars no other.
    take(adopt(None, Role::Primary)).unwrap();
    assert_eq!(node.store.node().position.history, Epoch { number: 1, nonce: NONCE });
    take(adopt(Some(other), Role::Backup)).unwrap();
    let state = node.store.node();
    assert_eq!((state.cell, state.role, state.epoch_seen), (other, Role::Backup, Epoch::NONE));
    assert_eq!(state.pop.unwrap().as_str(), "calgary-01");
    assert_eq!(node.store.local("pin/x").unwrap(), Some(vec![7]));

    // What a primary sent stays seen, though nothing was written yet.
    let sender = Epoch { number: 5, nonce: 5 };
    let base = Position { history: sender, ..Position::default() };
    node.apply(ApplyBatch { epoch: sender, base, entries: vec![], lineage: vec![] }).unwrap();
    take(adopt(None, Role::Backup)).unwrap();
    assert_eq!(node.store.node().epoch_seen, sender);
    take(adopt(None, Role::Primary)).unwrap();
    assert_eq!(
        node.store.node().position.history,
        Epoch { number: 6, nonce: NONCE },
        "never another's history"
    );
}

#[test]
fn a_node_with_changes_keeps_its_cell_and_role() {
    let other = Some(CellId::from_bytes([9; 16]));
    let node = Node::new(true);
    node.change(vec![create(1, b"x")]).unwrap();
    let before = node.store.node();
    assert_eq!(before.position.history, Epoch { number: 1, nonce: NONCE }, "minted with the first change");
    let take = |write| submit(&*node.store.replica(), write);
    for refused in [adopt(None, Role::Backup), adopt(other, Role::Primary)] {
        assert_eq!(take(refused), Err(ApplyError::WrongRole));
    }
    assert_eq!((node.store.node(), node.store.local("pin/x").unwrap()), (before.clone(), None));
    take(adopt(Some(CELL), Role::Primary)).unwrap();
    let named = node.store.node();
    assert_eq!((named.position, named.pop.is_some()), (before.position, true));
    let alone = Node::new(false);
    assert_eq!(submit(&*alone.store.replica(), adopt(None, Role::Primary)), Err(ApplyError::WrongRole));
}

#[test]
fn cursors_ride_in_the_next_write() {
    let node = primary();
    let replica = node.store.replica();
    let cursor = |pop: &str, seq| PeerCursor {
        pop: pop.parse().unwrap(),
        acked: Position { seq: Seq(seq), ..node.store.node().position },
        at_ms: 3,
    };
    let on_disk = || {
        let db = rusqlite::Connection::open(node.path()).unwrap();
        let mut rows = db.prepare("SELECT pop || seq FROM peers ORDER BY pop").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap()
    };
    let transactions = node.store.write_counts().transactions;
    replica.note_acked(cursor("b", 3));
    replica.note_acked(cursor("a", 2));
    replica.note_acked(cursor("b", 4));
    assert_eq!(replica.cursors(), [cursor("a", 2), cursor("b", 4)]);
    assert_eq!(
        (on_disk(), node.store.write_counts().transactions),
        (vec![], transactions),
        "no write of their own"
    );
    node.write(Operation::default()).unwrap();
    assert_eq!(on_disk(), [] as [&str; 0], "nor with an operation that writes nothing");
    node.write(Operation { audit: vec![event(b"x")], ..Operation::default() }).unwrap();
    assert_eq!(on_disk(), ["a2", "b4"]);

    replica.forget_acked(&"a".parse().unwrap());
    replica.note_acked(cursor("c", 8));
    assert_eq!(submit(&*replica, ReplicaWrite::FlushCursors), Ok(Applied::Done));
    assert_eq!(on_disk(), ["b4", "c8"]);
    let transactions = node.store.write_counts().transactions;
    submit(&*replica, ReplicaWrite::FlushCursors).unwrap();
    assert_eq!(node.store.write_counts().transactions, transactions, "nothing left to flush");

    replica.note_acked(cursor("b", 8));
    let (b, c, path) = (cursor("b", 8), cursor("c", 8), node.path());
    let _folder = node.close();
    assert_eq!(open(&path, true).unwrap().replica().cursors(), [b, c], "closing flushes");
}

#[test]
fn a_deleted_record_is_deleted_on_the_backup_too() {
    let (primary, backup) = (primary(), backup());
    let titled = Change {
        content: Some(clavitor_core::change::Content { lookups: vec![super::title(7)], payload: vec![] }),
        ..create(7, b"")
    };
    primary.change(vec![titled]).unwrap();
    backup.apply(sent(primary.log(0, ALL))).unwrap();
    assert_eq!(backup.store.find(VAULT, &super::title(7), None, 9).unwrap().len(), 1);
    primary.change(vec![delete(7, 1)]).unwrap();
    backup.apply(sent(primary.log(9, ALL))).unwrap();
    assert!(backup.store.find(VAULT, &super::title(7), None, 9).unwrap().is_empty());
    assert!(backup.store.get(VAULT, id(7)).unwrap().unwrap().record.deleted);
    assert_equal(&primary, &backup);
}
