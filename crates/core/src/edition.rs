//! What an edition is: the one shape that both edition crates export and assert.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::alerts::Alerts;
use crate::audit::AuditSealer;
use crate::clock::Clock;
use crate::replica::ReplicaStore;
use crate::replicator::Replicator;
use crate::secret::SecretBytes;

/// What an edition gives to the server. `R` is the router type, so that core needs no HTTP library.
pub struct Edition<R> {
    /// Replication, or its honest absence.
    pub replicator: Arc<dyn Replicator>,
    /// How the operator is told.
    pub alerts: Arc<dyn Alerts>,
    /// Routes of its own on the public listener.
    pub routes: Option<R>,
    /// What answers unknown routes; `None` is a plain 404.
    pub fallback: Option<R>,
}

/// What the server gives to an edition.
#[derive(Clone)]
pub struct EditionInput {
    /// The configuration file, where there is one.
    pub config: Option<ConfigText>,
    /// The data folder.
    pub data_dir: PathBuf,
    /// Where users reach this node.
    pub public_url: String,
    /// The store.
    pub store: Arc<dyn ReplicaStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Seals audit events.
    pub audit: Arc<dyn AuditSealer>,
    /// The node keyring, for handing it to an invited member.
    pub keyring: Arc<dyn KeyringPort>,
}

/// A configuration file: the edition parses its own tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigText {
    /// Where it is.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// The node keyring as the join sees it: opaque bytes.
pub trait KeyringPort: Send + Sync + 'static {
    /// The whole keyring, to be sealed to a joiner.
    fn export(&self) -> SecretBytes;

    /// Stores a keyring received in a join, durably. Refuses to overwrite a different one.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    fn import(&self, keyring: SecretBytes) -> Result<(), String>;
}

/// Opens an edition. Called inside the async runtime, before the writer starts; it binds before it returns.
pub type OpenEdition<R> = fn(EditionInput) -> Result<Edition<R>, EditionError>;

/// Checks an edition's own tables of a configuration. Pure: no file, no network.
pub type CheckConfig = fn(&ConfigText) -> Vec<ConfigProblem>;

/// Runs a command that needs the folder lock and no running node.
pub type RunOffline = fn(OfflineInput, OfflineCommand) -> Result<OfflineAnswer, EditionError>;

/// What an offline command may use.
pub struct OfflineInput {
    /// As for a running node. The store's writer is running; nothing listens.
    pub edition: EditionInput,
}

/// A command on a stopped node. Its `Debug` leaves out an invitation.
#[derive(Clone, PartialEq, Eq)]
pub enum OfflineCommand {
    /// Prints this POP's fingerprint, making its identity key where there is none.
    PopIdentity,
    /// Joins a cell with an invitation.
    PopJoin {
        /// The line that `pop invite` printed.
        invitation: String,
    },
}

impl std::fmt::Debug for OfflineCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PopIdentity => f.write_str("PopIdentity"),
            Self::PopJoin { .. } => f.debug_struct("PopJoin").finish_non_exhaustive(),
        }
    }
}

/// What an offline command answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum OfflineAnswer {
    /// This POP's identity.
    Identity {
        /// SHA-256 over its public key, 64 hex digits.
        key: String,
    },
    /// The node is a member now.
    Joined {
        /// The cell.
        cell: String,
        /// This node's name.
        pop: String,
        /// The primary's name.
        primary: String,
    },
    /// The primary has noted the join; its operator must approve it, then `pop join` is run again.
    Pending {
        /// What to compare.
        key: String,
    },
}

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigProblem {
    /// The line in the file, from 1; 0 where no line is to blame.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Whether the other edition would accept it (exit code 13).
    pub other_edition: bool,
}

/// Why an edition could not open, or a command of it failed.
#[derive(Debug, Error)]
pub enum EditionError {
    /// The configuration is wrong.
    #[error("the configuration is not usable")]
    Config(Vec<ConfigProblem>),
    /// It needs the other edition.
    #[error("{what}")]
    OtherEdition {
        /// What was asked.
        what: String,
    },
    /// Something else, with what to do.
    #[error("{what}")]
    Failed {
        /// What happened, and what was kept.
        what: String,
        /// What to do.
        remedy: String,
    },
}
