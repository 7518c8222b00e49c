//! Random operations against a map in memory, and a backup fed by random cuts.

use std::collections::BTreeMap;

use clavitor_core::change::{Change, Content, Expect, Operation, WriteError};
use clavitor_core::kind::Kind;
use clavitor_core::order::Version;
use clavitor_core::record::Lookup;
use clavitor_core::replica::{BatchLimits, Role};
use proptest::prelude::*;

use super::{ALL, Deaf, Node, VAULT, change, event, id, open, sent, title};

/// What the model knows of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Modelled {
    version: Version,
    content: Option<Content>,
}

type Model = BTreeMap<u8, Modelled>;

#[derive(Debug, Clone)]
struct Step {
    number: u8,
    expect: Guess,
    content: Option<Content>,
}

/// What the step claims; most claims hold.
#[derive(Debug, Clone, Copy)]
enum Guess {
    Right,
    Absent,
    Wrong(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let guess = prop_oneof![
        8 => Just(Guess::Right),
        1 => Just(Guess::Absent),
        1 => (0..4u64).prop_map(Guess::Wrong),
    ];
    let lookups = prop::collection::btree_set(0..4u8, 0..3);
    let content = (lookups, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(lookups, payload)| {
        let lookups: Vec<Lookup> = lookups.into_iter().map(title).collect();
        Content { lookups, payload }
    });
    let content = prop::option::weighted(0.8, content);
    (0..8u8, guess, content).prop_map(|(number, expect, content)| Step { number, expect, content })
}

fn any_history() -> impl Strategy<Value = Vec<Vec<Step>>> {
    prop::collection::vec(prop::collection::vec(any_step(), 0..4), 1..30)
}

/// Makes a change of a step, as the caller would who knows the model.
fn to_change(model: &Model, step: &Step) -> Change {
    let current = model.get(&step.number);
    let expect = match (step.expect, current) {
        (Guess::Right, Some(current)) => Expect::Version(current.version),
        (Guess::Right, None) | (Guess::Absent, _) => Expect::Absent,
        (Guess::Wrong(version), _) => Expect::Version(Version(version)),
    };
    change(step.number, expect, step.content.clone())
}

/// What must come of a change; moves the model where it holds.
fn model_change(model: &mut Model, index: usize, number: u8, change: &Change) -> Result<Version, WriteError> {
    let current = model.get(&number);
    let version = match (change.expect, current) {
        (Expect::Absent, None) if change.content.is_some() => Version::FIRST,
        (_, None) => return Err(WriteError::NotFound { index }),
        (Expect::Version(expected), Some(Modelled { version, content: Some(_) })) if expected == *version => {
            version.next()
        }
        (_, Some(Modelled { version, content })) => {
            let current = content.as_ref().map(|_| *version);
            return Err(WriteError::Conflict { index, current, deleted: content.is_none() });
        }
    };
    model.insert(number, Modelled { version, content: change.content.clone() });
    Ok(version)
}

fn play(node: &Node, model: &mut Model, steps: &[Step]) {
    let mut ahead = model.clone();
    let mut changes = Vec::new();
    let mut expected = Ok(Vec::new());
    for (index, step) in steps.iter().enumerate() {
        let change = to_change(&ahead, step);
        if let Ok(versions) = &mut expected {
            match model_change(&mut ahead, index, step.number, &change) {
                Ok(version) => versions.push(version),
                Err(error) => expected = Err(error),
            }
        }
        changes.push(change);
    }
    let audit = vec![event(b"row")];
    let written = node.write(Operation { changes, audit, ..Operation::default() });
    assert_eq!(written.map(|committed| committed.versions), expected);
    if expected.is_ok() {
        *model = ahead;
    }
}

fn assert_is(node: &Node, model: &Model) {
    let mut living = 0;
    for number in 0..8 {
        let stored = node.store.get(VAULT, id(number)).unwrap();
        let seen = stored.map(|stored| Modelled {
            version: stored.record.version,
            content: (!stored.record.deleted)
                .then_some(Content { lookups: stored.record.lookups, payload: stored.record.payload }),
        });
        assert_eq!(seen.as_ref(), model.get(&number));
        living += u64::from(seen.is_some_and(|seen| seen.content.is_some()));
    }
    assert_eq!(node.store.count(Some(VAULT), Kind::ENTRY).unwrap(), living);
    assert_eq!(node.store.list(VAULT, Kind::ENTRY, None, 99).unwrap().len() as u64, living);
    for hash in 0..4 {
        let found = node.store.find(VAULT, &title(hash), None, 99).unwrap();
        let found: Vec<u8> = found.iter().map(|stored| stored.record.id.as_bytes()[0]).collect();
        let has =
            |modelled: &Modelled| modelled.content.as_ref().is_some_and(|c| c.lookups.contains(&title(hash)));
        let expected: Vec<u8> = model.iter().filter(|(_, m)| has(m)).map(|(number, _)| *number).collect();
        assert_eq!(found, expected);
    }
    let sum = node.store.recompute_digest().unwrap();
    assert_eq!((sum.seq, sum.digest), (node.store.node().position.seq, sum.kept));
    assert_eq!(node.store.verify_audit().unwrap().broken_at, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_a_map_does(history in any_history()) {
        let mut node = Node::member(Role::Primary);
        let mut model = Model::new();
        for (index, steps) in history.iter().enumerate() {
            play(&node, &mut model, steps);
            if index == history.len() / 2 {
                // As after a crash: nothing is flushed by a close.
                let path = node.path();
                node.store = open(&path, true).unwrap();
                node.store.start(std::sync::Arc::new(Deaf));
            }
        }
        assert_is(&node, &model);
    }

    #[test]
    fn a_backup_follows_through_any_cuts(history in any_history(), cuts in prop::collection::vec((1..6usize, any::<bool>()), 1..40)) {
        let (primary, backup) = (Node::member(Role::Primary), Node::member(Role::Backup));
        let mut model = Model::new();
        let mut cuts = cuts.into_iter().cycle();
        for steps in &history {
            play(&primary, &mut model, steps);
            let (records_max, again) = cuts.next().unwrap();
            let have = backup.store.node().position.seq.0;
            // Sometimes from an earlier base, so that the batch overlaps.
            let after = if again { have.saturating_sub(records_max as u64) } else { have };
            let batch = primary.log(after, BatchLimits { records_max, ..ALL });
            backup.apply(sent(batch.clone())).unwrap();
            assert!(backup.store.node().position.seq >= batch.end.seq);
        }
        while backup.store.node().position != primary.store.node().position {
            let have = backup.store.node().position.seq;
            let (records_max, _) = cuts.next().unwrap();
            backup.apply(sent(primary.log(have.0, BatchLimits { records_max, ..ALL }))).unwrap();
        }
        assert_is(&backup, &model);
        assert_eq!(primary.store.node().digest, backup.store.node().digest);
        assert_eq!(primary.log(0, ALL), backup.log(0, ALL));
    }
}
