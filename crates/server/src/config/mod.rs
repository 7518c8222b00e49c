//! The configuration: one TOML file, then `CLAVITOR_*` from the environment, then flags, read once into one struct.
//!
//! All problems are reported together, each with its place and a remedy. A value is never repeated in a problem, and no
//! key holds a secret. The tables of an edition are left to that edition.

mod file;
mod load;
mod problem;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use clavitor_core::edition::ConfigText;
use url::Url;

pub use load::{Overrides, Sources};
pub use problem::{ConfigErrors, Located};

/// The file that is read when no other is named and it exists.
pub const DEFAULT_FILE: &str = "/etc/clavitor/clavitor.toml";
/// The default public listener.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:1984";
/// What is logged when nothing is said.
pub const DEFAULT_LOG_FILTER: &str = "info";
/// The name of the systemd credential that may hold the keyring.
pub const KEYRING_CREDENTIAL: &str = "clavitor-keyring";

/// What a node runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The public listener; always a loopback address.
    pub listen: SocketAddr,
    /// Where users reach this node: an origin such as `https://vault.example.org`; `None` follows the listener.
    pub public_url: Option<Url>,
    /// The data folder, absolute.
    pub data_dir: PathBuf,
    /// Where the node keyring lies.
    pub keyring: KeyringPlace,
    /// Logging.
    pub log: LogConfig,
    /// The file as read, for the edition's own tables.
    pub text: Option<ConfigText>,
}

/// Where the node keyring lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringPlace {
    /// A file that we make at the first start.
    File(PathBuf),
    /// A systemd credential: only read, never written.
    Credential(PathBuf),
}

impl KeyringPlace {
    /// The file.
    pub fn path(&self) -> &std::path::Path {
        match self {
            Self::File(path) | Self::Credential(path) => path,
        }
    }
}

/// What is logged, and how. Logs go to stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Directives of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}
