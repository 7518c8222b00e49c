//! The node keyring: what a server seals at rest, and its blind indexes. It opens no credential and no identity field.
//!
//! Each vault has a sub-key of its own (the node's records that of the nil vault), and each purpose a key under it. A
//! keyring holds several generations: the newest seals, any opens.

mod node;
#[cfg(test)]
mod tests;

pub use self::node::{GENERATIONS_MAX, KeyringError, NodeKeyring};
pub use crate::keys::KeyId;
pub use crate::normalise::{normalise_host, normalise_title, normalise_vault_name};
