//! The typed client of a Clavitor node: it derives, seals and opens here, so that the node never sees a secret value.
//!
//! A [`Client`] talks to one node; [`Client::unlock`] gives an [`OpenVault`], which holds the vault key until it is
//! dropped. The same calls read from a backup. Deliberately absent: following redirects or another node's address,
//! proxies of the environment, retries (but for one new session when the old one has ended), and anything printed.

mod admin;
mod chunk;
mod entries;
mod error;
mod find;
mod http;
mod login;
mod operations;
#[cfg(test)]
mod tests;
mod vault;

pub use self::admin::AdminClient;
pub use self::chunk::chunk_drafts;
pub use self::entries::{ListRequest, OpenEntry};
pub use self::error::ClientError;
pub use self::find::Query;
pub use self::login::{Client, ClientOptions};
pub use self::operations::{Change, OperationDone};
pub use self::vault::OpenVault;
