//! The contract that every `Replicator` keeps, run from each edition crate's own tests.

use std::sync::Arc;
use std::time::Duration;

use crate::BoxFuture;
use crate::ids::PopName;
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
    let disabled = replicator.status() == ReplicationStatus::Disabled;
    block_on(Box::pin(async move {
        let request = PromoteRequest { dry_run: true, accept_loss: false };
        if let Err(PromoteError::Unsupported { edition, reason }) = replicator.promote(request).await {
            assert!(!edition.is_empty() && !reason.is_empty(), "a refusal names edition and reason");
        } else {
            assert!(!disabled, "what does not replicate never pretends to promote");
        }
        for command in every_command() {
            let answer = replicator.operate(command.clone()).await;
            let unsupported = matches!(answer, Err(OperateError::Unsupported { .. }));
            assert_eq!(
                unsupported, disabled,
                "{command:?}: refused where nothing replicates, and only there"
            );
        }
        replicator.drain(Duration::from_secs(5)).await;
        replicator.drain(Duration::from_secs(5)).await;
        replicator.signal();
        let still_disabled = replicator.status() == ReplicationStatus::Disabled;
        assert_eq!(still_disabled, disabled, "a drained replicator still says what it is");
    }));
}

/// Each command once, for a POP that is no member.
fn every_command() -> [OperatorCommand; 5] {
    let pop: PopName = "nowhere-01".parse().expect("a valid name");
    [
        OperatorCommand::PopInvite {
            pop: pop.clone(),
            url: None,
            key: Some("not a fingerprint".to_owned()),
            may_lead: false,
            blind: false,
        },
        OperatorCommand::PopApprove { pop: pop.clone(), key: "not a fingerprint".to_owned() },
        OperatorCommand::PopList,
        OperatorCommand::PopRemove { pop },
        OperatorCommand::Wake,
    ]
}
