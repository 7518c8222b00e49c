//! What is opened, what is refused, and what is left as it was.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clavitor_core::change::{Change, Content, Expect, LocalChange, Operation, WriteError};
use clavitor_core::ids::{CellId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::order::{Chain, Epoch, Seq, Version};
use clavitor_core::record::{Lookup, purpose};
use clavitor_core::replica::{Adopt, ReplicaWrite, Role};
use clavitor_crypto::chain;
use rusqlite::Connection;

use super::{ALL, CELL, Deaf, NONCE, Node, VAULT, create, delete, event, id, open, title, update};
use crate::OpenError;
use crate::open::{MIGRATIONS, Migration, migrate};

/// The cell of a node that has left.
const NEW_CELL: CellId = CellId::from_bytes([0x0e; 16]);

fn refused(path: &Path, replicates: bool) -> OpenError {
    match open(path, replicates) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

/// A closed community database with three records, one of them a tombstone.
fn community() -> tempfile::TempDir {
    let node = Node::new(false);
    node.change(vec![create(1, b"a"), create(2, b"b")]).unwrap();
    node.write(Operation {
        audit: vec![event(b"row")],
        changes: vec![create(3, b"c")],
        ..Operation::default()
    })
    .unwrap();
    node.change(vec![update(1, 1, b"a2")]).unwrap();
    node.change(vec![delete(2, 1)]).unwrap();
    node.close()
}

fn replicating() -> tempfile::TempDir {
    let node = Node::member(Role::Primary);
    node.change(vec![create(1, b"a")]).unwrap();
    node.change(vec![create(2, b"b"), create(3, b"c")]).unwrap();
    node.close()
}

#[test]
fn a_new_database_is_private_and_counts_its_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clavitor.db");
    for starts in 1..=3 {
        let store = open(&path, false).unwrap();
        assert_eq!(store.node().starts, starts);
        assert_eq!((store.node().cell, store.node().role), (CELL, Role::Primary));
        assert_eq!(store.quick_check().unwrap(), [] as [String; 0]);
        store.close().unwrap();
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!folder.path().join("clavitor.db.new").exists());
}

#[test]
fn the_settings_that_durability_rests_on_are_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clavitor.db");
    let (db, _) = crate::open::open_for_writer(&path, crate::writer::Log::None, CELL, NONCE).unwrap();
    let value = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(value("synchronous"), 2, "FULL");
    assert_eq!((value("secure_delete"), value("foreign_keys"), value("trusted_schema")), (1, 1, 0));
    assert_eq!((value("wal_autocheckpoint"), value("cache_size")), (4000, -4096));
    let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let reader = crate::open::open_reader(&path).unwrap();
    assert!(reader.execute("DELETE FROM meta", []).is_err(), "a reader cannot write");
}

#[test]
fn all_that_was_acknowledged_is_there_after_a_drop_without_close() {
    let node = Node::member(Role::Primary);
    let path = node.path();
    let Node { store, folder } = node;
    for number in 1..=20 {
        let write = Operation { changes: vec![create(number, &[number])], ..Operation::default() };
        super::block_on(store.write(write)).unwrap();
    }
    let before = store.node();
    drop(store);
    let store = open(&path, true).unwrap();
    assert_eq!((store.node().position, store.node().digest), (before.position, before.digest));
    assert_eq!(store.count(Some(VAULT), Kind::ENTRY).unwrap(), 20);
    drop(folder);
}

#[test]
fn a_file_that_is_something_else_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clavitor.db");
    for bytes in [b"".as_slice(), b"short", &[0x5a; 4096]] {
        std::fs::write(&path, bytes).unwrap();
        let error = refused(&path, false);
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "untouched");
    }
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(matches!(refused(&path, false), OpenError::NotADatabase { .. }));
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "untouched");
    assert!(matches!(refused(folder.path(), false), OpenError::Io { .. }));
    assert!(matches!(refused(&folder.path().join("no/such/folder.db"), false), OpenError::Io { .. }));
}

#[test]
fn a_damaged_file_is_named_and_left_as_it_is() {
    let folder = community();
    let path = folder.path().join("clavitor.db");
    let good = std::fs::read(&path).unwrap();
    for (from, to) in [(100, 4096), (16, 100)] {
        let mut bytes = good.clone();
        bytes[from..to].fill(0xff);
        std::fs::write(&path, &bytes).unwrap();
        let error = refused(&path, false);
        let named = matches!(error, OpenError::Damaged { .. } | OpenError::NotADatabase { .. });
        assert!(named, "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "untouched");
        assert!(error.to_string().contains("it was left as it is: "), "{error}");
    }
    std::fs::write(&path, &good).unwrap();
    assert_eq!(open(&path, false).unwrap().count(None, Kind::ENTRY).unwrap(), 2);
}

#[test]
fn a_write_ahead_log_without_its_file_is_no_fresh_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clavitor.db");
    std::fs::write(folder.path().join("clavitor.db-wal"), b"changes").unwrap();
    assert!(matches!(refused(&path, false), OpenError::Damaged { .. }));
    assert!(!path.exists());
}

#[test]
fn a_newer_schema_is_refused_with_both_numbers() {
    let folder = community();
    let path = folder.path().join("clavitor.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let error = refused(&path, false);
    assert!(matches!(error, OpenError::NewerSchema { found: 9, known: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("schema 9") && error.to_string().contains("up to 1"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "untouched");
}

#[test]
fn an_older_schema_is_copied_then_migrated() {
    let folder = community();
    let path = folder.path().join("clavitor.db");
    let steps = |bad: bool| {
        let sql = if bad { "CREATE TABLE more (x); SELECT nonsense" } else { "CREATE TABLE more (x)" };
        [Migration { number: 1, sql: MIGRATIONS[0].sql }, Migration { number: 2, sql }]
    };
    let mut db = Connection::open(&path).unwrap();
    let version =
        |db: &Connection| -> i64 { db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap() };
    assert!(migrate(&mut db, &path, &steps(true)).is_err());
    assert_eq!(version(&db), 1, "a step that fails leaves nothing");
    migrate(&mut db, &path, &steps(false)).unwrap();
    assert_eq!(version(&db), 2);
    db.execute("INSERT INTO more VALUES (1)", []).unwrap();

    let copy = folder.path().join("clavitor.db.before-schema-2");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = open(&copy, false).unwrap();
    assert_eq!(restored.count(None, Kind::ENTRY).unwrap(), 2);
}

#[test]
fn a_log_that_contradicts_the_node_is_damage() {
    for edit in [
        "UPDATE log SET bytes = x'00' WHERE seq = 3",
        "UPDATE log SET chain = zeroblob(32) WHERE seq = 3",
        "UPDATE log SET chain = zeroblob(32) WHERE seq = 2",
        "UPDATE log SET digest = zeroblob(32) WHERE seq = 3",
        "UPDATE log SET operation_end = 0 WHERE seq = 3",
        "DELETE FROM log WHERE seq = 3",
        "DELETE FROM log WHERE seq = 2",
        "DELETE FROM log",
        "UPDATE meta SET head = 2",
        "UPDATE meta SET chain = zeroblob(32)",
        "UPDATE meta SET digest = zeroblob(32)",
        "INSERT INTO log SELECT 4, bytes, 1, digest, chain FROM log WHERE seq = 3",
        "DELETE FROM meta",
    ] {
        let folder = replicating();
        let path = folder.path().join("clavitor.db");
        Connection::open(&path).unwrap().execute_batch(edit).unwrap();
        let error = refused(&path, true);
        assert!(matches!(error, OpenError::Damaged { .. }), "{edit}: {error:?}");
        assert!(error.to_string().contains("restore a backup"), "{error}");
    }
}

#[test]
fn an_edition_that_does_not_replicate_refuses_a_history_until_it_is_left() {
    let folder = replicating();
    let path = folder.path().join("clavitor.db");
    let error = refused(&path, false);
    assert!(matches!(error, OpenError::HasHistory { .. }), "{error:?}");
    assert!(error.to_string().contains("clavitor replication leave"), "{error}");
    let history = open(&path, true).unwrap().node().position.history;

    assert!(crate::leave_replication(&path, NEW_CELL, "server/").unwrap());
    let another = CellId::from_bytes([9; 16]);
    assert!(
        !crate::leave_replication(&path, another, "server/").unwrap(),
        "there is no cell to leave any more"
    );
    let store = open(&path, false).unwrap();
    store.start(std::sync::Arc::new(Deaf));
    let node = store.node();
    assert_eq!(node.cell, NEW_CELL, "leaving no cell changes nothing");
    assert_eq!((node.position.seq, node.position.history), (Seq(3), Epoch::NONE));
    assert_eq!((node.pop, node.position.chain), (None, Chain::ZERO));
    assert_eq!(store.count(None, Kind::ENTRY).unwrap(), 3, "the records stay");
    super::block_on(store.write(Operation { changes: vec![create(4, b"d")], ..Operation::default() }))
        .unwrap();
    store.close().unwrap();

    let again = open(&path, true).unwrap().node();
    assert!(again.position.history > history, "a later history stands above what the file knew");
    assert_eq!(again.position.seq, Seq(4));
}

#[test]
fn a_joined_backup_without_changes_is_refused_as_well() {
    let node = Node::member(Role::Backup);
    let path = node.path();
    let _folder = node.close();
    assert!(matches!(refused(&path, false), OpenError::HasHistory { .. }));
    assert!(matches!(
        crate::leave_replication(&path.with_extension("other"), NEW_CELL, "server/"),
        Err(OpenError::Missing { .. })
    ));
}

/// A change of a member's record.
fn pop(number: u8, expect: Expect, content: Option<Content>) -> Change {
    Change { id: id(number), vault_id: VaultId::NIL, kind: Kind::POP, expect, content }
}

#[test]
fn whoever_leaves_a_cell_takes_nothing_of_it_along() {
    let primary = Node::member(Role::Primary);
    let lookup = Lookup { purpose: purpose::POP_NAME, hash: [9; 32] };
    let member = || Some(Content { lookups: vec![lookup], payload: b"pin".to_vec() });
    primary.change(vec![create(1, b"a"), pop(11, Expect::Absent, member())]).unwrap();
    primary.change(vec![pop(12, Expect::Absent, member()), create(2, b"b")]).unwrap();
    primary.change(vec![pop(12, Expect::Version(Version(1)), None)]).unwrap();
    let backup = Node::member(Role::Backup);
    backup.apply(super::sent(primary.log(0, super::ALL))).unwrap();
    let key = |key: &str| LocalChange { key: key.to_owned(), value: Some(vec![1]) };
    let local = ["replication/bootstrap-pin", "invitation/x", "server/keyring", "server0"].map(key).to_vec();
    backup.write(Operation { local, ..Operation::default() }).unwrap();
    let seen = backup.store.node().epoch_seen;
    let path = backup.path();
    let _folder = backup.close();

    crate::leave_replication(&path, NEW_CELL, "server/").unwrap();
    let check = |store: &crate::Store, entries: u64| {
        let node = store.node();
        assert_eq!((node.cell, node.role, node.pop), (NEW_CELL, Role::Primary, None));
        assert_eq!(
            (store.count(None, Kind::ENTRY).unwrap(), store.count(None, Kind::POP).unwrap()),
            (entries, 0)
        );
        assert!(store.find(VaultId::NIL, &lookup, None, 9).unwrap().is_empty());
        assert!(store.get(VaultId::NIL, id(12)).unwrap().is_none(), "tombstones go too");
        let local = store.replica().local_with_prefix("").unwrap();
        assert_eq!(local.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["server/keyring"]);
    };
    let community = open(&path, false).unwrap();
    community.start(std::sync::Arc::new(Deaf));
    check(&community, 2);
    super::block_on(community.write(Operation { changes: vec![create(3, b"c")], ..Operation::default() }))
        .unwrap();
    community.close().unwrap();

    let store = open(&path, true).unwrap();
    store.start(std::sync::Arc::new(Deaf));
    check(&store, 3);
    let adopt = Adopt { cell: None, pop: "oslo-01".parse().unwrap(), role: Role::Primary, local: Vec::new() };
    super::submit(&*store.replica(), ReplicaWrite::Adopt(Box::new(adopt))).unwrap();
    let node = store.node();
    assert_eq!((node.cell, node.position.seq), (NEW_CELL, Seq(3)), "numbered anew without a gap");
    assert!(node.position.history > seen);
    let sum = store.recompute_digest().unwrap();
    assert_eq!((sum.digest, store.verify_audit().unwrap().rows), (sum.kept, 0));
    store.close().unwrap();
}

#[test]
fn the_last_epoch_has_none_above_it() {
    let folder = community();
    let path = folder.path().join("clavitor.db");
    let last = crate::columns::epoch_bytes(Epoch { number: u64::MAX, nonce: 1 });
    Connection::open(&path).unwrap().execute("UPDATE meta SET epoch_seen = ?1", [last]).unwrap();
    let error = refused(&path, true);
    assert!(matches!(error, OpenError::Damaged { .. }) && error.to_string().contains("epoch"), "{error}");
    assert!(!folder.path().join("clavitor.db.before-replication").exists());
    Connection::open(&path).unwrap().execute("DELETE FROM records", []).unwrap();
    Connection::open(&path).unwrap().execute("UPDATE meta SET head = 0", []).unwrap();
    let store = open(&path, true).unwrap();
    store.start(std::sync::Arc::new(Deaf));
    let operation = Operation { changes: vec![create(1, b"a")], ..Operation::default() };
    let error = super::block_on(store.write(operation)).unwrap_err();
    assert!(matches!(&error, WriteError::Disk(text) if text.contains("epoch")), "{error:?}");
}

#[test]
fn a_community_file_is_taken_over_in_one_migration() {
    let folder = community();
    let path = folder.path().join("clavitor.db");
    let community = open(&path, false).unwrap();
    let before: Vec<_> = (1..=3).map(|n| community.get(VAULT, id(n)).unwrap().unwrap()).collect();
    let head_before = community.node().position.seq;
    community.close().unwrap();
    assert_eq!(head_before, Seq(5));

    let store = open(&path, true).unwrap();
    let node = store.node();
    assert_eq!(node.position.history, Epoch { number: 1, nonce: NONCE });
    assert_eq!((node.epoch_seen, node.position.seq), (node.position.history, Seq(3)));
    // The old order was: 3 at seq 3, 1 at seq 4, the tombstone of 2 at seq 5.
    let after: Vec<_> = (1..=3).map(|n| store.get(VAULT, id(n)).unwrap().unwrap()).collect();
    assert_eq!(after.iter().map(|stored| stored.seq.0).collect::<Vec<_>>(), [2, 3, 1]);
    let records = |stored: &[clavitor_core::record::StoredRecord]| {
        stored.iter().map(|stored| stored.record.clone()).collect::<Vec<_>>()
    };
    assert_eq!(records(&after), records(&before), "records keep their bytes");

    let batch = store.replica().read_log(Seq::ZERO, ALL).unwrap();
    let mut chained = Chain::ZERO;
    for entry in &batch.entries {
        chained = chain::chain_next(&chained, entry.seq, &chain::record_hash(&entry.record));
        assert!(entry.operation_end);
    }
    assert_eq!((batch.entries.len(), chained, batch.end), (3, node.position.chain, node.position));
    let sum = store.recompute_digest().unwrap();
    assert_eq!((sum.digest, sum.kept), (node.digest, node.digest));
    assert_eq!(store.verify_audit().unwrap().rows, 1);
    assert!(store.find(VAULT, &title(1), None, 1).unwrap().is_empty());

    store.close().unwrap();
    assert_eq!(open(&path, true).unwrap().node().position, node.position, "it happens once");
    let copy = open(&folder.path().join("clavitor.db.before-replication"), false).unwrap();
    assert_eq!(copy.node().position.seq, Seq(5), "the copy is as it was");
}

#[test]
fn local_values_are_found_by_prefix() {
    let node = Node::new(false);
    let set = |key: &str| LocalChange { key: key.to_owned(), value: Some(key.as_bytes().to_vec()) };
    let local = ["a/1", "a/2", "a", "b/1", "a0"].map(set).to_vec();
    node.write(Operation { local, ..Operation::default() }).unwrap();
    let found = node.store.replica().local_with_prefix("a/").unwrap();
    assert_eq!(found.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a/1", "a/2"]);
    assert_eq!(node.store.replica().local("b/1").unwrap().as_deref(), Some(b"b/1".as_slice()));
}
