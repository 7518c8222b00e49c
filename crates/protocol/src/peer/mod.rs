//! The primary's state machine for one backup: events in, effects out, no clock, no I/O, no randomness.
//!
//! A peer is *owed* while the head is above what it acknowledged, or while its position is unconfirmed
//! since start, promotion or link. Timers exist only while something is owed or the link is gone: idle,
//! healthy and linked means none.
//!
//! - [`Event`], [`Effect`]: the seam to the shell. [`Peer::step`] is the only way in.
//! - [`State`]: where the machine is; `Peer::status` and its neighbours say so to people.

mod answer;
mod event;
mod machine;
mod rounds;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod waits;

pub use event::{Effect, Event, LinkId, Now, RequestId, Timer, View};
pub use state::{Peer, Sent, State};
