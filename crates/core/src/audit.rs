//! Audit events: who did what, when, with which result; never a value.

use serde::{Deserialize, Serialize};

use crate::ids::{RecordId, VaultId};

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Actor {
    /// The owner of the vault, in a session.
    Owner,
    /// Nobody who proved who they are.
    Unauthenticated,
    /// The operator, over the local socket.
    Operator {
        /// The peer's user id.
        uid: u32,
    },
    /// Another POP, by its pinned name; `None` where no pin matched.
    Pop {
        /// Its name.
        name: Option<String>,
    },
    /// The node itself.
    Node,
}

/// What happened. Stable names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each name says what happened")]
pub enum Action {
    VaultCreate,
    UnlockStart,
    Unlock,
    Login,
    Logout,
    EntryCreate,
    EntryUpdate,
    EntryRead,
    EntryDelete,
    Import,
    PopInvite,
    PopJoin,
    PopRemove,
    PopRefused,
    ReplicationApplyRefused,
    NodeStart,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each name says how it ended")]
pub enum Outcome {
    Ok,
    Denied,
    NotFound,
    Conflict,
    Failed,
}

/// One event, before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Wall-clock time in milliseconds.
    pub at_ms: u64,
    /// The vault concerned, nil for the node.
    pub vault_id: VaultId,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Which record, where one is concerned.
    pub record_id: Option<RecordId>,
    /// The address it came from, without port.
    pub address: Option<String>,
    /// The request id, so that a log line can be found.
    pub request_id: Option<String>,
    /// A stable code for the details of a refusal; never a value.
    pub detail: Option<String>,
}

/// An event sealed under the node keyring, ready for the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAudit {
    /// Wall-clock time in milliseconds, in the clear for retention.
    pub at_ms: u64,
    /// The vault concerned, in the clear for selection.
    pub vault_id: VaultId,
    /// The sealed event.
    pub sealed: Vec<u8>,
}

/// The port that seals audit events; the server implements it over the node keyring.
pub trait AuditSealer: Send + Sync + 'static {
    /// Seals one event under its vault's audit sub-key.
    fn seal(&self, event: &AuditEvent) -> SealedAudit;
}
