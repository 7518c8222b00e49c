//! The commercial edition: event-driven replication to any number of backups, POP identity and join, operator alerts.
//!
//! - [`open`], [`check_config`], [`offline`]: the edition as the server sees it, asserted against core.
//! - `config`, `identity`, `tls`, `members`: who this POP is, and whom it knows.
//! - `transport`, `routes`: the POP listener and the clients towards peers.
//! - `worker`: the shell around the pure machines of `clavitor-protocol`; `apply`: the backup's side.
//! - `join`, `operate`: how members come and go; `alerts`, `refusals`: how the operator and the audit learn of it.
//!
//! Deliberately absent: SQLite (only the port `ReplicaStore`), the public API, decisions of the protocol, promotion.

mod alerts;
mod apply;
mod config;
mod identity;
mod join;
mod members;
mod node;
mod offline;
mod open;
mod operate;
mod refusals;
mod replicator;
mod routes;
mod store_calls;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod transport;
mod worker;

pub use config::check_config;
pub use offline::offline;
pub use open::open;

/// The edition's name.
pub const NAME: &str = "commercial";
/// Whether a node of this edition keeps a log and can replicate.
pub const REPLICATES: bool = true;

const _: clavitor_core::edition::OpenEdition<axum::Router> = open;
const _: clavitor_core::edition::CheckConfig = check_config;
const _: clavitor_core::edition::RunOffline = offline;
