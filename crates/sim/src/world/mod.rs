//! The simulated world: nodes, network, clock, faults. `step` says what can happen, the other files what it
//! does.

mod backup;
mod check;
pub(crate) mod coverage;
mod faults;
mod links;
mod network;
mod node;
mod primary;
mod setup;
mod step;
mod trace;
mod truth;
mod turn;

pub(crate) use turn::World;
