//! The domain of Clavitor: identifiers, records, limits, and the ports that the shell implements.
//!
//! Deliberately absent: I/O, async runtimes, SQLite, HTTP, cryptography, and any knowledge of which edition is built.
//! What crosses a seam between two crates is defined here, so that either side can be read alone.

pub mod alerts;
pub mod api;
pub mod audit;
pub mod change;
pub mod clock;
pub mod draft;
pub mod edition;
pub mod entry;
pub mod exit;
pub mod ids;
pub mod kind;
pub mod limits;
pub mod member;
pub mod order;
pub mod problem;
pub mod record;
pub mod replica;
pub mod replicator;
pub mod secret;
#[cfg(feature = "testing")]
pub mod testing;
pub mod vault;

use std::future::Future;
use std::pin::Pin;

/// A boxed future that can be sent between threads: what a port returns when it must wait.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;
