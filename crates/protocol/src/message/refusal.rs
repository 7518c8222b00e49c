//! Why a message is refused: one closed list, numbered for ever.

use clavitor_core::order::{Epoch, Position, Seq};
use minicbor::{Decode, Encode};
use thiserror::Error;

use super::bodies::FormatRange;

/// Why a message was refused. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Error)]
pub enum Refusal {
    /// The sender's epoch is below one that was proved to this node.
    #[n(0)]
    #[error("fenced: this node has seen epoch {epoch_seen}")]
    Fenced {
        /// What this node has seen.
        #[n(0)]
        epoch_seen: Epoch,
    },
    /// A role does not fit: the sender's higher epoch is not proved, or the receiver is not what was assumed.
    #[n(1)]
    #[error("not primary here: this node knows epoch {epoch_seen}")]
    NotPrimary {
        /// What this node has seen.
        #[n(0)]
        epoch_seen: Epoch,
    },
    /// The batch starts beyond this node's position.
    #[n(2)]
    #[error("a gap: this node stands at {}", have.seq)]
    Gap {
        /// Where this node stands.
        #[n(0)]
        have: Position,
    },
    /// The batch disagrees with this node's log.
    #[n(3)]
    #[error("a fork at {at}")]
    Fork {
        /// The first seq that differs.
        #[n(0)]
        at: Seq,
    },
    /// The body's format is not read here.
    #[n(4)]
    #[error("only formats {} to {} are read here", supported.oldest, supported.newest)]
    Format {
        /// What is.
        #[n(0)]
        supported: FormatRange,
    },
    /// The message is over a limit of this node.
    #[n(5)]
    #[error("over the limit of {max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        #[n(0)]
        max: u64,
    },
    /// Too much waits already, or an earlier batch is not finished.
    #[n(6)]
    #[error("busy for {after_ms} ms")]
    Busy {
        /// When to come again, in milliseconds.
        #[n(0)]
        after_ms: u64,
    },
    /// This node's own log does not recompute.
    #[n(7)]
    #[error("this node's log is damaged at {at}")]
    Damaged {
        /// Where.
        #[n(0)]
        at: Seq,
    },
    /// The session is not the current one: greet again.
    #[n(8)]
    #[error("the session is not the current one")]
    Session,
    /// The message is for another cell.
    #[n(9)]
    #[error("the message is for another cell")]
    ForeignCell,
    /// The message is not well formed.
    #[n(10)]
    #[error("the message is malformed")]
    Malformed,
    /// This node could not store it: its disk is full or failing.
    #[n(11)]
    #[error("this node could not write to its disk")]
    Unwritable,
}
