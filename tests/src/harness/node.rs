//! One node: its folder, its configuration, its process, which may be killed and started again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clavitor_client::{AdminClient, Client, ClientOptions};
use clavitor_core::replicator::{ActiveStatus, ReplicationStatus};
use url::Url;

use super::binary::text;
use super::process::Ended;
use super::{Binary, Process, STEP_LIMIT};

/// The files of a node, below one folder.
#[derive(Debug, Clone)]
pub struct NodeFiles {
    folder: PathBuf,
}

/// A node.
#[derive(Debug)]
pub struct Node {
    name: String,
    binary: Binary,
    files: NodeFiles,
    process: Option<Process>,
    /// Where it listened first; kept over restarts.
    url: Option<String>,
    /// What earlier processes of this node printed and said.
    said_before: String,
}

impl NodeFiles {
    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.join("clavitor.toml")
    }

    /// Its data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its database.
    pub fn database(&self) -> PathBuf {
        self.data_dir().join("clavitor.db")
    }

    /// The one-time setup secret.
    pub fn setup_secret(&self) -> PathBuf {
        self.data_dir().join("setup-secret")
    }
}

impl Node {
    /// Makes the folder of a node and its configuration. Nothing runs yet.
    ///
    /// - `tables`: what follows the common keys in the configuration.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn new(name: &str, binary: &Binary, parent: &Path, tables: &str) -> Result<Self> {
        let files = NodeFiles { folder: parent.join(name) };
        std::fs::create_dir_all(&files.folder)?;
        let node = Self {
            name: name.to_owned(),
            binary: binary.clone(),
            files,
            process: None,
            url: None,
            said_before: String::new(),
        };
        node.configure(tables)?;
        Ok(node)
    }

    /// Writes the configuration anew; it counts from the next start.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, tables: &str) -> Result<()> {
        let data_dir = self.files.data_dir();
        let common = format!("listen = \"127.0.0.1:0\"\ndata_dir = \"{}\"\n", text(&data_dir));
        std::fs::write(self.files.config(), format!("{common}{tables}"))?;
        Ok(())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its files.
    pub fn files(&self) -> &NodeFiles {
        &self.files
    }

    /// Starts it and waits until it listens: on a free port the first time, on the same one from then on.
    ///
    /// # Errors
    /// When it ends before it listens; shows its last lines.
    pub fn start(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("{} runs already", self.name);
        }
        let config = self.files.config();
        let address = self.url.as_deref().and_then(|url| url.strip_prefix("http://")).map(str::to_owned);
        let mut arguments = vec!["serve", "--config", text(&config)];
        if let Some(address) = &address {
            arguments.extend(["--listen", address]);
        }
        let process = self.binary.start(&arguments, None)?;
        let url =
            process.wait_for_line("listening on ").with_context(|| format!("starting {}", self.name))?;
        self.url = Some(url);
        self.process = Some(process);
        Ok(())
    }

    /// Runs `serve` where it is expected to end by itself.
    ///
    /// # Errors
    /// When it does not end within the limit.
    pub fn fail_to_start(&self) -> Result<super::Answer> {
        self.binary.run(&["serve", "--config", text(&self.files.config())], None)
    }

    /// Kills it as a power failure would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let process = self.process.take().with_context(|| format!("{} does not run", self.name))?;
        self.said_before.push_str(&process.said());
        process.kill()
    }

    /// Asks it to end, and waits for it.
    ///
    /// # Errors
    /// When it does not run, or does not end within the limit.
    pub fn stop(&mut self) -> Result<Ended> {
        let process = self.process.take().with_context(|| format!("{} does not run", self.name))?;
        let ended = process.terminate()?;
        self.said_before.push_str(&ended.stdout.join("\n"));
        self.said_before.push_str(&ended.stderr.join("\n"));
        Ok(ended)
    }

    /// The process, where it runs.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Everything that it ever printed and said: to look for what must not be there.
    pub fn said(&self) -> String {
        let now = self.process.as_ref().map(Process::said).unwrap_or_default();
        format!("{}\n{now}", self.said_before)
    }

    /// Its last lines, for an error.
    pub fn last_lines(&self) -> String {
        let lines = self.process.as_ref().map(Process::last_lines).unwrap_or_default();
        format!("\n  {}:{lines}", self.name)
    }

    /// Where users reach it.
    ///
    /// # Errors
    /// When it has never been started.
    pub fn url(&self) -> Result<&str> {
        self.url.as_deref().with_context(|| format!("{} has never been started", self.name))
    }

    /// A client of it.
    ///
    /// # Errors
    /// When it has never been started.
    pub fn client(&self) -> Result<Client> {
        let server = Url::parse(self.url()?)?;
        Ok(Client::new(ClientOptions { server, timeout: STEP_LIMIT })?)
    }

    /// Its operator's socket.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn admin(&self) -> Result<AdminClient> {
        Ok(AdminClient::new(&self.files.data_dir())?)
    }

    /// Replication as this node sees it.
    ///
    /// # Errors
    /// When it does not answer, or does not replicate.
    pub async fn replication(&self) -> Result<ActiveStatus> {
        match self.admin()?.replication().await? {
            ReplicationStatus::Active(status) => Ok(*status),
            other => bail!("{} does not replicate: {other:?}", self.name),
        }
    }

    /// Runs a command that must succeed on this node: an offline one, or one for its operator's socket.
    ///
    /// # Errors
    /// When its exit code is not 0.
    pub fn operate(&self, arguments: &[&str], input: Option<&str>) -> Result<serde_json::Value> {
        let config = self.files.config();
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--config", text(&config)]).collect();
        self.binary.json(&arguments, input).with_context(|| format!("on {}{}", self.name, self.last_lines()))
    }

    /// The same, where it may fail.
    ///
    /// # Errors
    /// When it cannot run.
    pub fn try_operate(&self, arguments: &[&str], input: Option<&str>) -> Result<super::Answer> {
        let config = self.files.config();
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--config", text(&config)]).collect();
        self.binary.run(&arguments, input)
    }
}

/// The `[replication]` table of a primary.
pub(super) fn primary_table(pop: &str, listen: SocketAddr, url: &str) -> String {
    format!("[replication]\npop = \"{pop}\"\nrole = \"primary\"\nlisten = \"{listen}\"\nurl = \"{url}\"\n")
}

/// The `[replication]` table of a backup.
pub(super) fn backup_table(
    pop: &str,
    listen: SocketAddr,
    primary: &str,
    url: &str,
    public_url: &str,
) -> String {
    format!(
        "[replication]\npop = \"{pop}\"\nrole = \"backup\"\nlisten = \"{listen}\"\n\
         [replication.primary]\npop = \"{primary}\"\nurl = \"{url}\"\npublic_url = \"{public_url}\"\n"
    )
}
