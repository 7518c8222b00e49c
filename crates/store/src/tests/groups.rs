//! Group commit: one fsync for all that waits, each alone under its savepoint, and answers only after the COMMIT.

use std::sync::{Arc, Mutex, mpsc};

use clavitor_core::change::{Change, Operation, WriteError};
use clavitor_core::limits;
use clavitor_core::order::Seq;
use clavitor_core::replica::{Applied, ApplyError, CommitObserver, ReplicaWrite};
use tempfile::TempDir;

use super::{CELL, Deaf, NONCE, TestClock, VAULT, create, event, id, open, update};
use crate::writer::Log;
use crate::{Store, WriteCounts};

/// What happened, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Happened {
    Observed { head: Seq, watched: Seq, visible: bool },
    Answered(usize, Result<Seq, ApplyError>),
}

struct Recorder {
    store: Store,
    happened: mpsc::Sender<Happened>,
}

impl CommitObserver for Recorder {
    fn committed(&self, head: Seq) {
        let visible = self.store.get(VAULT, id(1)).unwrap().is_some();
        let watched = *self.store.head().borrow();
        self.happened.send(Happened::Observed { head, watched, visible }).unwrap();
    }
}

fn operation(changes: Vec<Change>) -> Operation {
    Operation { changes, ..Operation::default() }
}

/// Queues all before the writer starts, so that they are one group; returns what happened.
fn one_group(store: &Store, operations: Vec<Operation>) -> Vec<Happened> {
    let (happened, events) = mpsc::channel();
    let replica = store.replica();
    for (index, operation) in operations.into_iter().enumerate() {
        let happened = happened.clone();
        let done = move |result: Result<Applied, ApplyError>| {
            let head = result.map(|applied| match applied {
                Applied::Committed(committed) => committed.head,
                other => panic!("not an operation: {other:?}"),
            });
            happened.send(Happened::Answered(index, head)).unwrap();
        };
        replica.submit(ReplicaWrite::Commit(Box::new(operation)), Box::new(done));
    }
    store.start(Arc::new(Recorder { store: store.clone(), happened }));
    store.close().unwrap();
    events.try_iter().collect()
}

fn fresh(replicates: bool) -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("clavitor.db"), replicates).unwrap();
    (folder, store)
}

#[test]
fn a_refused_operation_leaves_the_others_of_its_group() {
    for replicates in [false, true] {
        let (_folder, store) = fresh(replicates);
        let happened = one_group(
            &store,
            vec![
                operation(vec![create(1, b"a")]),
                operation(vec![create(2, b"b"), create(1, b"again")]),
                Operation { audit: vec![event(b"seen")], ..operation(vec![create(3, b"c")]) },
                Operation { audit: vec![event(b"lost")], ..operation(vec![update(9, 1, b"x")]) },
                operation(vec![update(1, 1, b"d")]),
            ],
        );
        let conflict = WriteError::Conflict { index: 1, current: Some(super::Version(1)), deleted: false };
        assert_eq!(
            happened,
            [
                Happened::Observed { head: Seq(3), watched: Seq(3), visible: true },
                Happened::Answered(0, Ok(Seq(1))),
                Happened::Answered(1, Err(ApplyError::Write(conflict))),
                Happened::Answered(2, Ok(Seq(2))),
                Happened::Answered(3, Err(ApplyError::Write(WriteError::NotFound { index: 0 }))),
                Happened::Answered(4, Ok(Seq(3))),
            ]
        );
        assert_eq!(store.write_counts(), WriteCounts { transactions: 1, operations: 5 });
        assert_eq!(store.get(VAULT, id(2)).unwrap(), None);
        let rows = store.audit_rows(0, 9).unwrap();
        assert_eq!(rows.iter().map(|row| row.event.sealed.as_slice()).collect::<Vec<_>>(), [b"seen"]);
        assert_eq!(store.verify_audit().unwrap().broken_at, None);
        let sum = store.recompute_digest().unwrap();
        assert!(!replicates || sum.digest == sum.kept);
    }
}

#[test]
fn the_observer_hears_only_of_a_head_that_moved() {
    let (_folder, store) = fresh(true);
    let audit_only = Operation { audit: vec![event(b"read")], ..Operation::default() };
    let happened = one_group(&store, vec![audit_only, operation(vec![update(1, 1, b"x")])]);
    assert!(!happened.iter().any(|event| matches!(event, Happened::Observed { .. })), "{happened:?}");
    assert_eq!(store.write_counts().transactions, 1);
}

#[test]
fn a_group_of_refusals_is_no_transaction() {
    let (_folder, store) = fresh(true);
    one_group(&store, vec![operation(vec![create(2, b"x"), update(1, 1, b"x")])]);
    assert_eq!(store.write_counts(), WriteCounts { transactions: 0, operations: 1 });
    assert_eq!(store.node().position.seq, Seq::ZERO);
}

#[test]
fn a_full_queue_answers_busy_and_a_closed_one_closed() {
    let (_folder, store) = fresh(false);
    let answers = Arc::new(Mutex::new(Vec::new()));
    let submit = || {
        let answers = Arc::clone(&answers);
        let write = ReplicaWrite::Commit(Box::default());
        store.replica().submit(write, Box::new(move |result| answers.lock().unwrap().push(result)));
    };
    for _ in 0..limits::WRITER_QUEUE_MAX {
        submit();
    }
    assert!(answers.lock().unwrap().is_empty(), "all of the queue waits for the start");
    submit();
    assert_eq!(answers.lock().unwrap().pop(), Some(Err(ApplyError::Write(WriteError::Busy))));
    assert_eq!(super::block_on(store.write(Operation::default())), Err(WriteError::Busy));

    store.close().unwrap();
    let closed = Err(ApplyError::Write(WriteError::Closed));
    let told = std::mem::take(&mut *answers.lock().unwrap());
    assert_eq!(told.len(), limits::WRITER_QUEUE_MAX);
    assert!(told.iter().all(|answer| *answer == closed), "never started: nothing was written");
    assert_eq!(super::block_on(store.write(Operation::default())), Err(WriteError::Closed));
    store.close().unwrap();
    store.start(Arc::new(Deaf));
}

#[test]
fn an_operation_that_finds_no_room_fails_alone_or_with_its_group_and_the_writer_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clavitor.db");
    let clock = Arc::new(TestClock::default());
    let (db, state) = crate::open::open_for_writer(&path, Log::Kept, CELL, NONCE).unwrap();
    let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let max = pages + 40;
    db.pragma_update_and_check(None, "max_page_count", max, |row| row.get::<_, i64>(0)).unwrap();
    let store = Store::assemble(&path, db, state, Log::Kept, NONCE, clock).unwrap();
    store.start(Arc::new(Deaf));
    let write = |changes| super::block_on(store.write(operation(changes)));

    write(vec![create(1, b"fits")]).unwrap();
    let before = store.node();
    let full = write(vec![create(2, &[7; 200_000])]);
    assert!(matches!(full, Err(WriteError::Disk(_))), "{full:?}");
    assert_eq!(store.node(), before);
    assert_eq!(store.get(VAULT, id(2)).unwrap(), None);
    write(vec![update(1, 1, b"still fits")]).unwrap();
    let sum = store.recompute_digest().unwrap();
    assert_eq!((sum.seq, sum.digest), (Seq(2), sum.kept));
    assert_eq!(store.quick_check().unwrap(), [] as [String; 0]);
    store.close().unwrap();
    assert_eq!(open(&path, true).unwrap().node().position.seq, Seq(2));
}
