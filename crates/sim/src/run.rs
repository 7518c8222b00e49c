//! One run of one seed, and what came of it.

use clavitor_protocol::rules::Rules;

use crate::world::World;
use crate::world::coverage::Coverage;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which: `I1` to `I11`, or `end` for what must hold when all has healed, `speed` for how soon, `fence`
    /// for roles.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

impl Violation {
    pub(crate) fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

/// What one seed gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// A hash over all that happened: equal for equal runs.
    pub trace_hash: u64,
    /// How many steps it took.
    pub steps: u64,
    /// What was broken first, if anything.
    pub violation: Option<Violation>,
    /// The situations that it went through.
    pub coverage: Coverage,
    /// What happened, one line a step; empty unless asked for.
    pub trace: Vec<String>,
}

/// Runs one seed under a set of rules.
pub(crate) fn run<R: Rules>(seed: u64, with_trace: bool) -> Outcome {
    let mut world = World::<R>::new(seed, with_trace);
    let violation = world.run().err();
    world.into_outcome(seed, violation)
}
