//! The shell around the pure machines: one task per backup on a primary, one task for the link on a backup.
//!
//! A task sleeps until it is signalled, wished something, answered, or until a timer that its machine armed runs out;
//! with nothing owed and the link open it has no timer at all. Losing a signal loses no change: a machine compares
//! head and cursor itself. Decisions are the protocol's; here is only the carrying out.

pub(crate) mod handle;
pub(crate) mod peers;
pub(crate) mod supervise;
mod task;
mod timers;
pub(crate) mod upstream;
