//! Audit rows: made here, sealed under the node keyring, committed before what they tell of leaves the node.

use std::time::Duration;

use clavitor_core::audit::{Action, Actor, AuditEvent, Outcome, SealedAudit};
use clavitor_core::change::Operation;
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::limits;

use super::{Facts, Node, Refusal};

/// What an audit row tells, beside who asked and when.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) vault_id: VaultId,
    pub(super) actor: Actor,
    pub(super) action: Action,
    pub(super) outcome: Outcome,
    pub(super) record_id: Option<RecordId>,
}

impl Told {
    /// The owner did it, and it went well.
    pub(super) fn owner(vault_id: VaultId, action: Action, record_id: Option<RecordId>) -> Self {
        Self { vault_id, actor: Actor::Owner, action, outcome: Outcome::Ok, record_id }
    }

    /// Somebody who did not prove who they are was refused.
    pub(super) fn denied(vault_id: VaultId, action: Action) -> Self {
        Self { vault_id, actor: Actor::Unauthenticated, action, outcome: Outcome::Denied, record_id: None }
    }
}

impl Node {
    /// Seals one row.
    pub(super) fn audit(&self, facts: &Facts, told: Told) -> SealedAudit {
        let event = AuditEvent {
            at_ms: self.clock.now_ms(),
            vault_id: told.vault_id,
            actor: told.actor,
            action: told.action,
            outcome: told.outcome,
            record_id: told.record_id,
            address: facts.address.map(|address| address.to_string()),
            request_id: Some(facts.request_id.clone()),
            detail: None,
        };
        self.keys.get().seal_audit(&event)
    }

    /// Commits a row by itself, durably, before it returns; works on a backup too.
    ///
    /// # Errors
    /// [`Refusal::AuditUnavailable`], also when it took longer than [`limits::AUDIT_WAIT_S`]: what it tells of must
    /// not leave then.
    pub(super) async fn audit_now(&self, facts: &Facts, told: Told) -> Result<(), Refusal> {
        let operation = Operation { audit: vec![self.audit(facts, told)], ..Operation::default() };
        let written =
            tokio::time::timeout(Duration::from_secs(limits::AUDIT_WAIT_S), self.store.write(operation))
                .await;
        match written {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "an audit row could not be written");
                Err(Refusal::AuditUnavailable)
            }
            Err(_) => {
                tracing::error!("an audit row took too long to write");
                Err(Refusal::AuditUnavailable)
            }
        }
    }
}
