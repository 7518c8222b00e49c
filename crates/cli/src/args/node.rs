//! The commands of operators.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clavitor_core::ids::PopName;

use super::{OperatorArgs, PlaceArgs};
use crate::host::NodeArgs;

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

/// A node that does not run.
#[derive(Debug, Clone, Args)]
pub(crate) struct OfflineNodeArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// The node keyring [default: beside the data folder, DIR.keyring]
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring_file: Option<PathBuf>,
}

/// `pop`.
#[derive(Debug, Subcommand)]
pub(crate) enum PopCommand {
    /// Print this POP's fingerprint, making its key where there is none; the node must not run
    #[command(before_help = "Examples:
  clavitor pop identity
  clavitor pop identity --config /etc/clavitor/clavitor.toml
  clavitor pop identity --json")]
    Identity(OfflineNodeArgs),
    /// Make a one-time invitation for a new member, on the primary
    #[command(before_help = "Examples:
  clavitor pop invite zurich-01 --key FINGERPRINT
  clavitor pop invite zurich-01 --key FINGERPRINT --url https://zurich-01.example.org:1985
  clavitor pop invite zurich-01 --key FINGERPRINT --may-lead")]
    Invite(InviteArgs),
    /// Complete a pending join after comparing fingerprints, on the primary
    #[command(before_help = "Examples:
  clavitor pop approve zurich-01 --key FINGERPRINT
  clavitor pop approve zurich-01 --key FINGERPRINT --data-dir /var/lib/clavitor
  clavitor pop approve zurich-01 --key FINGERPRINT --json")]
    Approve(ApproveArgs),
    /// Join a cell with an invitation, on the new member; the node must not run
    #[command(before_help = "Examples:
  clavitor pop join
  clavitor pop join --invitation-file ./invitation
  ssh primary clavitor pop invite zurich-01 --key FINGERPRINT | clavitor pop join --stdin")]
    Join(JoinArgs),
    /// List members and open invitations
    #[command(before_help = "Examples:
  clavitor pop list
  clavitor pop list --data-dir /var/lib/clavitor
  clavitor pop list --json")]
    List(OperatorArgs),
    /// Remove a member: its pin is revoked and its link closed at once
    #[command(before_help = "Examples:
  clavitor pop remove zurich-01
  clavitor pop remove zurich-01 --yes
  clavitor pop remove zurich-01 --yes --json")]
    Remove(RemoveArgs),
}

/// `pop invite`.
#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    /// The name that it will have
    pub(crate) pop: PopName,
    /// The fingerprint that `pop identity` printed there; without it the join waits for `pop approve`
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) key: Option<String>,
    /// Where its POP listener will be reached [default: what [[replication.backups]] says of this name]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Let a promotion that it signs count
    #[arg(long)]
    pub(crate) may_lead: bool,
    /// Never give it the keyring: it stores and cannot read
    #[arg(long, conflicts_with = "may_lead")]
    pub(crate) blind: bool,
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// `pop approve`.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// Which
    pub(crate) pop: PopName,
    /// The fingerprint as its own `pop identity` prints it
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// `pop join`.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// Read the invitation from standard input
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Read the invitation from a file
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    pub(crate) invitation_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) node: OfflineNodeArgs,
}

/// `pop remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Which
    pub(crate) pop: PopName,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// `replication`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReplicationCommand {
    /// Show each backup: exit 0 healthy, 11 broken, 12 degraded
    #[command(before_help = "Examples:
  clavitor replication status
  clavitor replication status --data-dir /var/lib/clavitor
  clavitor replication status --json")]
    Status(OperatorArgs),
    /// End every wait: all backups that are owed something are tried now
    #[command(before_help = "Examples:
  clavitor replication wake
  clavitor replication wake --data-dir /var/lib/clavitor
  clavitor replication wake --json")]
    Wake(OperatorArgs),
    /// Make this node the primary of its cell
    #[command(before_help = "Examples:
  clavitor replication promote --dry-run
  clavitor replication promote
  clavitor replication promote --accept-loss --yes")]
    Promote(PromoteArgs),
    /// Give up replication for good, so that the community edition can open the data folder; the node must not run
    #[command(before_help = "Examples:
  clavitor replication leave
  clavitor replication leave --data-dir /var/lib/clavitor
  clavitor replication leave --yes")]
    Leave(LeaveArgs),
}

/// `replication promote`.
#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// Only say what it would cost
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go on although a better candidate or unseen changes may exist
    #[arg(long)]
    pub(crate) accept_loss: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// `replication leave`.
#[derive(Debug, Args)]
pub(crate) struct LeaveArgs {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) node: OfflineNodeArgs,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration file and report every problem at once; touches nothing
    #[command(before_help = "Examples:
  clavitor config check
  clavitor config check --config ./clavitor.toml
  clavitor config check --json")]
    Check(NodeArgs),
}
