//! The port as the rest of the node holds it: poked, asked, told. Nothing here waits for a backup.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clavitor_core::BoxFuture;
use clavitor_core::order::{Position, Seq};
use clavitor_core::replica::Role;
use clavitor_core::replicator::{
    ActiveStatus, BackupState, BackupStatus, OperateError, OperatorAnswer, OperatorCommand, PromoteError,
    PromoteRequest, ReplicationStatus, Replicator,
};

use crate::NAME;
use crate::node::Node;

/// A replicating node.
pub(crate) struct Active(pub(crate) Arc<Node>);

impl Replicator for Active {
    fn signal(&self) {
        self.0.common.signal.send_replace(());
    }

    fn status(&self) -> ReplicationStatus {
        ReplicationStatus::Active(Box::new(self.0.status()))
    }

    fn promote(&self, _request: PromoteRequest) -> BoxFuture<Result<Position, PromoteError>> {
        not_yet()
    }

    fn operate(&self, command: OperatorCommand) -> BoxFuture<Result<OperatorAnswer, OperateError>> {
        let node = Arc::clone(&self.0);
        Box::pin(async move { node.operate(command).await })
    }

    fn drain(&self, deadline: Duration) -> BoxFuture<()> {
        let node = Arc::clone(&self.0);
        Box::pin(async move { node.drain(deadline).await })
    }
}

impl Node {
    fn status(&self) -> ActiveStatus {
        let common = &self.common;
        let node = common.store.node();
        let now = common.now();
        let peers = self.peers.all();
        let mut backups: Vec<BackupStatus> = peers.iter().map(|peer| peer.status(now)).collect();
        if node.role == Role::Primary {
            backups.extend(self.not_joined(node.position.seq));
            backups.sort_by(|a, b| a.pop.cmp(&b.pop));
        }
        let totals = peers.iter().map(|peer| peer.totals());
        let (timers, batches, records) =
            totals.fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
        let link_timers = self.upstream.as_ref().map_or(0, |upstream| upstream.timers_armed());
        ActiveStatus {
            cell: node.cell,
            pop: node.pop.unwrap_or_else(|| self.config.pop.clone()),
            role: node.role,
            epoch: node.position.history,
            head: node.position.seq,
            digest: node.digest.to_string(),
            listen: self.listen.to_string(),
            halted: node.halted,
            backups,
            upstream: self.upstream.as_ref().map(|upstream| upstream.status()),
            worker_wakeups_total: common.wakeups.load(Ordering::Relaxed),
            timers_armed: timers + link_timers,
            batches_total: batches,
            records_sent_total: records,
            quarantined: self.quarantined_now(),
        }
    }

    /// Backups of the configuration that are no members: replication to them has not begun, and we say so.
    fn not_joined(&self, head: Seq) -> Vec<BackupStatus> {
        let view = self.common.members.now();
        let missing = self.config.backups.iter().filter(|backup| view.named(&backup.pop).is_none());
        missing
            .map(|backup| BackupStatus {
                pop: backup.pop.clone(),
                url: backup.url.as_str().trim_end_matches('/').to_owned(),
                state: BackupState::Rejected,
                acked_seq: Seq::ZERO,
                lag_records: head.0,
                lag_ms: 0,
                last_ok_at_ms: None,
                failures: 0,
                next_try_in_ms: None,
                link_open: false,
                digest_equal: None,
                quarantined: 0,
                cause: Some(format!(
                    "it has not joined: run clavitor pop invite {} --key FINGERPRINT here, then pop join there",
                    backup.pop
                )),
            })
            .collect()
    }
}

/// This build without a `[replication]` table: it could replicate, and does not.
pub(crate) struct NotConfigured;

impl Replicator for NotConfigured {
    fn signal(&self) {}

    fn status(&self) -> ReplicationStatus {
        ReplicationStatus::NotConfigured
    }

    fn promote(&self, _request: PromoteRequest) -> BoxFuture<Result<Position, PromoteError>> {
        not_yet()
    }

    fn operate(&self, _command: OperatorCommand) -> BoxFuture<Result<OperatorAnswer, OperateError>> {
        Box::pin(std::future::ready(Err(OperateError::Refused {
            code: "not-configured",
            what: "this node does not replicate: it has no [replication] table".to_owned(),
            remedy: "add [replication] with pop, role and listen to the configuration and restart".to_owned(),
        })))
    }

    fn drain(&self, _deadline: Duration) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }
}

fn not_yet() -> BoxFuture<Result<Position, PromoteError>> {
    let reason = "(it comes with a later version)";
    Box::pin(std::future::ready(Err(PromoteError::Unsupported { edition: NAME, reason })))
}
