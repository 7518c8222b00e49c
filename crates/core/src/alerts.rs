//! The port through which an operator is told that something needs them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an alert is about. The names are stable: they stand in log lines and webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// Dirty records are left after the last retry.
    ReplicationStalled,
    /// A backup's link has been gone for too long.
    BackupDisconnected,
    /// The primary has been out of reach for too long.
    PrimaryUnreachable,
    /// A backup's copy differs from ours.
    Diverged,
    /// A peer speaks for a newer epoch, or we for an older one.
    Fenced,
    /// This node has stopped taking writes.
    Halted,
    /// A peer cannot read our format.
    FormatUnknown,
    /// A record was refused by a backup and set aside there.
    Quarantined,
    /// A join was refused.
    JoinRefused,
    /// A task of the node ended when it should not have.
    WorkerEnded,
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReplicationStalled => "replication-stalled",
            Self::BackupDisconnected => "backup-disconnected",
            Self::PrimaryUnreachable => "primary-unreachable",
            Self::Diverged => "diverged",
            Self::Fenced => "fenced",
            Self::Halted => "halted",
            Self::FormatUnknown => "format-unknown",
            Self::Quarantined => "quarantined",
            Self::JoinRefused => "join-refused",
            Self::WorkerEnded => "worker-ended",
        })
    }
}

/// One alert. Its identity is `(kind, subject)`: raised twice, it is told once, until it has recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What it is about.
    pub kind: AlertKind,
    /// Which POP, or `node`.
    pub subject: String,
    /// What happened, what was kept, what to do. No names of vaults or entries.
    pub text: String,
}

/// Tells the operator. Never blocks, never fails; each alert is at least the log line `OPERATOR ALERT [kind]`.
pub trait Alerts: Send + Sync + 'static {
    /// Something needs the operator.
    fn raise(&self, alert: Alert);

    /// What was raised under `(kind, subject)` is well again; silent when nothing was raised.
    fn recovered(&self, kind: AlertKind, subject: &str);
}
