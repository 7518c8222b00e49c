//! A cell: one primary and its backups, joined by the commands that an operator uses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use clavitor_client::OpenVault;
use clavitor_core::order::Seq;
use clavitor_core::replicator::{ActiveStatus, BackupState, BackupStatus};
use tempfile::TempDir;

use super::node::{backup_table, primary_table};
use super::vault::{set_up, unlock};
use super::{Binary, Node, Proxy, free_address, until};

/// How the nodes reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Directly.
    Direct,
    /// Every node is reached through a [`Proxy`] of its own, which can go silent.
    Proxied,
}

/// A running cell.
#[derive(Debug)]
pub struct TestCluster {
    /// The primary.
    pub primary: Node,
    /// The backups.
    pub backups: Vec<Node>,
    /// The binary, with the profile of the vault's owner.
    pub owner: Binary,
    /// What stands before the primary, then before each backup; empty with [`Links::Direct`].
    proxies: Vec<Proxy>,
    /// Where the POP listener of each node is reached by the others.
    pop_urls: BTreeMap<String, String>,
    links: Links,
    folder: TempDir,
}

/// The names of the backups.
const NAMES: [&str; 3] = ["zurich", "singapore", "bogota"];
/// The name of the primary.
const PRIMARY: &str = "calgary";

impl TestCluster {
    /// Starts a primary, sets a vault up on it, and joins backups to it.
    ///
    /// # Errors
    /// When any of it fails.
    pub async fn start(binary: &str, backups: usize, links: Links) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("clavitor-test-").tempdir()?;
        let owner = Binary::new(binary, folder.path().join("owner"));
        let mut cluster = Self::primary_alone(folder, owner, links)?;
        set_up(&cluster.primary).await?;
        for _ in 0..backups {
            cluster.add_backup()?;
        }
        cluster.until_equal().await?;
        Ok(cluster)
    }

    /// Starts a primary without a vault.
    ///
    /// # Errors
    /// When it does not start.
    pub fn primary_alone(folder: TempDir, owner: Binary, links: Links) -> Result<Self> {
        let listen = free_address()?;
        let mut proxies = Vec::new();
        let pop_url = pop_url(listen, links, &mut proxies)?;
        let table = primary_table(PRIMARY, listen, &pop_url);
        let mut primary = Node::new(PRIMARY, &owner, folder.path(), &table)?;
        primary.start()?;
        let pop_urls = BTreeMap::from([(PRIMARY.to_owned(), pop_url)]);
        Ok(Self { primary, backups: Vec::new(), owner, proxies, pop_urls, links, folder })
    }

    /// Invites, joins and starts one more backup.
    ///
    /// # Errors
    /// When a command of it fails.
    pub fn add_backup(&mut self) -> Result<()> {
        let mut backup = self.prepare_backup()?;
        let invitation = self.invite(&backup)?;
        backup.operate(&["pop", "join", "--stdin"], Some(&invitation))?;
        backup.start()?;
        self.backups.push(backup);
        Ok(())
    }

    /// Makes the folder of the next backup. It is neither invited nor started.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn prepare_backup(&mut self) -> Result<Node> {
        let name = NAMES.get(self.backups.len()).context("this many backups have no names")?;
        let listen = free_address()?;
        let table = backup_table(name, listen, PRIMARY, self.pop_url(PRIMARY)?, self.primary.url()?);
        self.pop_urls.insert((*name).to_owned(), pop_url(listen, self.links, &mut self.proxies)?);
        Node::new(name, &self.owner, self.folder.path(), &table)
    }

    /// Invites a prepared backup and returns the invitation.
    ///
    /// # Errors
    /// When a command of it fails.
    pub fn invite(&self, backup: &Node) -> Result<String> {
        let identity = backup.operate(&["pop", "identity"], None)?;
        let key = identity["key"].as_str().context("`pop identity` printed no key")?;
        let arguments = ["pop", "invite", backup.name(), "--key", key, "--url", self.pop_url(backup.name())?];
        let answer = self.primary.operate(&arguments, None)?;
        Ok(answer["invitation"].as_str().context("`pop invite` printed no invitation")?.to_owned())
    }

    fn pop_url(&self, node: &str) -> Result<&str> {
        self.pop_urls.get(node).map(String::as_str).with_context(|| format!("{node} was never prepared"))
    }

    /// Where everything of this cell lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Unlocks the vault on the primary.
    ///
    /// # Errors
    /// When it does not answer or refuses.
    pub async fn unlock(&self) -> Result<OpenVault> {
        unlock(&self.primary).await
    }

    /// Unlocks the vault on a backup.
    ///
    /// # Errors
    /// When it does not answer or refuses.
    pub async fn unlock_on(&self, backup: usize) -> Result<OpenVault> {
        unlock(&self.backups[backup]).await
    }

    /// Lets nothing pass between the nodes any more, in either direction.
    pub fn black_hole(&self) {
        assert_eq!(self.links, Links::Proxied, "a cell with direct links has no proxies");
        self.proxies.iter().for_each(Proxy::go_silent);
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        self.proxies.iter().for_each(Proxy::heal);
    }

    /// Waits until every backup is linked, idle and at the primary's head, with an equal digest; returns the primary's view.
    ///
    /// # Errors
    /// When that does not come within the limit; shows where each node stands.
    pub async fn until_equal(&self) -> Result<ActiveStatus> {
        let mut last = String::new();
        let found = until("all backups to be linked and equal", async || {
            let (primary, equal) = self.look().await?;
            last = format!("{:?}", primary.backups);
            Ok(equal.then_some(primary))
        });
        let found = found.await;
        found.with_context(|| format!("the primary saw {last}{}", self.last_lines()))
    }

    async fn look(&self) -> Result<(ActiveStatus, bool)> {
        let primary = self.primary.replication().await?;
        let settled = |backup: &BackupStatus| {
            backup.state == BackupState::Streaming && backup.link_open && backup.acked_seq == primary.head
        };
        let mut equal = primary.backups.len() == self.backups.len() && primary.backups.iter().all(settled);
        for backup in &self.backups {
            let status = backup.replication().await?;
            equal &= status.head == primary.head && status.digest == primary.digest;
        }
        Ok((primary, equal))
    }

    /// Waits until a backup has applied a change.
    ///
    /// # Errors
    /// When that does not come within the limit.
    pub async fn until_applied(&self, backup: usize, seq: Seq) -> Result<()> {
        let node = &self.backups[backup];
        until(&format!("{} to reach {seq}", node.name()), async || {
            Ok((node.replication().await?.head >= seq).then_some(()))
        })
        .await
        .with_context(|| self.last_lines())
    }

    /// The last lines of all nodes, for an error.
    pub fn last_lines(&self) -> String {
        std::iter::once(&self.primary).chain(&self.backups).map(Node::last_lines).collect()
    }
}

fn pop_url(listen: SocketAddr, links: Links, proxies: &mut Vec<Proxy>) -> Result<String> {
    let reached = match links {
        Links::Direct => listen,
        Links::Proxied => {
            let proxy = Proxy::start(listen)?;
            let address = proxy.address();
            proxies.push(proxy);
            address
        }
    };
    Ok(format!("https://{reached}"))
}
