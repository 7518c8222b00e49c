//! The simulation checks itself: runs repeat, clean seeds stay clean, every situation is reached, and each
//! missing rule is noticed.

use crate::{Ablation, Coverage, Situation, first_unrepeatable, run_seed, search};

/// Within how many seeds the absence of each rule must be noticed; some faults need a rare coincidence.
fn bound(rule: Ablation) -> u64 {
    match rule {
        Ablation::Sessions | Ablation::DisconnectedHello | Ablation::Rehello => 8_000,
        Ablation::ChainCheck => 1_000,
        _ => 100,
    }
}

#[test]
fn runs_repeat_exactly() {
    assert_eq!(first_unrepeatable(7_000, 25), None);
    let (plain, traced) = (run_seed(3, None, false), run_seed(3, None, true));
    assert_eq!(
        (plain.trace_hash, plain.steps),
        (traced.trace_hash, traced.steps),
        "the text changes nothing"
    );
    assert!(plain.trace.is_empty() && !traced.trace.is_empty());
    assert_ne!(run_seed(4, None, false).trace_hash, plain.trace_hash, "another seed is another run");
}

#[test]
fn two_hundred_seeds_are_clean() {
    for seed in 0..200 {
        assert_eq!(run_seed(seed, None, false).violation, None, "seed {seed}");
    }
}

#[test]
fn every_situation_is_reached() {
    let found = search(0, 1_500, None);
    assert_eq!(found.broken.map(|outcome| (outcome.seed, outcome.violation)), None);
    let missing = |coverage: &Coverage| -> Vec<Situation> {
        coverage.iter().filter(|(_, count)| *count == 0).map(|(situation, _)| situation).collect()
    };
    assert_eq!(missing(&found.coverage), []);
}

#[test]
fn each_missing_rule_is_noticed() {
    for rule in Ablation::ALL.iter().copied() {
        let found = search(0, bound(rule), Some(rule));
        let broken = found.broken.unwrap_or_else(|| panic!("without {}: not noticed", rule.name()));
        assert_eq!(run_seed(broken.seed, None, false).violation, None, "with the rule that seed is clean");
        let again = run_seed(broken.seed, Some(rule), true);
        assert_eq!(again.violation, broken.violation, "and without it, it can be seen again");
    }
}

#[test]
fn rules_have_names() {
    for rule in Ablation::ALL {
        assert_eq!(rule.name().parse::<Ablation>(), Ok(*rule));
    }
    assert!("no-such-rule".parse::<Ablation>().unwrap_err().contains("cursor"));
}
