//! Runs `clavitor-sim`, always optimised: it is the pure protocol under many seeds.

use anyhow::Result;

use crate::cargo::{self, cargo};

/// How many seeds the test command tries.
pub(crate) const SEEDS: u64 = 5_000;
/// How many seeds it gives the simulation to notice that a rule is gone.
pub(crate) const ABLATION_SEEDS: u64 = 2_000;
/// The safety rules whose absence the simulation must notice.
pub(crate) const ABLATIONS: [&str; 4] = ["cursor", "tombstones", "chain", "batch-cap"];

/// Runs seeds, with all rules or without one of them.
///
/// # Errors
/// When an invariant broke (the seed is printed), or, with `ablate`, when the absence was not noticed.
pub(crate) fn run(seeds: u64, ablate: Option<&str>, rest: &[String]) -> Result<()> {
    let mut command = cargo(["run", "--quiet", "--release", "--package", "clavitor-sim", "--"]);
    command.args(["--seeds", &seeds.to_string()]);
    if let Some(rule) = ablate {
        command.args(["--ablate", rule]);
    }
    cargo::run(command.args(rest))
}

/// Removes each rule in turn.
///
/// # Errors
/// When the absence of one was not noticed.
pub(crate) fn ablations() -> Result<()> {
    ABLATIONS.iter().try_for_each(|rule| run(ABLATION_SEEDS, Some(rule), &[]))
}
