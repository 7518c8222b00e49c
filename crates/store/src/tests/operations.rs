//! What one operation may do, and what it is refused for.

use clavitor_core::change::{Change, Content, Expect, Guard, LocalChange, Operation, WriteError};
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::{Digest, Position, Seq, Version};

use super::{Node, VAULT, change, create, delete, event, id, title, update};

#[test]
fn a_record_is_created_read_updated_and_deleted() {
    let node = Node::new(false);
    let made = node.change(vec![create(1, b"one")]).unwrap();
    assert_eq!((made.head, made.versions), (Seq(1), vec![Version(1)]));
    let updated = node.change(vec![update(1, 1, b"two")]).unwrap();
    assert_eq!((updated.head, updated.versions), (Seq(2), vec![Version(2)]));
    let stored = node.store.get(VAULT, id(1)).unwrap().unwrap();
    assert_eq!((stored.seq, stored.record.version), (Seq(2), Version(2)));
    assert_eq!(stored.record.payload, b"two");
    assert!(stored.record.updated_at_ms >= 1_000);

    let deleted = node.change(vec![delete(1, 2)]).unwrap();
    assert_eq!((deleted.head, deleted.versions), (Seq(3), vec![Version(3)]));
    let tombstone = node.store.get(VAULT, id(1)).unwrap().unwrap();
    assert!(tombstone.record.deleted && tombstone.record.payload.is_empty());
    assert_eq!(tombstone.seq, Seq(3));
    assert_eq!(node.store.count(None, Kind::ENTRY).unwrap(), 0);
    assert_eq!(*node.store.head().borrow(), Seq(3));
}

#[test]
fn a_node_that_does_not_replicate_keeps_no_log() {
    let node = Node::new(false);
    node.change(vec![create(1, b"one"), create(2, b"two")]).unwrap();
    let state = node.store.node();
    assert_eq!(state.position, Position { seq: Seq(2), ..Position::default() });
    assert_eq!(state.digest, Digest::ZERO);
    assert!(node.log(0, super::ALL).entries.is_empty());
}

#[test]
fn an_expectation_that_does_not_hold_is_refused() {
    let node = Node::new(true);
    node.change(vec![create(1, b"living"), create(2, b"to go")]).unwrap();
    node.change(vec![delete(2, 1)]).unwrap();
    let before = node.store.node();
    let living = WriteError::Conflict { index: 0, current: Some(Version(1)), deleted: false };
    let tombstone = WriteError::Conflict { index: 0, current: None, deleted: true };
    let missing = WriteError::NotFound { index: 0 };
    for (change, expected) in [
        (create(1, b"x"), &living),
        (update(1, 2, b"x"), &living),
        (update(1, 0, b"x"), &living),
        (update(1, u64::MAX, b"x"), &living),
        (delete(1, 7), &living),
        (create(2, b"x"), &tombstone),
        (update(2, 2, b"x"), &tombstone),
        (delete(2, 2), &tombstone),
        (update(3, 1, b"x"), &missing),
        (delete(3, 1), &missing),
        (change(3, Expect::Absent, None), &missing),
    ] {
        assert_eq!(node.change(vec![change.clone()]).as_ref(), Err(expected), "{change:?}");
    }
    assert_eq!(node.store.node(), before, "a refusal changes nothing");
}

#[test]
fn a_change_never_moves_a_record() {
    let node = Node::new(false);
    node.change(vec![create(1, b"x")]).unwrap();
    let other_vault = Change { vault_id: VaultId::from_bytes([1; 16]), ..update(1, 1, b"y") };
    let other_kind = Change { kind: Kind::SCOPE, ..update(1, 1, b"y") };
    let taken_elsewhere = Change { vault_id: VaultId::from_bytes([1; 16]), ..create(1, b"y") };
    for change in [other_vault, other_kind, taken_elsewhere] {
        assert_eq!(node.change(vec![create(9, b"x"), change]), Err(WriteError::Foreign { index: 1 }));
    }
    assert_eq!(node.store.get(VAULT, id(9)).unwrap(), None, "all of an operation, or nothing");
    assert_eq!(
        node.store.get(VaultId::from_bytes([1; 16]), id(1)).unwrap(),
        None,
        "reads stay in their vault"
    );
}

#[test]
fn a_later_change_that_fails_takes_the_earlier_ones_with_it() {
    let node = Node::new(true);
    node.change(vec![create(1, b"x")]).unwrap();
    let before = node.store.node();
    let operation = Operation {
        changes: vec![create(2, b"x"), update(1, 1, b"y"), delete(1, 1)],
        local: vec![LocalChange { key: "a/b".to_owned(), value: Some(vec![1]) }],
        audit: vec![event(b"row")],
        ..Operation::default()
    };
    let conflict = WriteError::Conflict { index: 2, current: Some(Version(2)), deleted: false };
    assert_eq!(node.write(operation), Err(conflict));
    assert_eq!(node.store.node(), before);
    assert_eq!(node.store.get(VAULT, id(1)).unwrap().unwrap().record.payload, b"x");
    assert_eq!(node.store.local("a/b").unwrap(), None);
    assert!(node.store.audit_rows(0, 10).unwrap().is_empty());
    node.change(vec![create(2, b"z")]).unwrap();
    assert_eq!(*node.store.head().borrow(), Seq(2), "no place in the order is lost");
    let sum = node.store.recompute_digest().unwrap();
    assert_eq!(sum.digest, sum.kept);
}

#[test]
fn one_operation_may_touch_a_record_twice() {
    let node = Node::new(true);
    let made = node.change(vec![create(1, b"x"), update(1, 1, b"y"), delete(1, 2)]).unwrap();
    assert_eq!(made.versions, [Version(1), Version(2), Version(3)]);
    let sum = node.store.recompute_digest().unwrap();
    assert_eq!((sum.seq, sum.digest), (Seq(3), sum.kept));
}

#[test]
fn guards_are_checked_first() {
    let node = Node::new(false);
    let vault = |number| Change { kind: Kind::VAULT, ..create(number, b"vault") };
    let first = |number| Operation {
        guards: vec![Guard::NoRecordOfKind(Kind::VAULT)],
        changes: vec![vault(number)],
        ..Operation::default()
    };
    node.write(first(1)).unwrap();
    assert_eq!(node.write(first(2)), Err(WriteError::Guard { index: 0 }));

    let named = change(3, Expect::Absent, Some(Content { lookups: vec![title(3)], payload: vec![] }));
    let unique = |number| Operation {
        guards: vec![Guard::LookupAbsent { vault_id: VAULT, lookup: title(number) }],
        changes: vec![Change { id: id(4), ..named.clone() }],
        ..Operation::default()
    };
    node.change(vec![named.clone()]).unwrap();
    assert_eq!(node.write(unique(3)), Err(WriteError::Guard { index: 0 }));
    node.write(unique(9)).unwrap();

    let swap = |from: Option<&[u8]>, to: Option<&[u8]>| Operation {
        guards: vec![Guard::LocalIs { key: "a/b".to_owned(), value: from.map(<[u8]>::to_vec) }],
        local: vec![LocalChange { key: "a/b".to_owned(), value: to.map(<[u8]>::to_vec) }],
        ..Operation::default()
    };
    node.write(swap(None, Some(b"1"))).unwrap();
    assert_eq!(node.write(swap(None, Some(b"2"))), Err(WriteError::Guard { index: 0 }));
    assert_eq!(node.write(swap(Some(b"0"), Some(b"2"))), Err(WriteError::Guard { index: 0 }));
    assert_eq!(node.store.local("a/b").unwrap().as_deref(), Some(b"1".as_slice()));
    node.write(swap(Some(b"1"), None)).unwrap();
    assert_eq!(node.store.local("a/b").unwrap(), None);
}

#[test]
fn what_is_over_a_limit_is_refused() {
    let node = Node::new(false);
    let numbered = |n: usize| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        Change { id: RecordId::from_bytes(bytes), ..create(0, b"") }
    };
    let too_large = |what, max| Err(WriteError::TooLarge { what, max });
    let changes: Vec<_> = (1..=limits::OPERATION_RECORDS_MAX + 1).map(numbered).collect();
    assert_eq!(node.change(changes.clone()), too_large("records", limits::OPERATION_RECORDS_MAX));
    let huge = create(1, &vec![0; limits::RECORD_BYTES_MAX]);
    assert_eq!(node.change(vec![huge]), too_large("bytes of one record", limits::RECORD_BYTES_MAX));
    let half = vec![0; limits::OPERATION_BYTES_MAX / 2];
    let both = vec![create(1, &half), create(2, &half)];
    assert_eq!(node.change(both), too_large("bytes", limits::OPERATION_BYTES_MAX));
    assert_eq!(*node.store.head().borrow(), Seq::ZERO);
    node.change(changes[..limits::OPERATION_RECORDS_MAX].to_vec()).unwrap();
}

#[test]
fn lookups_follow_their_record() {
    let node = Node::new(false);
    let found = |number| {
        let records = node.store.find(VAULT, &title(number), None, 10).unwrap();
        records.iter().map(|stored| stored.record.id).collect::<Vec<_>>()
    };
    let with = |lookups: &[u8]| {
        let lookups = lookups.iter().map(|number| title(*number)).collect();
        Some(Content { lookups, payload: b"p".to_vec() })
    };
    node.change(vec![change(1, Expect::Absent, with(&[1, 2, 2])), change(2, Expect::Absent, with(&[2]))])
        .unwrap();
    assert_eq!((found(1), found(2)), (vec![id(1)], vec![id(1), id(2)]));
    node.change(vec![change(1, Expect::Version(Version(1)), with(&[2, 3]))]).unwrap();
    assert_eq!((found(1), found(2), found(3)), (vec![], vec![id(1), id(2)], vec![id(1)]));
    assert_eq!(node.store.find(VAULT, &title(2), None, 1).unwrap().len(), 1, "the limit holds");
    let above = node.store.find(VAULT, &title(2), Some(id(1)), 9).unwrap();
    assert_eq!(above.iter().map(|stored| stored.record.id).collect::<Vec<_>>(), [id(2)], "only those above");
    assert!(node.store.find(VAULT, &title(2), Some(id(2)), 9).unwrap().is_empty());
    assert!(
        node.store.find(VaultId::NIL, &title(2), None, 9).unwrap().is_empty(),
        "a lookup stays in its vault"
    );
    node.change(vec![delete(1, 2)]).unwrap();
    assert_eq!((found(2), found(3)), (vec![id(2)], vec![]));

    let path = node.path();
    let folder = node.close();
    crate::rebuild_lookups(&path).unwrap();
    let store = super::open(&path, false).unwrap();
    assert_eq!(store.find(VAULT, &title(2), None, 9).unwrap().len(), 1);
    assert!(store.find(VAULT, &title(3), None, 9).unwrap().is_empty());
    drop(folder);
}

#[test]
fn lists_come_in_pages_of_living_records() {
    let node = Node::new(false);
    node.change((1..=9).map(|number| create(number, &[number])).collect()).unwrap();
    node.change(vec![Change { kind: Kind::SCOPE, ..create(20, b"s") }, delete(4, 1)]).unwrap();
    let other = Change { vault_id: VaultId::from_bytes([1; 16]), ..create(21, b"o") };
    node.change(vec![other]).unwrap();
    let page = |after: Option<u8>, limit| {
        let records = node.store.list(VAULT, Kind::ENTRY, after.map(id), limit).unwrap();
        records.iter().map(|stored| stored.record.id.as_bytes()[0]).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 3), [1, 2, 3]);
    assert_eq!(page(Some(3), 3), [5, 6, 7]);
    assert_eq!(page(Some(7), 3), [8, 9]);
    assert_eq!(page(Some(9), 3), [] as [u8; 0]);
    assert_eq!(node.store.count(Some(VAULT), Kind::ENTRY).unwrap(), 8);
    assert_eq!(node.store.count(None, Kind::ENTRY).unwrap(), 9);
    assert_eq!(node.store.replica().records_of_kind(Kind::SCOPE).unwrap().len(), 1);
}

#[test]
fn an_empty_operation_costs_nothing() {
    let node = Node::new(false);
    assert_eq!(node.write(Operation::default()).unwrap().head, Seq::ZERO);
    assert_eq!(node.store.write_counts().transactions, 0);
    assert_eq!(node.store.write_counts().operations, 1);
}
