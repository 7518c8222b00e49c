//! Why a node did not do what it was asked. Nothing was changed, and nothing secret left.

use clavitor_core::change::{Change, Expect, WriteError};
use clavitor_core::order::Version;
use clavitor_core::problem::FieldProblem;
use clavitor_core::replica::ReadError;
use clavitor_crypto::keyring::KeyringError;

use super::Node;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No session, or not one of ours, or an ended one.
    NotAuthenticated,
    /// Wrong passphrase or unknown vault: nobody learns which.
    UnlockRefused,
    /// Wrong, used or expired setup secret.
    SetupRefused,
    /// Absent, deleted, or not in this vault.
    NotFound,
    /// Another version lives now.
    Changed { current: Version },
    /// The id is taken.
    Exists { current: Option<Version> },
    /// The values are wrong.
    Invalid(Vec<FieldProblem>),
    /// Over a limit.
    TooLarge { what: &'static str, max: usize },
    /// The change at this index of an operation was refused for this reason.
    At(usize, Box<Refusal>),
    /// A backup takes no writes.
    ReadOnly { primary: Option<String> },
    /// This node is no backup.
    NotInRole,
    /// The node was told to take no writes.
    Halted(String),
    /// A source that failed too often.
    SlowDown { retry_after_s: u64 },
    /// Too much waits.
    Busy,
    /// The disk refuses.
    Disk,
    /// The audit row could not be written, so the secret stays.
    AuditUnavailable,
    /// Ending.
    ShuttingDown,
    /// What rests on the disk could not be opened: logged where it was found.
    Damaged,
}

impl Refusal {
    /// One wrong value.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem { pointer: pointer.into(), detail: detail.into() }])
    }

    /// The same for an operation of one change, whose index says nothing.
    #[must_use]
    pub(crate) fn alone(self) -> Self {
        match self {
            Self::At(_, refusal) => *refusal,
            other => other,
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "a read failed");
        Self::Disk
    }
}

impl From<KeyringError> for Refusal {
    fn from(error: KeyringError) -> Self {
        tracing::error!(%error, "a record could not be opened");
        Self::Damaged
    }
}

impl Node {
    /// What a failed write means to whoever asked for `expects`, in the order of the operation's changes.
    pub(super) fn refusal(&self, error: WriteError, expects: &[Expect]) -> Refusal {
        let at = |index: usize, refusal| Refusal::At(index, Box::new(refusal));
        match error {
            WriteError::Conflict { index, current, deleted } => {
                at(index, conflict(expects.get(index), current.filter(|_| !deleted)))
            }
            WriteError::NotFound { index } => at(index, Refusal::NotFound),
            // Where the record really belongs is nobody's business here.
            WriteError::Foreign { index } => at(index, conflict(expects.get(index), None)),
            WriteError::Guard { .. } => Refusal::SetupRefused,
            WriteError::TooLarge { what, max } => Refusal::TooLarge { what, max },
            WriteError::ReadOnly => self.refuses_writes().unwrap_or(Refusal::Busy),
            WriteError::Busy => Refusal::Busy,
            WriteError::Disk(error) => {
                tracing::error!(%error, "a write failed");
                Refusal::Disk
            }
            WriteError::Closed => Refusal::ShuttingDown,
        }
    }
}

fn conflict(expect: Option<&Expect>, current: Option<Version>) -> Refusal {
    match (expect, current) {
        (Some(Expect::Absent), current) => Refusal::Exists { current },
        (_, Some(current)) => Refusal::Changed { current },
        (_, None) => Refusal::NotFound,
    }
}

/// What each change of an operation expects.
pub(super) fn expects(changes: &[Change]) -> Vec<Expect> {
    changes.iter().map(|change| change.expect).collect()
}
