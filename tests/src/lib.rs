//! What the integration tests and the demo share: real processes of the edition that is built, and the demo itself.
//!
//! Nothing here ships. It never opens a node's database and never reaches into a node: it uses the command line, the HTTP
//! API and the operator's socket, as people do.

pub mod demo;
pub mod harness;
