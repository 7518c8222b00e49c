//! The contract that every `Replicator` keeps, run from each edition crate's own tests.

use std::sync::Arc;
use std::time::Duration;

use crate::BoxFuture;
use crate::replicator::{
    OperateError, OperatorCommand, PromoteError, PromoteRequest, ReplicationStatus, Replicator,
};

/// Runs a future to its end; each edition brings its own runtime.
pub type BlockOn<'a> = &'a dyn Fn(BoxFuture<()>);

/// Checks the contract on a running replicator and drains it.
///
/// # Panics
/// When a promise is broken.
pub fn replicator_keeps_its_contract(replicator: Arc<dyn Replicator>, block_on: BlockOn<'_>) {
    for _ in 0..10_000 {
        replicator.signal();
    }
    let status = replicator.status();
    let text = printed(&status);
    assert!(!text.is_empty(), "a status prints");
    let promoting = Arc::clone(&replicator);
    let disabled = status == ReplicationStatus::Disabled;
    block_on(Box::pin(async move {
        let request = PromoteRequest { dry_run: true, accept_loss: false };
        if let Err(PromoteError::Unsupported { edition, reason }) = promoting.promote(request).await {
            assert!(!edition.is_empty() && !reason.is_empty(), "a refusal names edition and reason");
        } else {
            assert!(!disabled, "what does not replicate never pretends to promote");
        }
        let listed = promoting.operate(OperatorCommand::PopList).await;
        if disabled {
            assert!(matches!(listed, Err(OperateError::Unsupported { .. })), "no pretended member list");
        }
        promoting.drain(Duration::from_secs(5)).await;
        promoting.drain(Duration::from_secs(5)).await;
        promoting.signal();
        let _ = promoting.status();
    }));
}

fn printed(status: &ReplicationStatus) -> String {
    format!("{status:?}")
}
