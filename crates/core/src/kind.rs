//! The kinds of records. Their numbers are fixed for ever; a node stores and forwards kinds that it does not know.

use std::fmt;

use minicbor::{Decode, Encode};

/// What a record is. A plain number, so that a kind of a newer version passes through unharmed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Kind(#[n(0)] pub u16);

impl Kind {
    /// A vault: its name, its log-in key.
    pub const VAULT: Self = Self(1);
    /// A way to open a vault: the vault key, wrapped.
    pub const UNLOCKER: Self = Self(2);
    /// A named group of entries with its own key.
    pub const SCOPE: Self = Self(3);
    /// A scope key wrapped for one agent.
    pub const GRANT: Self = Self(4);
    /// An agent.
    pub const AGENT: Self = Self(5);
    /// An entry.
    pub const ENTRY: Self = Self(6);
    /// An earlier version of an entry.
    pub const REVISION: Self = Self(7);
    /// A lock of an agent.
    pub const LOCK: Self = Self(8);
    /// A setting.
    pub const SETTING: Self = Self(9);
    /// A member of the cell.
    pub const POP: Self = Self(10);

    /// The name of a kind that this version knows.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::VAULT => "vault",
            Self::UNLOCKER => "unlocker",
            Self::SCOPE => "scope",
            Self::GRANT => "grant",
            Self::AGENT => "agent",
            Self::ENTRY => "entry",
            Self::REVISION => "revision",
            Self::LOCK => "lock",
            Self::SETTING => "setting",
            Self::POP => "pop",
            _ => return None,
        })
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "kind-{}", self.0),
        }
    }
}
