//! The commands on entries.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clavitor_core::entry::{EntryType, FieldKind};

use super::VaultArgs;

/// Where the value of a field comes from.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub(crate) struct ValueArgs {
    /// Read the value from standard input, without its last line end
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Read the value from a file, exactly as it is
    #[arg(long, value_name = "FILE")]
    pub(crate) from_file: Option<PathBuf>,
    /// Write no value: an entry without one, or a change of the other things
    #[arg(long)]
    pub(crate) no_value: bool,
}

/// `put`.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// The title; with --update also a host or an id
    pub(crate) title: String,
    /// Change the entry that is there instead of creating one; what is not named stays
    #[arg(long)]
    pub(crate) update: bool,
    /// The user name
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// A URL; may be given several times. With --update these replace the old ones
    #[arg(long = "url", value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// A tag; may be given several times. With --update these replace the old ones
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// The folder, nested by /
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<String>,
    /// What it is about [default: login]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) entry_type: Option<TypeArg>,
    /// The name of the field that gets the value [default: the main one of the type]
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,
    /// What the value is [default: by the name of the field, else concealed]
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<KindArg>,
    #[command(flatten)]
    pub(crate) value: ValueArgs,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
}

/// `get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The title, a host, or the id
    #[arg(value_name = "TITLE|HOST|ID")]
    pub(crate) name: String,
    /// Only the value of this field
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,
    /// Show values on a terminal too
    #[arg(long)]
    pub(crate) reveal: bool,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
}

/// `list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only this folder and those below it
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<String>,
    /// Only entries with this tag
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
}

/// `rm`.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// The title, a host, or the id
    #[arg(value_name = "TITLE|HOST|ID")]
    pub(crate) name: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
}

/// `totp`.
#[derive(Debug, Args)]
pub(crate) struct TotpArgs {
    /// The title, a host, or the id
    #[arg(value_name = "TITLE|HOST|ID")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
}

/// `import`: from where.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportSource {
    /// A Bitwarden export in the format .json (not encrypted)
    #[command(before_help = "Examples:
  clavitor import bitwarden bitwarden_export.json
  clavitor import bitwarden bitwarden_export.json --dry-run
  clavitor import bitwarden bitwarden_export.json --yes --json")]
    Bitwarden(ImportArgs),
}

/// `import bitwarden`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The export
    pub(crate) file: PathBuf,
    /// Do not ask after the preview; needed where there is no terminal
    #[arg(long)]
    pub(crate) yes: bool,
    /// Only show the preview
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Import what lies in the source's trash too, tagged "trash"
    #[arg(long)]
    pub(crate) with_trash: bool,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident($inner:ty): $($variant:ident),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) $inner);

        impl ValueEnum for $name {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self(<$inner>::$variant)),+]
            }

            fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
                Some(clap::builder::PossibleValue::new(self.name()))
            }
        }
    };
}

named!(
    /// A type of entry by its stable name.
    TypeArg(EntryType): Login, Card, Identity, Note, SshKey, ApiKey, Database, Wifi, Other);
named!(
    /// A kind of value by its stable name.
    KindArg(FieldKind): Text, Password, Totp, Note, Url, Email, Phone, Date, Boolean, ApiKey, PrivateKey, PublicKey,
    CardNumber, CardCode, Pin, GovernmentId, RecoveryCode, Passkey, Json, Concealed);

impl TypeArg {
    fn name(self) -> &'static str {
        self.0.name()
    }
}

impl KindArg {
    fn name(self) -> &'static str {
        crate::fields::kind_name(self.0)
    }
}
