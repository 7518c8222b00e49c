//! The port between the vault and replication: poked after each commit, asked for its state, told to promote or drain.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::BoxFuture;
use crate::ids::{CellId, PopName};
use crate::order::{Epoch, Position, Seq};
use crate::replica::Role;

/// Replication as the rest of the node sees it. Held as `Arc<dyn Replicator>`.
pub trait Replicator: Send + Sync + 'static {
    /// Says that something was committed. Carries nothing, cannot fail, never waits; losing it loses no change.
    fn signal(&self);

    /// The state as it is now. From memory, without waking the worker.
    fn status(&self) -> ReplicationStatus;

    /// Makes this node the primary of its cell.
    ///
    /// # Errors
    /// [`PromoteError::Unsupported`] where this edition or version cannot.
    fn promote(&self, request: PromoteRequest) -> BoxFuture<Result<Position, PromoteError>>;

    /// Carries out an operator's command on the members of the cell.
    ///
    /// # Errors
    /// [`OperateError`]; nothing was changed.
    fn operate(&self, command: OperatorCommand) -> BoxFuture<Result<OperatorAnswer, OperateError>>;

    /// Stops: finishes what is being sent, within the deadline, and ends all tasks.
    fn drain(&self, deadline: Duration) -> BoxFuture<()>;
}

/// What `promote` is asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromoteRequest {
    /// Only say what it would cost.
    pub dry_run: bool,
    /// Go on although a better candidate or unseen changes may exist.
    pub accept_loss: bool,
}

/// Why a node was not promoted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PromoteError {
    /// This build cannot promote.
    #[error("promotion is not part of the {edition} edition {reason}")]
    Unsupported {
        /// The edition.
        edition: &'static str,
        /// Why: `(it does not replicate)`, `(it comes with a later version)`.
        reason: &'static str,
    },
}

/// A command on the members of the cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum OperatorCommand {
    /// Makes a one-time invitation for a new member.
    PopInvite {
        /// The name it will have.
        pop: PopName,
        /// Where its POP listener will be reached; else what `[[replication.backups]]` says of this name.
        url: Option<String>,
        /// The fingerprint that `pop identity` printed there; without it the join stays pending.
        key: Option<String>,
        /// Whether a promotion signed by it counts.
        may_lead: bool,
        /// Whether it never gets the keyring.
        blind: bool,
    },
    /// Completes a pending join after comparing fingerprints.
    PopApprove {
        /// Which.
        pop: PopName,
        /// The fingerprint as its own `pop identity` prints it.
        key: String,
    },
    /// Lists the members.
    PopList,
    /// Removes a member: revokes its pin, closes its link, frees the log.
    PopRemove {
        /// Which.
        pop: PopName,
    },
    /// Ends every wait: all peers that are owed something are tried now.
    Wake,
}

/// What a command answered. Its `Debug` leaves out an invitation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum OperatorAnswer {
    /// The invitation: one line, to be given to `pop join`. It is a secret until used.
    Invitation {
        /// The line.
        invitation: String,
        /// When it ends, wall clock.
        expires_at_ms: u64,
    },
    /// The members and open invitations.
    Members {
        /// In the order of their names.
        members: Vec<MemberStatus>,
    },
    /// Done.
    Done,
}

impl std::fmt::Debug for OperatorAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invitation { expires_at_ms, .. } => {
                f.debug_struct("Invitation").field("expires_at_ms", expires_at_ms).finish_non_exhaustive()
            }
            Self::Members { members } => f.debug_struct("Members").field("members", members).finish(),
            Self::Done => f.write_str("Done"),
        }
    }
}

/// One member, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its name.
    pub pop: PopName,
    /// `member`, `invited` or `pending`.
    pub state: String,
    /// Whether it is this node.
    pub this_node: bool,
    /// Where its POP listener is reached.
    pub url: String,
    /// Its fingerprint, where known.
    pub key: Option<String>,
    /// Whether a promotion signed by it counts.
    pub may_lead: bool,
    /// Whether it never gets the keyring.
    pub blind: bool,
}

/// Why a command was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperateError {
    /// This edition has no such command.
    #[error("the {edition} edition does not replicate")]
    Unsupported {
        /// The edition.
        edition: &'static str,
    },
    /// Refused, with what to do.
    #[error("{what}")]
    Refused {
        /// A stable code, such as `pop-exists`.
        code: &'static str,
        /// What happened.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Not found.
    #[error("no member or invitation is called {pop}")]
    NoSuchPop {
        /// The name.
        pop: PopName,
    },
    /// The store failed.
    #[error("the node could not do it now: {0}")]
    Failed(String),
}

/// What this node does about replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "replication", rename_all = "kebab-case")]
pub enum ReplicationStatus {
    /// This edition does not replicate.
    Disabled,
    /// This build could, but no `[replication]` table is configured.
    NotConfigured,
    /// It does.
    Active(Box<ActiveStatus>),
}

/// The state of a replicating node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveStatus {
    /// The cell.
    pub cell: CellId,
    /// This node.
    pub pop: PopName,
    /// Its role.
    pub role: Role,
    /// Its history.
    pub epoch: Epoch,
    /// The last change committed here.
    pub head: Seq,
    /// The digest at the head.
    pub digest: String,
    /// Where the POP listener is bound.
    pub listen: String,
    /// Why it takes no writes, where that is so.
    pub halted: Option<String>,
    /// On a primary: each backup. In the order of their names.
    pub backups: Vec<BackupStatus>,
    /// On a backup: the primary.
    pub upstream: Option<UpstreamStatus>,
    /// How often the worker has woken since the start.
    pub worker_wakeups_total: u64,
    /// How many timers of the worker are armed now.
    pub timers_armed: u32,
    /// How many batches were acknowledged.
    pub batches_total: u64,
    /// How many records were acknowledged.
    pub records_sent_total: u64,
    /// How many records lie in quarantine here.
    pub quarantined: u64,
}

/// The state of one backup: one vocabulary in UI, CLI, JSON, metrics and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupState {
    /// Idle, or sending at the head.
    Streaming,
    /// Sending below the head, or greeting.
    CatchingUp,
    /// Receiving a whole copy.
    Snapshotting,
    /// Waiting for the next try.
    Retrying,
    /// The tries are used up.
    Parked,
    /// No open link.
    Disconnected,
    /// Refused for its format, pin or role.
    Rejected,
    /// It has seen a newer epoch.
    Fenced,
    /// Its copy differs from ours.
    Diverged,
}

/// One backup, as the primary sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupStatus {
    /// Its name.
    pub pop: PopName,
    /// Where it is reached.
    pub url: String,
    /// Its state.
    pub state: BackupState,
    /// The last change that it confirmed to have on its disk.
    pub acked_seq: Seq,
    /// How many changes it is behind.
    pub lag_records: u64,
    /// Age of the oldest unacknowledged change, 0 when there is none.
    pub lag_ms: u64,
    /// When it last answered, wall clock.
    pub last_ok_at_ms: Option<u64>,
    /// Failures in a row.
    pub failures: u32,
    /// When it is tried next, from now.
    pub next_try_in_ms: Option<u64>,
    /// Whether its link is open.
    pub link_open: bool,
    /// Whether its digest was equal when it was last compared at the head.
    pub digest_equal: Option<bool>,
    /// How many records it has set aside.
    pub quarantined: u64,
    /// Why it is not streaming, and what to do.
    pub cause: Option<String>,
}

/// The primary, as a backup sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    /// Its name.
    pub pop: PopName,
    /// Where its users reach it: what `X-Primary-Location` says.
    pub public_url: String,
    /// Whether our link to it is open.
    pub link_open: bool,
    /// When it last sent or confirmed something, wall clock.
    pub last_ok_at_ms: Option<u64>,
    /// Why the link is not open.
    pub cause: Option<String>,
}
