//! What a node does for those who ask, free of HTTP: authorise, validate, seal what rests on disk, write, audit.
//!
//! Every function takes who asks and what they ask, and answers with a type of the API or a [`Refusal`]. It never opens
//! a credential or identity field, and lets no secret leave before its audit row is durable.

mod audit;
mod challenges;
mod content;
mod entries;
mod lists;
mod login;
mod refusal;
mod sessions;
mod status;
mod throttle;
mod vaults;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clavitor_core::clock::Clock;
use clavitor_core::replica::Role;
use clavitor_core::replicator::{ReplicationStatus, Replicator};
use clavitor_store::Store;
use tokio::sync::Semaphore;

use crate::data::{NodeKeys, Setup};
use crate::http::Origins;

pub(crate) use lists::{Filter, ListQuery};
pub(crate) use refusal::Refusal;
pub(crate) use sessions::Owner;
pub(crate) use status::Detail;

use challenges::Challenges;
use login::Dummy;
use sessions::Sessions;
use throttle::Throttle;

/// What is known of a request beside what it asks: for audit rows and for slowing sources down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// To find the log line.
    pub(crate) request_id: String,
    /// Where it came from.
    pub(crate) address: Option<IpAddr>,
}

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) keys: Arc<NodeKeys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) replicator: Arc<dyn Replicator>,
    pub(crate) origins: Origins,
    pub(crate) setup: Setup,
}

/// One running node.
pub(crate) struct Node {
    store: Store,
    keys: Arc<NodeKeys>,
    clock: Arc<dyn Clock>,
    replicator: Arc<dyn Replicator>,
    origins: Origins,
    setup: Setup,
    sessions: Sessions,
    challenges: Challenges,
    throttle: Throttle,
    dummy: Dummy,
    requests: Arc<Semaphore>,
    draining: AtomicBool,
}

impl Node {
    /// Puts a node together. New random keys for sessions and challenges are made here: those of an earlier start are
    /// worth nothing.
    pub(crate) fn new(parts: Parts) -> Self {
        let dummy = Dummy::new(&parts.keys.get());
        Self {
            store: parts.store,
            keys: parts.keys,
            clock: parts.clock,
            replicator: parts.replicator,
            origins: parts.origins,
            setup: parts.setup,
            sessions: Sessions::new(),
            challenges: Challenges::new(),
            throttle: Throttle::new(),
            dummy,
            requests: Arc::new(Semaphore::new(clavitor_core::limits::REQUESTS_MAX)),
            draining: AtomicBool::new(false),
        }
    }

    /// Who may be in `Host`, `Origin` and log-ins.
    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Replication.
    pub(crate) fn replicator(&self) -> &Arc<dyn Replicator> {
        &self.replicator
    }

    /// The node keyring.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> Arc<clavitor_crypto::keyring::NodeKeyring> {
        self.keys.get()
    }

    /// The setup secret.
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// One permit per running request; all of them are free when nothing runs.
    pub(crate) fn requests(&self) -> &Arc<Semaphore> {
        &self.requests
    }

    /// From now on the node is not ready for new work.
    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// A new request id.
    pub(crate) fn request_id(&self) -> String {
        clavitor_crypto::random::record_id(self.clock.now_ms()).to_string()
    }

    /// Why this node takes no writes; `None` on a primary that does.
    pub(crate) fn refuses_writes(&self) -> Option<Refusal> {
        let node = self.store.node();
        if let Some(reason) = node.halted {
            return Some(Refusal::Halted(reason));
        }
        (node.role == Role::Backup).then(|| self.read_only())
    }

    fn read_only(&self) -> Refusal {
        let primary = match self.replicator.status() {
            ReplicationStatus::Active(active) => active.upstream.map(|upstream| upstream.public_url),
            ReplicationStatus::Disabled | ReplicationStatus::NotConfigured => None,
        };
        Refusal::ReadOnly { primary }
    }
}

/// Runs what blocks where blocking is allowed.
///
/// # Errors
/// [`Refusal::ShuttingDown`] when the runtime ends before it ran. A panic inside goes on in the caller.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Refusal::ShuttingDown),
    }
}
