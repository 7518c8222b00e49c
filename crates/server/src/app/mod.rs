//! Puts a node together and runs it: everything is opened and bound before anything starts, and it ends with a drain.

mod admin;
mod build;
mod error;
mod serve;

pub(crate) use build::Opened;
pub use build::{App, HostParts};
pub use error::StartError;
