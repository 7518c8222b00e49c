//! Puts a node together and runs it: everything is opened and bound before anything starts, and it ends with a drain.

mod admin;
mod build;
mod error;
mod serve;

pub use build::{App, HostParts};
pub(crate) use build::{OWN_LOCAL, Opened};
pub use error::StartError;
