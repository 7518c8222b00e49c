//! The replication protocol, pure: messages, one state machine per backup, the backup's decisions, the live
//! link.
//!
//! Everything here is `(state, event, now) -> (state, effects)`. Deliberately absent: I/O, async runtimes,
//! clocks, randomness, cryptography. The shell (in the commercial edition) and the simulator carry out the
//! same effects.
//!
//! - [`message`]: what travels, with its sizes checked before anything is believed; [`frame`]: messages on
//!   the live link.
//! - [`peer`]: the primary's machine for one backup; [`decide`]: what a position means; [`delay`]: how long
//!   to wait.
//! - [`receiver`]: what a backup answers; [`link`]: how a backup keeps its live link open.
//! - [`rules`]: the safety rules, each by name, so that a simulation can leave one out and must then fail.

mod capped;
pub mod decide;
pub mod delay;
pub mod frame;
pub mod link;
pub mod message;
pub mod peer;
pub mod receiver;
pub mod rules;
