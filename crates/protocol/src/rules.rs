//! The safety rules by name. Shipped code keeps all of them; only a simulation runs with one left out, to
//! show that it would notice. A rule is a constant of a type: there is no switch at build time or run time.

/// Which safety rules hold. Each is `true` unless an implementation says otherwise.
pub trait Rules: Copy + Default + std::fmt::Debug + Send + Sync + 'static {
    /// An acknowledgement moves the cursor to what it carried, never to the present head.
    const CURSOR: bool = true;
    /// A deletion is a change with a seq of its own. Kept by the store.
    const TOMBSTONES: bool = true;
    /// Positions are compared by their chain value, on both sides, not by seq alone.
    const CHAIN_CHECK: bool = true;
    /// A batch stays within the limits that the receiver enforces.
    const BATCH_CAP: bool = true;
    /// A batch ends at the end of an operation. Kept by the store.
    const WHOLE_OPERATIONS: bool = true;
    /// A batch is taken only under the session of the last answered greeting.
    const SESSIONS: bool = true;
    /// A lower epoch is refused for ever.
    const EPOCH_FENCE: bool = true;
    /// A link that opens during a request causes a greeting after it.
    const REHELLO: bool = true;
    /// What is acknowledged is durable. Kept by the store.
    const PERSIST_BEFORE_ACK: bool = true;
    /// Before it sleeps, the worker compares head and cursor; a lost signal loses no change.
    const LEVEL_TRIGGERED: bool = true;
    /// A backup without an open link is greeted from time to time though nothing is dirty.
    const DISCONNECTED_HELLO: bool = true;
}

/// Every rule: what is shipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strict;

impl Rules for Strict {}
