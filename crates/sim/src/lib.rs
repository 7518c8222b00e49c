//! A seeded simulation of replication: the pure protocol of `clavitor-protocol` on model nodes, a model
//! network and a model clock, with faults drawn from the seed and the invariants checked after every step.
//!
//! The same seed gives the same run for ever. Deliberately absent: threads inside a run, real time, real
//! I/O; nothing depends on this crate.

mod ablation;
mod profile;
mod random;
mod run;
mod search;
mod store;
#[cfg(test)]
mod tests;
mod world;

pub use ablation::{Ablation, run_seed};
pub use run::{Outcome, Violation};
pub use search::{Found, first_unrepeatable, search};
pub use world::coverage::{Coverage, Situation};
