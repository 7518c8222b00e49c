//! What one operation changes, what it expects, and why it may be refused. All of an operation commits, or nothing.

use thiserror::Error;

use crate::audit::SealedAudit;
use crate::ids::{RecordId, VaultId};
use crate::kind::Kind;
use crate::order::{Seq, Version};
use crate::record::Lookup;

/// The state in which a change expects its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is no record with this id, nor a tombstone; the change creates version 1.
    Absent,
    /// The record lives at this version; the change makes the next.
    Version(Version),
}

/// One record to be written, or turned into a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which record.
    pub id: RecordId,
    /// The vault that it belongs to; a change never moves a record to another vault.
    pub vault_id: VaultId,
    /// What it is; a change never alters the kind.
    pub kind: Kind,
    /// What must hold before.
    pub expect: Expect,
    /// The new lookups and payload, or `None` for a tombstone.
    pub content: Option<Content>,
}

/// What a living record holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// Blind indexes.
    pub lookups: Vec<Lookup>,
    /// What the kind needs, secrets sealed.
    pub payload: Vec<u8>,
}

/// A condition on the whole node, checked in the operation's own savepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// No living record of this kind exists.
    NoRecordOfKind(Kind),
    /// No living record has this lookup in this vault.
    LookupAbsent {
        /// The vault, nil for the node.
        vault_id: VaultId,
        /// The lookup.
        lookup: Lookup,
    },
    /// The node-local value under this key is exactly this, or absent.
    LocalIs {
        /// The key.
        key: String,
        /// The value, `None` for absent.
        value: Option<Vec<u8>>,
    },
}

/// A node-local value to be set or removed. Never replicated, never part of chain or digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalChange {
    /// `area/name`, chosen by its owner.
    pub key: String,
    /// The new value, `None` to remove it.
    pub value: Option<Vec<u8>>,
}

/// One operation: at most [`crate::limits::OPERATION_RECORDS_MAX`] changes and
/// [`crate::limits::OPERATION_BYTES_MAX`] encoded bytes, with its audit rows, under one savepoint.
#[derive(Debug, Default)]
pub struct Operation {
    /// Conditions, checked first.
    pub guards: Vec<Guard>,
    /// The records, in the order in which they get their `seq`.
    pub changes: Vec<Change>,
    /// Node-local values.
    pub local: Vec<LocalChange>,
    /// Audit rows; they commit with the change, or nothing does.
    pub audit: Vec<SealedAudit>,
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The head after the operation.
    pub head: Seq,
    /// The new version of each change, in their order.
    pub versions: Vec<Version>,
}

/// Why an operation was refused. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The change at `index` expected another state.
    #[error("change {index} expected another version of its record")]
    Conflict {
        /// Which change of the operation.
        index: usize,
        /// The version that lives now; `None` when there is none.
        current: Option<Version>,
        /// Whether what is there is a tombstone.
        deleted: bool,
    },
    /// The change at `index` names a record that does not exist.
    #[error("change {index} names a record that does not exist")]
    NotFound {
        /// Which change of the operation.
        index: usize,
    },
    /// The change at `index` would move a record to another vault or kind.
    #[error("change {index} names a record of another vault or kind")]
    Foreign {
        /// Which change of the operation.
        index: usize,
    },
    /// A guard did not hold.
    #[error("a condition of the operation does not hold")]
    Guard {
        /// Which guard.
        index: usize,
    },
    /// Over a limit of one operation or record.
    #[error("the operation is over the limit: {what} at most {max}")]
    TooLarge {
        /// What is limited.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// This node is a backup, or has been told to take no writes.
    #[error("this node does not accept writes")]
    ReadOnly,
    /// Too many writes wait; nothing was queued.
    #[error("too many writes are waiting")]
    Busy,
    /// The disk refused: full, or failing.
    #[error("the database could not be written: {0}")]
    Disk(String),
    /// The store is closing.
    #[error("the node is shutting down")]
    Closed,
}
