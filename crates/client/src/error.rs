//! What can go wrong between a client and a node, as far as a caller treats it differently.

use clavitor_core::api::EntrySummary;
use clavitor_core::exit;
use clavitor_core::order::Version;
use clavitor_core::problem::{Problem, code};
use clavitor_crypto::entry::{OpenError, SealError};
use clavitor_crypto::passphrase::{DeriveError, UnwrapError, WeakPassphrase};
use thiserror::Error;

/// Why a call did not do what was asked. Never holds a secret value.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server's URL cannot be used.
    #[error("the server URL cannot be used: {what}")]
    BadServer {
        /// Why, and what would do.
        what: String,
    },
    /// Nobody answered, or the connection broke: whether a write arrived is not known.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable {
        /// Whom.
        server: String,
        /// Why.
        reason: String,
    },
    /// The node answered something that the API does not provide for.
    #[error("{server} gave an answer that this version does not understand ({what})")]
    BadAnswer {
        /// Who.
        server: String,
        /// What about it.
        what: String,
    },
    /// There is no such entry, vault or member.
    #[error("{what}")]
    NotFound {
        /// What was not found, as a phrase.
        what: String,
    },
    /// Someone else changed the entry meanwhile; nothing was written.
    #[error("the entry was changed by someone else meanwhile{}; nothing was written, read it again", now(*.current))]
    Changed {
        /// The version that lives now, where it is known.
        current: Option<Version>,
        /// The node's answer, where it was the node that noticed.
        problem: Option<Box<Problem>>,
    },
    /// The node takes no writes; nothing was written.
    #[error("{}; {}", .problem.title, .problem.hint)]
    ReadOnly {
        /// Where writes go, as the node says: to be shown, never to be followed.
        primary_location: Option<String>,
        /// The answer.
        problem: Box<Problem>,
    },
    /// The node refused for another reason; its code says which.
    #[error("{}; {}", .0.title, .0.hint)]
    Refused(Box<Problem>),
    /// What the node handed out is not what was sealed, or not what was asked for. Nothing of it was released.
    #[error("the answer was refused as tampered: {what}")]
    Tampered {
        /// What does not match.
        what: String,
    },
    /// Several entries match.
    #[error("{} entries match, name one by its id: {}", .matches.len(), listed(.matches))]
    Ambiguous {
        /// Which.
        matches: Vec<EntrySummary>,
    },
    /// An operation of no changes, or of too many or too large ones; nothing was sent.
    #[error(
        "an operation takes 1 to {max_changes} changes and {max_bytes} bytes; this one has {changes} and {bytes}"
    )]
    OperationSize {
        /// How many changes.
        changes: usize,
        /// How many bytes.
        bytes: usize,
        /// The most changes.
        max_changes: usize,
        /// The most bytes.
        max_bytes: usize,
    },
    /// The passphrase was not enrolled.
    #[error(transparent)]
    Weak(#[from] WeakPassphrase),
    /// Nothing was derived from the passphrase.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// The draft was not sealed; nothing was sent.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The entry is sealed for another generation or by a newer version.
    #[error(transparent)]
    Open(OpenError),
    /// The work was cut off: the program is shutting down.
    #[error("the derivation was cut off")]
    Cancelled,
}

impl ClientError {
    /// The node's answer, where there was one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Changed { problem, .. } => problem.as_deref(),
            Self::ReadOnly { problem, .. } | Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// The exit code of a command that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => exit::NOT_FOUND,
            Self::Changed { .. } => exit::CHANGED,
            Self::ReadOnly { .. } => exit::READ_ONLY,
            Self::Unreachable { .. } => exit::UNREACHABLE,
            Self::Tampered { .. } | Self::Open(_) => exit::CHECK_FAILED,
            Self::Seal(SealError::Stored(_)) | Self::Derive(DeriveError::TooWeak { .. }) => {
                exit::CHECK_FAILED
            }
            Self::BadServer { .. } | Self::Ambiguous { .. } | Self::Weak(_) | Self::Seal(_) => exit::USAGE,
            Self::OperationSize { .. } => exit::LIMIT,
            Self::Refused(problem) => of_code(&problem.code),
            Self::BadAnswer { .. } | Self::Derive(_) | Self::Cancelled => exit::UNEXPECTED,
        }
    }
}

fn of_code(code: &str) -> u8 {
    match code {
        code::NOT_AUTHENTICATED
        | code::UNLOCK_REFUSED
        | code::SETUP_REFUSED
        | code::FOREIGN_ORIGIN
        | code::NOT_OPERATOR => exit::DENIED,
        code::LIMIT | code::TOO_LARGE => exit::LIMIT,
        code::EXISTS => exit::CHANGED,
        code::REPLICATION_UNSUPPORTED => exit::OTHER_EDITION,
        code::BUSY | code::SHUTTING_DOWN | code::TIMEOUT => exit::UNREACHABLE,
        code::HALTED | code::READ_ONLY_BACKUP => exit::READ_ONLY,
        code::INVALID => exit::USAGE,
        _ => exit::UNEXPECTED,
    }
}

fn now(current: Option<Version>) -> String {
    current.map(|version| format!(" (it is at version {version} now)")).unwrap_or_default()
}

fn listed(matches: &[EntrySummary]) -> String {
    let rows = matches.iter().map(|row| format!("{:?} ({})", row.title, row.id));
    rows.collect::<Vec<_>>().join(", ")
}

impl From<OpenError> for ClientError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Tampered { what } => {
                Self::Tampered { what: format!("the entry's {what} does not match") }
            }
            other => Self::Open(other),
        }
    }
}

impl From<UnwrapError> for ClientError {
    fn from(error: UnwrapError) -> Self {
        Self::Tampered { what: error.to_string() }
    }
}
