//! What the commands need of the binary around them: its version, its edition, and the commands that run a node.
//!
//! Never talks to a node itself; the argument types are plain data, so that the server can be driven by tests.

use std::path::PathBuf;

use clavitor_core::secret::SecretText;

/// The binary that the commands run in. The server implements it; tests use a fake.
///
/// Methods that return `u8` print their own output and errors and answer an exit code of `clavitor_core::exit`.
pub trait Host {
    /// What follows the name in `clavitor --version`: `0.1.0 (community) 1a2b3c4 2026-11-22`.
    fn version(&self) -> String;

    /// `community` or `commercial`.
    fn edition(&self) -> &'static str;

    /// The data folder of the node that `node` means, found exactly as [`Host::serve`] finds its own.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the configuration and what to do.
    fn data_dir(&self, node: &NodeArgs) -> Result<PathBuf, String>;

    /// Runs a node until it is told to stop.
    fn serve(&self, args: ServeArgs) -> u8;

    /// Runs a command on a node that does not run, under the lock of its data folder.
    fn offline(&self, args: OfflineArgs) -> u8;
}

/// Which node on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct NodeArgs {
    /// The configuration file [default: /etc/clavitor/clavitor.toml, where it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder [default: what the configuration says]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// `clavitor serve`. What is absent comes from the environment, then from the file, then from the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ServeArgs {
    #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
    #[command(flatten)]
    pub node: NodeArgs,
    /// The address of the public listener [default: 127.0.0.1:1984]; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where users reach this node [default: from the listener]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The node keyring [default: beside the data folder, DIR.keyring]
    #[arg(long, value_name = "FILE")]
    pub keyring_file: Option<PathBuf>,
}

/// A command on a stopped node, with what is common to all of them.
#[derive(Debug)]
pub struct OfflineArgs {
    /// Which node.
    pub node: NodeArgs,
    /// The node keyring, where it is not in its usual place.
    pub keyring_file: Option<PathBuf>,
    /// Print the answer as one JSON object on stdout.
    pub json: bool,
    /// What to do.
    pub command: Offline,
}

/// The commands on a stopped node.
#[derive(Debug)]
pub enum Offline {
    /// `config check`: reports every problem at once; touches nothing.
    ConfigCheck,
    /// `pop identity`: prints this POP's fingerprint, making its key where there is none.
    PopIdentity,
    /// `pop join`: joins a cell.
    PopJoin {
        /// The line that `pop invite` printed on the primary; a secret until it is used.
        invitation: SecretText,
    },
    /// `replication leave`: gives up the history, so that the community edition can open the data folder. The person
    /// has agreed already.
    ReplicationLeave,
}
