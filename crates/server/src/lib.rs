//! The server: configuration, the HTTP API, authentication, the operator's socket, and the composition root of the
//! `clavitor` binary.
//!
//! It seals and opens the vault tier only; credential and identity fields pass through as the client sealed them.
//! Deliberately absent: replication logic (it holds an edition and pokes it), SQL, keys that open what clients sealed.

pub mod app;
mod clock;
pub mod config;
mod data;
pub mod edition;
mod hardening;
mod host;
mod http;
mod logging;
mod node;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

pub use app::{App, HostParts, StartError};
pub use clock::SystemClock;
pub use data::{FolderError, KeyringFileError};
pub use host::BinaryHost;

/// The whole binary: reads the command line, runs the command, answers its exit code.
pub fn main() -> ExitCode {
    ExitCode::from(clavitor_cli::run(std::env::args_os().collect(), &BinaryHost))
}
