//! One node with one vault: what most tests need.

use anyhow::Result;
use clavitor_client::OpenVault;
use clavitor_core::secret::SecretText;
use tempfile::TempDir;

use super::{Binary, Node};

/// The name of the vault of a test.
pub const VAULT_NAME: &str = "home";
/// Its passphrase: no secret, it opens nothing but the vaults of tests and of the demo.
pub const PASSPHRASE: &str = "seven brass owls read the tide tables";

/// A running node with a vault.
#[derive(Debug)]
pub struct TestVault {
    /// The node.
    pub node: Node,
    /// The binary, with the profile of the vault's owner.
    pub owner: Binary,
    folder: TempDir,
}

impl TestVault {
    /// Starts a node without replication and sets a vault up in it.
    ///
    /// # Errors
    /// When any of it fails.
    pub async fn start(binary: &str) -> Result<Self> {
        let vault = Self::without_vault(binary)?;
        set_up(&vault.node).await?;
        Ok(vault)
    }

    /// Starts a node without replication, and without a vault.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn without_vault(binary: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("clavitor-test-").tempdir()?;
        let owner = Binary::new(binary, folder.path().join("owner"));
        let mut node = Node::new("node", &owner, folder.path(), "")?;
        node.start()?;
        Ok(Self { node, owner, folder })
    }

    /// Where everything of this test lies.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Unlocks the vault.
    ///
    /// # Errors
    /// When the node does not answer or refuses.
    pub async fn unlock(&self) -> Result<OpenVault> {
        unlock(&self.node).await
    }
}

/// Creates the vault on a fresh node.
pub(crate) async fn set_up(node: &Node) -> Result<()> {
    let secret = std::fs::read_to_string(node.files().setup_secret())?;
    let secret = SecretText::new(secret.trim().to_owned());
    node.client()?.setup(&secret, VAULT_NAME, &SecretText::new(PASSPHRASE.to_owned())).await?;
    Ok(())
}

/// Unlocks the vault on any node that has it.
pub(crate) async fn unlock(node: &Node) -> Result<OpenVault> {
    Ok(node.client()?.unlock(VAULT_NAME, &SecretText::new(PASSPHRASE.to_owned())).await?)
}
