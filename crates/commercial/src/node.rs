//! The replicating node: what all its parts share, and the parts that its role needs.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clavitor_core::alerts::Alerts;
use clavitor_core::audit::{Action, Actor, AuditEvent, AuditSealer, Outcome, SealedAudit};
use clavitor_core::change::{Committed, Operation, WriteError};
use clavitor_core::clock::Clock;
use clavitor_core::edition::KeyringPort;
use clavitor_core::ids::{PopName, VaultId};
use clavitor_core::member::Member;
use clavitor_core::replica::{ReadError, ReplicaStore};
use clavitor_protocol::peer::Now;
use clavitor_protocol::receiver::Receiver;
use clavitor_protocol::rules::Strict;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use url::Url;

use crate::config::Replication;
use crate::identity::Identity;
use crate::members::{MemberView, Members};
use crate::refusals::Refusals;
use crate::store_calls;
use crate::worker::peers::Peers;
use crate::worker::upstream::Upstream;

/// After the members could not be read: the wait before they are read again.
const REREAD_AFTER: Duration = Duration::from_secs(1);

/// What every task and every route may use.
pub(crate) struct Common {
    pub(crate) store: Arc<dyn ReplicaStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) alerts: Arc<dyn Alerts>,
    pub(crate) audit: Arc<dyn AuditSealer>,
    pub(crate) keyring: Arc<dyn KeyringPort>,
    pub(crate) identity: Identity,
    pub(crate) members: Arc<Members>,
    pub(crate) refusals: Arc<Refusals>,
    /// Poked after each commit.
    pub(crate) signal: watch::Sender<()>,
    /// How often a task of replication has woken from sleep.
    pub(crate) wakeups: AtomicU64,
    pub(crate) tasks: Tasks,
}

impl Common {
    /// Both clocks, for a step of a machine.
    pub(crate) fn now(&self) -> Now {
        Now { monotonic_ms: self.clock.monotonic_ms(), wall_ms: self.clock.now_ms() }
    }

    /// Commits an operation of the node. Pins and backups follow it also when the future is dropped.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was changed.
    pub(crate) async fn commit(&self, operation: Operation) -> Result<Committed, WriteError> {
        self.commit_holding(operation, ()).await
    }

    /// Likewise; what is `held` is dropped when the writer has answered, whether or not anybody waits.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was changed.
    pub(crate) async fn commit_holding(
        &self,
        operation: Operation,
        held: impl Send + 'static,
    ) -> Result<Committed, WriteError> {
        store_calls::commit(self.store.as_ref(), &self.members, operation, held).await
    }

    /// Seals an audit row about the cell's members.
    pub(crate) fn audit_row(
        &self,
        action: Action,
        actor: Actor,
        address: Option<String>,
        detail: Option<String>,
    ) -> SealedAudit {
        self.audit.seal(&AuditEvent {
            at_ms: self.clock.now_ms(),
            vault_id: VaultId::NIL,
            actor,
            action,
            outcome: Outcome::Ok,
            record_id: None,
            address,
            request_id: None,
            detail,
        })
    }
}

/// The node.
pub(crate) struct Node {
    pub(crate) common: Arc<Common>,
    pub(crate) config: Replication,
    /// Where the POP listener is bound.
    pub(crate) listen: SocketAddr,
    /// Where other POPs reach this one, as far as it knows.
    pub(crate) url: Option<Url>,
    /// On a primary: the backups.
    pub(crate) peers: Peers,
    /// On a backup: the primary.
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// What answers greetings and batches.
    pub(crate) receiver: Arc<Mutex<Receiver<Strict>>>,
    /// How many records lie in quarantine here, as known last.
    pub(crate) quarantined: Arc<AtomicU64>,
    /// One join at a time.
    pub(crate) joining: Arc<Semaphore>,
    /// Ends the listener and its connections.
    pub(crate) stop: watch::Sender<bool>,
}

impl Node {
    /// This node's name: as its cell knows it, before that as configured.
    pub(crate) fn own_name(&self) -> PopName {
        self.common.store.node().pop.unwrap_or_else(|| self.config.pop.clone())
    }

    /// The receiving side, for one call. Never held across a wait.
    pub(crate) fn receiver(&self) -> MutexGuard<'_, Receiver<Strict>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The members as the store has them now; pins and backups follow them.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails; the old view stays.
    pub(crate) async fn read_members(&self) -> Result<Arc<MemberView>, ReadError> {
        let members = Arc::clone(&self.common.members);
        let refreshed = tokio::task::spawn_blocking(move || members.refresh()).await;
        let view = refreshed.unwrap_or_else(|error| Err(ReadError(error.to_string())))?;
        self.follow_members();
        Ok(view)
    }

    /// The task that lets pins and backups follow every change of a `pop` record, whoever made it and whether or not
    /// they still wait. Sleeps without a timer; reads once at its start, since changes may have come before it.
    pub(crate) async fn keep_members(self: Arc<Self>) {
        let (mut changes, mut stop) = (self.common.members.changes(), self.stop.subscribe());
        loop {
            changes.mark_unchanged();
            let read = self.read_members().await;
            let wait = async {
                match read {
                    Ok(_) => changes.changed().await.is_ok(),
                    Err(error) => {
                        tracing::error!(%error, "the members could not be read; pins stay as they were, it is tried again");
                        tokio::time::sleep(REREAD_AFTER).await;
                        true
                    }
                }
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                goes_on = wait => if !goes_on { return },
            }
            self.common.wakeups.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// On a primary: one task for each other member.
    fn follow_members(&self) {
        if self.upstream.is_none() {
            self.peers.follow_members(&self.common, |member| self.url_of(member));
        }
    }

    /// Where a member is reached: as the configuration says, else as its record does.
    fn url_of(&self, member: &Member) -> Option<Url> {
        let configured = self.config.backups.iter().find(|backup| backup.pop == member.pop);
        configured.map(|backup| backup.url.clone()).or_else(|| Url::parse(&member.url).ok())
    }

    /// Stops within the deadline: what is being sent is finished, then all tasks end.
    pub(crate) async fn drain(&self, deadline: Duration) {
        self.peers.stop();
        if let Some(upstream) = &self.upstream {
            upstream.stop();
        }
        self.stop.send_replace(true);
        self.common.tasks.finish(deadline).await;
    }

    /// Notes what the store said of its quarantine.
    pub(crate) fn note_quarantined(&self, quarantined: u64) {
        self.quarantined.store(quarantined, Ordering::Relaxed);
    }
}

/// All tasks of the edition, so that a drain can wait for them.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    /// Spawns a task.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Waits for all tasks, then ends those that are left.
    async fn finish(&self, deadline: Duration) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::warn!("replication was ended before it had finished");
        }
        tasks.shutdown().await;
    }
}
