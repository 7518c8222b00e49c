//! The command tree: what may be typed, and the help. Holds no behaviour.
//!
//! No flag and no positional ever holds a secret; a test walks the tree for that.

mod entry;
mod node;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use entry::{GetArgs, ImportArgs, ImportSource, ListArgs, PutArgs, RmArgs, TotpArgs};
pub(crate) use node::{
    ConfigCommand, JoinArgs, LeaveArgs, OfflineNodeArgs, PopCommand, PromoteArgs, RemoveArgs,
    ReplicationCommand, StatusArgs,
};

use crate::host::{NodeArgs, ServeArgs};

/// Clavitor: a credential vault for people and the agents that work for them.
#[derive(Debug, Parser)]
#[command(
    name = "clavitor",
    bin_name = "clavitor",
    disable_version_flag = true,
    arg_required_else_help = true,
    before_help = "Examples:
  clavitor serve
  clavitor init --server http://localhost:1984 --setup-file ./data/setup-secret
  clavitor put Mail --username ann@mail.example --url https://mail.example
  clavitor get Mail"
)]
pub(crate) struct Cli {
    /// Print the version and the edition
    #[arg(short = 'V', long)]
    pub(crate) version: bool,
    /// Print one JSON object or list on standard output
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,
    /// Never ask; implied where standard input or error is no terminal
    #[arg(long, global = true, display_order = 901)]
    pub(crate) no_input: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node
    #[command(before_help = "Examples:
  clavitor serve
  clavitor serve --config /etc/clavitor/clavitor.toml
  clavitor serve --data-dir ./data --listen 127.0.0.1:2000")]
    Serve(ServeArgs),
    /// Create the first vault of a new node, and remember it here
    #[command(before_help = "Examples:
  clavitor init
  clavitor init --server http://localhost:1984 --setup-file ./data/setup-secret
  clavitor init --server https://vault.example.org --name family")]
    Init(InitArgs),
    /// Create an entry, or change one with --update
    #[command(before_help = "Examples:
  clavitor put Mail --username ann@mail.example --url https://mail.example
  pwgen 24 1 | clavitor put Mail --update --stdin
  clavitor put \"Deploy key\" --type ssh-key --from-file ~/.ssh/id_ed25519")]
    Put(PutArgs),
    /// Show an entry, or print one value of it
    #[command(before_help = "Examples:
  clavitor get Mail
  clavitor get mail.example --field password --reveal
  clavitor get Mail | wl-copy")]
    Get(GetArgs),
    /// List all entries
    #[command(before_help = "Examples:
  clavitor list
  clavitor list --folder Work
  clavitor list --json")]
    List(ListArgs),
    /// Delete an entry
    #[command(before_help = "Examples:
  clavitor rm \"Old forum\"
  clavitor rm 01890a5d-ac96-774b-bcce-b302099a8057
  clavitor rm \"Old forum\" --yes")]
    Rm(RmArgs),
    /// Print the current one-time code of an entry
    #[command(before_help = "Examples:
  clavitor totp Mail
  clavitor totp mail.example
  clavitor totp Mail --json")]
    Totp(TotpArgs),
    /// Bring entries over from another manager
    #[command(before_help = "Examples:
  clavitor import bitwarden bitwarden_export.json
  clavitor import bitwarden bitwarden_export.json --dry-run
  clavitor import bitwarden bitwarden_export.json --yes --json")]
    Import {
        #[command(subcommand)]
        source: ImportSource,
    },
    /// Show how a node is
    #[command(before_help = "Examples:
  clavitor status
  clavitor status --server https://vault.example.org
  clavitor status --data-dir /var/lib/clavitor --json")]
    Status(StatusArgs),
    /// The sites of a cell: identity, invitations, members
    #[command(before_help = "Examples:
  clavitor pop identity
  clavitor pop invite zurich-01 --key FINGERPRINT
  clavitor pop list")]
    Pop {
        #[command(subcommand)]
        command: PopCommand,
    },
    /// Replication to the backups
    #[command(before_help = "Examples:
  clavitor replication status
  clavitor replication status --json
  clavitor replication wake")]
    Replication {
        #[command(subcommand)]
        command: ReplicationCommand,
    },
    /// The configuration file
    #[command(before_help = "Examples:
  clavitor config check
  clavitor config check --config ./clavitor.toml
  clavitor config check --json")]
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// Which vault, where, and how it is unlocked.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct VaultArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// The name of the vault [default: the profile's]
    #[arg(long, value_name = "NAME")]
    pub(crate) vault: Option<String>,
    /// Read the passphrase from a file; - is standard input. Without it, it is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Which server.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlaceArgs {
    /// The profile [default: $CLAVITOR_PROFILE, else ~/.config/clavitor/profile.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
    /// The server [default: the profile's, else http://localhost:1984]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
}

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Read the one-time setup secret from a file; - is standard input. Without it, it is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) setup_file: Option<PathBuf>,
    /// The name of the vault, by which it is unlocked [default: personal]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Read the new passphrase from a file; - is standard input. Without it, it is asked for twice
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// A node of this machine, for the commands of its operator.
#[derive(Debug, Clone, Args)]
pub(crate) struct OperatorArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}
