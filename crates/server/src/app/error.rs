//! Why a node did not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clavitor_core::change::WriteError;
use clavitor_core::edition::EditionError;
use clavitor_core::exit;
use clavitor_core::replica::ReadError;
use clavitor_store::OpenError;
use thiserror::Error;

use crate::config::{ConfigErrors, Located};
use crate::data::{FolderError, KeyringFileError};

/// Why a node did not start. Nothing listens, and nothing was lost.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration.
    #[error("the configuration is not usable\n{0}")]
    Config(ConfigErrors),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The node keyring.
    #[error(transparent)]
    Keyring(#[from] KeyringFileError),
    /// The database.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Reading the database.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Writing the database.
    #[error("{0}; nothing was started: check free space and the owner of the data folder")]
    Write(#[from] WriteError),
    /// The edition.
    #[error("{what}; nothing was started: {remedy}")]
    Edition {
        /// What happened.
        what: String,
        /// What to do.
        remedy: String,
        /// Whether the other edition is needed.
        other_edition: bool,
    },
    /// A command on a stopped node. What it kept is in its own words.
    #[error("{what}: {remedy}")]
    Command {
        /// What happened.
        what: String,
        /// What to do.
        remedy: String,
        /// Whether the other edition is needed.
        other_edition: bool,
    },
    /// The public listener.
    #[error(
        "{address} cannot be listened on: {error}; nothing was started: stop what uses it, or choose another \
             with --listen"
    )]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The operator's socket.
    #[error("the operator's socket {} cannot be made: {error}; nothing was started: choose a data folder with a \
             shorter path, on a file system that has sockets", path.display())]
    AdminSocket {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The setup secret.
    #[error("the setup secret cannot be written to {}: {error}; nothing was started: check free space and the owner \
             of the data folder", path.display())]
    Setup {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl StartError {
    /// The exit code: 13 where the other edition is needed, 11 for a wrong configuration, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(errors) => errors.exit_code(),
            Self::Store(OpenError::HasHistory { .. })
            | Self::Edition { other_edition: true, .. }
            | Self::Command { other_edition: true, .. } => exit::OTHER_EDITION,
            _ => exit::UNEXPECTED,
        }
    }

    /// What an edition refused to do on a stopped node: there was nothing to start.
    pub(crate) fn from_command(error: EditionError, config: Option<&std::path::Path>) -> Self {
        match Self::from_edition(error, config) {
            Self::Edition { what, remedy, other_edition } => Self::Command { what, remedy, other_edition },
            other => other,
        }
    }

    /// What an edition refused; `config` is the file that it read, for the places of its problems.
    pub(crate) fn from_edition(error: EditionError, config: Option<&std::path::Path>) -> Self {
        let file = config.unwrap_or(std::path::Path::new("configuration"));
        match error {
            EditionError::Config(problems) => Self::Config(ConfigErrors(
                problems.into_iter().map(|problem| Located::from_edition(file, problem)).collect(),
            )),
            EditionError::OtherEdition { what } => {
                let remedy = "run a build made with `--features commercial`".to_owned();
                Self::Edition { what, remedy, other_edition: true }
            }
            EditionError::Failed { what, remedy } => Self::Edition { what, remedy, other_edition: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_does_not_speak_of_starting() {
        let error = || EditionError::Failed { what: "no answer".to_owned(), remedy: "try again".to_owned() };
        let command = StartError::from_command(error(), None);
        assert_eq!(
            (command.to_string().as_str(), command.exit_code()),
            ("no answer: try again", exit::UNEXPECTED)
        );
        let start = StartError::from_edition(error(), None);
        assert_eq!(start.to_string(), "no answer; nothing was started: try again");
        let other = StartError::from_command(EditionError::OtherEdition { what: "it".to_owned() }, None);
        assert_eq!(other.exit_code(), exit::OTHER_EDITION);
    }
}
