//! Crashes of real processes: the test starts itself again as a child, which writes until it is ended.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use clavitor_core::change::{Operation, WriteError};
use clavitor_core::ids::RecordId;
use clavitor_core::order::{Epoch, Seq};
use clavitor_core::replica::{Applied, ApplyError, CommitObserver, ReplicaWrite, Role};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Deaf, Node, VAULT, create, event, id, open, update};
use crate::{OpenError, Store};

/// Names the database in a child, and thereby makes it one.
const CHILD_OF: &str = "CLAVITOR_STORE_TEST_CHILD";

/// In a child: the database to work on.
fn database_of_this_child() -> Option<PathBuf> {
    std::env::var_os(CHILD_OF).map(PathBuf::from)
}

/// Starts this test again as a child, by its full name, with SIGXFSZ ignored.
fn child(test: &str, database: &std::path::Path) -> Child {
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(CHILD_OF, database)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn numbered(n: u64) -> Operation {
    let mut bytes = [0xee; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    let mut change = create(0, &n.to_be_bytes());
    change.id = RecordId::from_bytes(bytes);
    Operation { changes: vec![change], audit: vec![event(&n.to_be_bytes())], ..Operation::default() }
}

fn has(store: &Store, n: u64) -> bool {
    let found = store.get(VAULT, numbered(n).changes[0].id).unwrap();
    found.is_some_and(|stored| stored.record.payload == n.to_be_bytes())
}

/// Writes for ever, eight at a time, and says what was acknowledged.
fn write_until_killed(path: &std::path::Path) {
    let store = open(path, true).unwrap();
    store.start(Arc::new(Deaf));
    let replica = store.replica();
    let first = store.node().position.seq.0 + 1;
    let (acknowledged, answers) = std::sync::mpsc::sync_channel(8);
    let mut out = std::io::stdout().lock();
    for n in first.. {
        let acknowledged = acknowledged.clone();
        let done = move |result: Result<_, _>| acknowledged.send((n, result.is_ok())).unwrap();
        replica.submit(ReplicaWrite::Commit(Box::new(numbered(n))), Box::new(done));
        if n >= first + 8 {
            let (n, ok) = answers.recv().unwrap();
            assert!(ok);
            writeln!(out, "acknowledged {n}").unwrap();
        }
    }
}

#[test]
fn every_acknowledged_write_survives_kill_nine() {
    const NAME: &str = "tests::crash::every_acknowledged_write_survives_kill_nine";
    if let Some(path) = database_of_this_child() {
        return write_until_killed(&path);
    }
    let node = Node::member(Role::Primary);
    let path = node.path();
    let _folder = node.close();
    let mut last = 0;
    for round in 1..=6u64 {
        let mut child = child(NAME, &path);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let acknowledged =
            |line: String| line.strip_prefix("acknowledged ").and_then(|n| n.parse::<u64>().ok());
        let wanted = last + 37 * round;
        last = lines.by_ref().filter_map(acknowledged).find(|n| *n >= wanted).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still said before it died counts as well.
        last = lines.filter_map(acknowledged).fold(last, u64::max);

        let store = open(&path, true).unwrap();
        let head = store.node().position.seq;
        assert!(head >= Seq(last), "acknowledged {last}, there is {head}");
        assert!((1..=head.0).all(|n| has(&store, n)), "all that is numbered is there");
        let (sum, audit) = (store.recompute_digest().unwrap(), store.verify_audit().unwrap());
        assert_eq!((sum.seq, sum.digest), (head, sum.kept));
        assert_eq!((audit.rows, audit.broken_at), (head.0, None), "each with its audit row");
        assert_eq!(store.quick_check().unwrap(), [] as [String; 0]);
        last = head.0;
    }
}

#[test]
fn a_commit_that_finds_no_room_is_answered_and_the_writer_goes_on() {
    const NAME: &str = "tests::crash::a_commit_that_finds_no_room_is_answered_and_the_writer_goes_on";
    if let Some(path) = database_of_this_child() {
        return write_without_room(&path);
    }
    let node = Node::member(Role::Primary);
    let path = node.path();
    let folder = node.close();
    let output = child(NAME, &path).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let store = open(&path, true).unwrap();
    assert_eq!(store.node().position.seq, Seq(4));
    assert!((1..=4).all(|n| has(&store, n)));
    drop(folder);
}

/// The size of every file of this process is limited for a while: the kernel refuses to let the log grow.
fn write_without_room(path: &std::path::Path) {
    let store = open(path, true).unwrap();
    let before = store.node();
    let full = |refused: Result<Seq, WriteError>| {
        assert!(matches!(refused, Err(WriteError::Disk(_))), "{refused:?}");
        assert_eq!(store.node(), before, "heads are where they were");
        assert!(!has(&store, 1));
    };
    let unlimited = getrlimit(Resource::Fsize);
    let wal = std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
    setrlimit(Resource::Fsize, Rlimit { current: Some(wal), maximum: unlimited.maximum }).unwrap();

    // Queued before the start, so that they are one group; the second would be refused in any case.
    let (done, answers) = std::sync::mpsc::channel();
    let missing = Operation { changes: vec![update(1, 1, b"x")], ..Operation::default() };
    for operation in [numbered(1), missing, numbered(2)] {
        let done = done.clone();
        let answer = move |result: Result<Applied, ApplyError>| {
            let refused = result.map(|_| Seq::ZERO).map_err(|error| match error {
                ApplyError::Write(error) => error,
                other => panic!("{other}"),
            });
            done.send(refused).unwrap();
        };
        store.replica().submit(ReplicaWrite::Commit(Box::new(operation)), Box::new(answer));
    }
    store.start(Arc::new(Deaf));
    for _ in 0..3 {
        full(answers.recv().unwrap());
    }
    let write = |n| super::block_on(store.write(numbered(n))).map(|committed| committed.head);
    full(write(1));

    setrlimit(Resource::Fsize, unlimited).unwrap();
    for n in 1..=4 {
        assert_eq!(write(n), Ok(Seq(n)));
    }
    let sum = store.recompute_digest().unwrap();
    assert_eq!((sum.seq, sum.digest), (Seq(4), sum.kept));
    assert_eq!(store.verify_audit().unwrap().broken_at, None);
    assert_eq!(store.quick_check().unwrap(), [] as [String; 0]);
}

#[test]
fn a_take_over_that_finds_no_room_leaves_the_file_as_it_was() {
    const NAME: &str = "tests::crash::a_take_over_that_finds_no_room_leaves_the_file_as_it_was";
    if let Some(path) = database_of_this_child() {
        // As large as the copy needs, and less than the log of all records takes.
        let size = std::fs::metadata(&path).unwrap().len();
        let unlimited = getrlimit(Resource::Fsize);
        setrlimit(Resource::Fsize, Rlimit { current: Some(size), maximum: unlimited.maximum }).unwrap();
        let refused = open(&path, true).err().unwrap();
        assert!(matches!(refused, OpenError::Sqlite { .. }), "{refused:?}");
        return;
    }
    let node = Node::new(false);
    for n in 1..=200 {
        node.change(vec![create(n, b"x"), update(n, 1, &[n; 3_000])]).unwrap();
    }
    let path = node.path();
    let folder = node.close();
    let output = child(NAME, &path).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let community = open(&path, false).unwrap();
    assert_eq!((community.node().position.seq, community.node().position.history), (Seq(400), Epoch::NONE));
    community.close().unwrap();
    let taken = open(&path, true).unwrap();
    assert_eq!((taken.node().position.seq, taken.node().position.history.number), (Seq(200), 1));
    assert!((1..=200).all(|n| taken.get(VAULT, id(n)).unwrap().unwrap().record.payload == [n; 3_000]));
    assert_eq!(taken.recompute_digest().unwrap().digest, taken.node().digest);
    drop(folder);
}

#[test]
fn a_panic_of_the_writer_ends_the_process() {
    const NAME: &str = "tests::crash::a_panic_of_the_writer_ends_the_process";
    struct Panics;
    impl CommitObserver for Panics {
        fn committed(&self, _head: Seq) {
            panic!("an observer that breaks its word");
        }
    }
    if let Some(path) = database_of_this_child() {
        let store = open(&path, true).unwrap();
        store.start(Arc::new(Panics));
        let answer = super::block_on(store.write(numbered(1)));
        // Not reached: the process is gone before anybody is answered.
        writeln!(std::io::stdout().lock(), "answered {answer:?}").unwrap();
        return;
    }
    let node = Node::member(Role::Primary);
    let path = node.path();
    let _folder = node.close();
    let output = child(NAME, &path).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("answered"), "{said}");
    assert!(has(&open(&path, true).unwrap(), 1), "what was committed stands");
}
