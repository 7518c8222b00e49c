//! Nodes as real processes in temporary folders, on ports of their own: one vault, or a whole cell.
//!
//! Everything waits for a state with a deadline and says what it was waiting for; nothing waits for time to pass.

mod binary;
mod cluster;
mod node;
mod process;
mod proxy;
mod vault;
mod wait;

pub use binary::{Answer, Binary};
pub use cluster::{Links, TestCluster};
pub use node::{Node, NodeFiles};
pub use process::Process;
pub use proxy::Proxy;
pub use vault::{PASSPHRASE, TestVault, VAULT_NAME};
pub use wait::{STEP_LIMIT, free_address, until};
