//! The audit chain finds every edit.

use clavitor_core::change::Operation;
use clavitor_core::order::Seq;
use rusqlite::Connection;

use super::{Node, create, event, open};

fn row(sealed: &[u8]) -> Operation {
    Operation { audit: vec![event(sealed)], ..Operation::default() }
}

#[test]
fn rows_are_chained_and_go_on_after_a_restart() {
    let node = Node::new(false);
    node.write(row(b"first")).unwrap();
    node.write(Operation { changes: vec![create(1, b"x")], ..row(b"second") }).unwrap();
    let path = node.path();
    let folder = node.close();
    let store = open(&path, false).unwrap();
    store.start(std::sync::Arc::new(super::Deaf));
    super::block_on(store.write(row(b"third"))).unwrap();

    let rows = store.audit_rows(0, 10).unwrap();
    assert_eq!(rows.iter().map(|row| row.n).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(rows[2].event, event(b"third"));
    assert_eq!(store.audit_rows(1, 1).unwrap(), rows[1..2]);
    let check = store.verify_audit().unwrap();
    assert_eq!((check.rows, check.broken_at, check.head), (3, None, rows[2].chain));
    assert_eq!(*store.head().borrow(), Seq(1), "audit rows have no place in the order");
    drop(folder);
}

#[test]
fn the_formula_is_fixed() {
    let node = Node::new(false);
    node.write(row(b"first")).unwrap();
    let mut input = b"clavitor/v1/audit".to_vec();
    input.extend([0; 32]);
    input.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    input.extend([0, 0, 0, 0, 0, 0, 0, 5]);
    input.extend([0xaa; 16]);
    input.extend(clavitor_crypto::sha256(b"first"));
    assert_eq!(node.store.verify_audit().unwrap().head, clavitor_crypto::sha256(&input));
}

#[test]
fn an_edit_by_another_hand_is_found() {
    let check = |edit: &str, broken_at: Option<u64>| {
        let node = Node::new(false);
        for sealed in [b"1", b"2", b"3", b"4"] {
            node.write(row(sealed)).unwrap();
        }
        let hand = Connection::open(node.path()).unwrap();
        hand.execute_batch(edit).unwrap();
        assert_eq!(node.store.verify_audit().unwrap().broken_at, broken_at, "{edit}");
    };
    check("SELECT 1", None);
    check("UPDATE audit SET sealed = x'ff' WHERE n = 2", Some(2));
    check("UPDATE audit SET at_ms = 6 WHERE n = 3", Some(3));
    check("UPDATE audit SET vault_id = zeroblob(16) WHERE n = 1", Some(1));
    check("UPDATE audit SET chain = zeroblob(32) WHERE n = 4", Some(4));
    check("DELETE FROM audit WHERE n = 2", Some(2));
    check("DELETE FROM audit WHERE n = 4", Some(4));
    check("DELETE FROM audit", Some(1));
    check("INSERT INTO audit SELECT 5, at_ms, vault_id, sealed, chain FROM audit WHERE n = 4", Some(5));
}
