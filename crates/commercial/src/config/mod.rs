//! The tables `[replication]` and `[alerts]` of the configuration file: their typed form and every problem in them.
//!
//! Pure: reads a text, never a file, an environment variable or a flag. Role, names, pins and TLS settings come from
//! nowhere else. What `meta` says of the node's role wins over the file; see [`crate::open`].

mod check;
mod section;

use std::net::SocketAddr;
use std::path::PathBuf;

use clavitor_core::edition::{ConfigProblem, ConfigText};
use clavitor_core::ids::PopName;
use clavitor_core::replica::Role;
use url::Url;

pub(crate) use check::pop_url;

/// The edition's part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Config {
    /// `[replication]`, where it stands.
    pub(crate) replication: Option<Replication>,
    /// `[alerts] webhook`, where it stands.
    pub(crate) webhook: Option<Webhook>,
}

/// `[replication]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replication {
    /// This node's name.
    pub(crate) pop: PopName,
    /// The role at the first start.
    pub(crate) role: Role,
    /// Where the POP listener binds.
    pub(crate) listen: SocketAddr,
    /// Where the identity key lies; `None` is `<data_dir>/pop-identity.pem`.
    pub(crate) identity_file: Option<PathBuf>,
    /// Where other POPs reach this one; `None` is derived from the address bound.
    pub(crate) url: Option<Url>,
    /// `[[replication.backups]]`: where invited backups are reached.
    pub(crate) backups: Vec<Backup>,
    /// `[replication.primary]`, on a backup.
    pub(crate) primary: Option<Primary>,
}

/// One of `[[replication.backups]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backup {
    /// Its name.
    pub(crate) pop: PopName,
    /// Where its POP listener is reached.
    pub(crate) url: Url,
}

/// `[replication.primary]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Primary {
    /// Its name.
    pub(crate) pop: PopName,
    /// Where its POP listener is reached.
    pub(crate) url: Url,
    /// Where its users reach it: what `X-Primary-Location` says.
    pub(crate) public_url: Url,
}

/// `[alerts] webhook`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    /// Where alerts are posted.
    pub(crate) url: Url,
    /// The file that holds the bearer token.
    pub(crate) token_file: Option<PathBuf>,
}

/// Reads the edition's tables.
///
/// # Errors
/// Every problem at once, in the order of their lines.
pub(crate) fn parse(text: &str) -> Result<Config, Vec<ConfigProblem>> {
    check::parse(text)
}

/// Checks the edition's tables of a configuration file; empty when all is well.
pub fn check_config(config: &ConfigText) -> Vec<ConfigProblem> {
    parse(&config.text).err().unwrap_or_default()
}

#[cfg(test)]
mod tests;
