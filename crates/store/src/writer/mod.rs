//! The one writer: a thread that takes whatever waits and commits it as one group.

mod adopt;
mod apply;
mod group;
mod operation;
mod records;
mod thread;

pub(crate) use apply::quarantined;
pub(crate) use records::{Log, NO_EPOCH_LEFT, Previous, append_log, insert_lookups, mint, previous};
pub(crate) use thread::{Job, Reply, WriterThread, spawn};

use std::sync::Arc;

use rusqlite::Connection;

use crate::meta::State;
use crate::shared::Shared;

/// What the writer thread owns.
pub(crate) struct Writer {
    /// The only connection that writes.
    pub(crate) db: Connection,
    /// The state as the open transaction leaves it; between groups, as committed.
    pub(crate) state: State,
    /// Whether this node keeps a log.
    pub(crate) log: Log,
    /// The nonce of a history that is minted here.
    pub(crate) epoch_nonce: u64,
    /// Where it publishes.
    pub(crate) shared: Arc<Shared>,
}
