//! One SQLite file per node: records, their order, the log of a replicating node, audit rows, node-local values.
//!
//! One thread writes, in groups: all waiting operations share one transaction and one fsync, each under a savepoint.
//! Readers have connections of their own that cannot write. Replication reaches the store through the port
//! [`clavitor_core::replica::ReplicaStore`].
//!
//! Deliberately absent: HTTP, replication policy (who is asked, when, how often), keys and opening of sealed bytes,
//! tasks of an async runtime. The folder lock that keeps a second process away belongs to the caller.

mod audit;
mod columns;
mod cursors;
mod error;
mod meta;
mod open;
mod prepare;
mod reader;
mod replica;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use audit::{AuditCheck, AuditRow};
pub use error::OpenError;
pub use open::offline::{leave_replication, rebuild_lookups};
pub use reader::Recomputed;
pub use shared::WriteCounts;
pub use store::{Store, StoreOptions};
