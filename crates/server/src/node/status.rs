//! What a node says of itself: little to everyone, more to who proved who they are.

use std::sync::atomic::Ordering;
use std::time::Duration;

use clavitor_core::api::NodeStatus;
use clavitor_core::change::Operation;
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::replica::Role;

use super::{Node, Refusal};
use crate::edition;

/// How much a status tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// To everyone.
    Public,
    /// To the owner of a vault: its own entries only.
    Owner(VaultId),
    /// To the operator.
    Operator,
}

impl Node {
    /// The status.
    ///
    /// # Errors
    /// [`Refusal::Disk`].
    pub(crate) async fn status(&self, detail: Detail) -> Result<NodeStatus, Refusal> {
        let node = self.store.node();
        let store = self.store.clone();
        let counts = super::blocking(move || {
            let entries = match detail {
                Detail::Public => None,
                Detail::Owner(vault_id) => Some(store.count(Some(vault_id), Kind::ENTRY)?),
                Detail::Operator => Some(store.count(None, Kind::ENTRY)?),
            };
            Ok::<_, Refusal>((store.count(None, Kind::VAULT)?, entries))
        });
        let (vaults, entries) = counts.await??;
        let full = detail != Detail::Public;
        Ok(NodeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            edition: edition::NAME.to_owned(),
            cell: node.cell,
            role: node.role,
            set_up: vaults > 0,
            head: full.then_some(node.position.seq),
            entries,
            replication: full.then(|| self.replicator.status()),
        })
    }

    /// Whether this node can do its work now: it is not ending, its database reads, its writer answers.
    ///
    /// # Errors
    /// [`Refusal::ShuttingDown`], [`Refusal::Disk`], [`Refusal::Busy`]; with another `role` than asked,
    /// [`Refusal::ReadOnly`] or [`Refusal::NotInRole`].
    pub(crate) async fn ready(&self, role: Option<Role>) -> Result<(), Refusal> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Refusal::ShuttingDown);
        }
        self.store.get(VaultId::NIL, RecordId::NIL)?;
        let wait = Duration::from_secs(limits::AUDIT_WAIT_S);
        match tokio::time::timeout(wait, self.store.write(Operation::default())).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(self.refusal(error, &[])),
            Err(_) => return Err(Refusal::Busy),
        }
        match (role, self.store.node().role) {
            (Some(Role::Primary), Role::Backup) => Err(self.read_only()),
            (Some(Role::Backup), Role::Primary) => Err(Refusal::NotInRole),
            _ => Ok(()),
        }
    }
}
