//! What happens, in order. Each step has a limit, and an error shows what the nodes said last.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clavitor_client::{ClientError, OpenEntry, OpenVault};
use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::{EntryType, Tier};
use clavitor_core::exit;
use clavitor_core::replicator::ActiveStatus;
use tokio::time::Instant;

use super::lag::Watched;
use super::outcome::Outcome;
use super::{Arguments, disk};
use crate::harness::{Binary, Links, PASSPHRASE, STEP_LIMIT, TestCluster, VAULT_NAME};

/// The export that ships with the project, below its root.
const SAMPLE: &str = "../crates/import/samples/bitwarden.json";
/// How many of the single writes are shown, from the first, and then each so many-th.
const SHOWN_FIRST: u32 = 5;
const SHOWN_EACH: u32 = 50;

/// The cell on its stage.
struct Stage {
    cell: TestCluster,
    outcome: Outcome,
}

/// Plays the whole of it.
///
/// # Errors
/// When a step could not be played to its end. What was played and did not hold is in the outcome instead.
pub(super) async fn tell(arguments: &Arguments) -> Result<Outcome> {
    let file = match &arguments.file {
        Some(file) => file.canonicalize().with_context(|| format!("{} cannot be read", file.display()))?,
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLE),
    };
    println!("a primary and two backups of the commercial edition, on this machine");
    let mut stage = limited("starting the primary", open()).await?;
    let played = stage.play(&file, arguments).await;
    played.with_context(|| format!("the nodes said last:{}", stage.cell.last_lines()))?;
    Ok(stage.outcome)
}

/// One step, with its limit.
async fn limited<T>(what: &str, step: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(STEP_LIMIT, step).await {
        Ok(done) => done.with_context(|| what.to_owned()),
        Err(_) => bail!("{what} took longer than {} s", STEP_LIMIT.as_secs()),
    }
}

async fn open() -> Result<Stage> {
    let folder = tempfile::Builder::new().prefix("clavitor-demo-").tempdir()?;
    let owner = Binary::beside_this_program(folder.path().join("owner"))?;
    let syncs_per_second = disk::syncs_per_second(folder.path())?;
    let cell = TestCluster::primary_alone(folder, owner, Links::Direct)?;
    println!("  {} listens on {}", cell.primary.name(), cell.primary.url()?);
    Ok(Stage { cell, outcome: Outcome { syncs_per_second, ..Outcome::default() } })
}

impl Stage {
    async fn play(&mut self, file: &Path, arguments: &Arguments) -> Result<()> {
        limited("joining the backups", self.join()).await?;
        let vault = limited("importing", self.import(file)).await?;
        limited("measuring single writes", self.measure(&vault, arguments.writes)).await?;
        let known = limited("choosing an entry", known_entry(&vault)).await?;
        let head = limited("killing the primary", self.kill(&known)).await?;
        limited("writing on a backup", self.refused_write()).await?;
        limited("starting the primary again", self.resume(&vault, head)).await?;
        let idle = Duration::from_secs(arguments.idle_seconds);
        self.idle(idle).await.context("watching the idle cell")?;
        limited("comparing digests", self.compare()).await
    }

    /// The vault is created and the backups are joined as people do it: by the command line.
    async fn join(&mut self) -> Result<()> {
        let url = self.cell.primary.url()?.to_owned();
        let setup = self.cell.primary.files().setup_secret();
        let passphrase = self.passphrase_file()?;
        let (setup, passphrase) = (text(&setup)?, text(&passphrase)?);
        let arguments = [
            "init",
            "--server",
            &url,
            "--setup-file",
            setup,
            "--name",
            VAULT_NAME,
            "--passphrase-file",
            passphrase,
        ];
        self.cell.owner.succeed(&arguments, None)?;
        println!(
            "  the vault `{VAULT_NAME}` was created: its key was made by the command, the node never sees it"
        );
        for _ in 0..2 {
            self.cell.add_backup()?;
            let backup = self.cell.backups.last().context("a backup was added")?;
            println!("  {} was invited, joined, and listens on {}", backup.name(), backup.url()?);
        }
        self.cell.until_equal().await?;
        Ok(())
    }

    fn passphrase_file(&self) -> Result<PathBuf> {
        let file = self.cell.folder().join("passphrase");
        std::fs::write(&file, PASSPHRASE)?;
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(file)
    }

    async fn import(&mut self, file: &Path) -> Result<OpenVault> {
        println!("\nan import: {}", file.display());
        let passphrase = self.passphrase_file()?;
        let arguments = [
            "import",
            "bitwarden",
            text(file)?,
            "--yes",
            "--with-trash",
            "--passphrase-file",
            text(&passphrase)?,
        ];
        let answer = self.cell.owner.run(&arguments, None)?;
        if ![exit::OK, exit::SKIPPED].contains(&answer.code) {
            bail!("the import ended with {}\n{}\n{}", answer.code, answer.stdout, answer.stderr);
        }
        let began = Instant::now();
        let primary = self.cell.until_equal().await?;
        let behind = began.elapsed();
        let vault = self.cell.unlock().await?;
        self.outcome.in_file = entries_in(file)?;
        self.outcome.imported = count(&vault).await?;
        for backup in &self.cell.backups {
            self.outcome.on_backups.push(count(&backup.client()?.sign_in(&vault).await?).await?);
        }
        println!(
            "  {} of {} entries imported; the backups hold {:?}, equal at change {} within {} ms of its end",
            self.outcome.imported,
            self.outcome.in_file,
            self.outcome.on_backups,
            primary.head,
            behind.as_millis()
        );
        Ok(vault)
    }

    async fn measure(&mut self, vault: &OpenVault, writes: u32) -> Result<()> {
        println!("\n{writes} single writes, each until both backups show it");
        let [first, second] = self.cell.backups.as_slice() else { bail!("two backups were joined") };
        let on_first = first.client()?.sign_in(vault).await?;
        let on_second = second.client()?.sign_in(vault).await?;
        let watched = Watched { primary: vault, backups: [&on_first, &on_second] };
        let id = watched.create("Changed by the demo").await?;
        for write in 1..=writes {
            let lags = watched.change(id, &format!("value {write}")).await?;
            if write <= SHOWN_FIRST || write % SHOWN_EACH == 0 {
                let [a, b] = lags.map(|lag| lag.as_secs_f64() * 1_000.0);
                println!(
                    "  write {write:>3}: on {} after {a:.2} ms, on {} after {b:.2} ms",
                    first.name(),
                    second.name()
                );
            }
            self.outcome.lags.extend(lags);
        }
        Ok(())
    }

    /// Kills the primary, then reads on a backup what was read on the primary before. Returns how far the primary had come.
    async fn kill(&mut self, known: &OpenEntry) -> Result<ActiveStatus> {
        let before = self.cell.until_equal().await?;
        self.cell.primary.kill()?;
        println!("\n{} was killed (SIGKILL) at change {}", self.cell.primary.name(), before.head);
        let vault = self.cell.unlock_on(0).await?;
        let read = vault.get(known.id).await?;
        self.outcome.read_from_backup_after_kill = same(&read.draft, &known.draft);
        println!(
            "  `{}` read from {} and opened here: {} fields, {}",
            read.draft.title,
            self.cell.backups[0].name(),
            read.draft.fields.len(),
            if self.outcome.read_from_backup_after_kill {
                "all as they were written"
            } else {
                "NOT as they were"
            }
        );
        Ok(before)
    }

    async fn refused_write(&mut self) -> Result<()> {
        let vault = self.cell.unlock_on(1).await?;
        self.cell.primary.url()?.clone_into(&mut self.outcome.primary_url);
        match vault.create(&EntryDraft::new(EntryType::Login, "Written on a backup")).await {
            Err(ClientError::ReadOnly { primary_location, problem }) => {
                self.outcome.write_on_backup_status = problem.status;
                self.outcome.primary_location = primary_location.unwrap_or_default();
                println!(
                    "  a write on {}: {} {}, the primary is {}",
                    self.cell.backups[1].name(),
                    problem.status,
                    problem.code,
                    self.outcome.primary_location
                );
            }
            Err(other) => return Err(other.into()),
            Ok(written) => {
                self.outcome.write_on_backup_status = 200;
                println!("  a write on a backup was taken as version {}", written.version);
            }
        }
        Ok(())
    }

    /// The primary goes on: same history, nothing lost, and only what is new is sent.
    async fn resume(&mut self, vault: &OpenVault, before: ActiveStatus) -> Result<()> {
        self.cell.primary.start()?;
        let again = self.cell.until_equal().await?;
        println!("\n{} was started again at change {}", self.cell.primary.name(), again.head);
        let [first, second] = self.cell.backups.as_slice() else { bail!("two backups were joined") };
        let primary = self.cell.primary.client()?.sign_in(vault).await?;
        let on_first = first.client()?.sign_in(vault).await?;
        let on_second = second.client()?.sign_in(vault).await?;
        let watched = Watched { primary: &primary, backups: [&on_first, &on_second] };
        watched.create("Written after the restart").await?;
        let after = self.cell.until_equal().await?;
        let fresh = after.head.above(before.head) * 2;
        let goes_on = again.epoch == before.epoch && again.head == before.head;
        self.outcome.resumed = goes_on && after.records_sent_total == fresh;
        println!(
            "  a new write arrived on both; {} records were sent, {fresh} were new",
            after.records_sent_total
        );
        Ok(())
    }

    async fn idle(&mut self, idle: Duration) -> Result<()> {
        println!("\nnothing is written for {} s", idle.as_secs());
        self.cell.until_equal().await?;
        let before = self.wakeups().await?;
        tokio::time::sleep(idle).await;
        let after = self.wakeups().await?;
        self.outcome.idle_seconds = idle.as_secs();
        self.outcome.idle_worker_wakeups = after - before;
        println!("  the workers of all nodes woke {} times", after - before);
        Ok(())
    }

    /// Of all nodes since their starts. Asking wakes no worker.
    async fn wakeups(&self) -> Result<u64> {
        let mut wakeups = 0;
        for node in std::iter::once(&self.cell.primary).chain(&self.cell.backups) {
            wakeups += node.replication().await?.worker_wakeups_total;
        }
        Ok(wakeups)
    }

    async fn compare(&mut self) -> Result<()> {
        let primary = self.cell.primary.replication().await?;
        let mut equal = true;
        for backup in &self.cell.backups {
            let backup = backup.replication().await?;
            equal &= (backup.head, &backup.digest) == (primary.head, &primary.digest);
        }
        self.outcome.digests_equal = equal;
        println!("  digest at change {}: {}…", primary.head, primary.digest.get(..16).unwrap_or_default());
        Ok(())
    }
}

/// An entry with a secret in it, as the primary gives it.
async fn known_entry(vault: &OpenVault) -> Result<OpenEntry> {
    for row in vault.list_all().await? {
        let entry = vault.get(row.id).await?;
        if entry.draft.fields.iter().any(|field| field.tier > Tier::Vault && !field.value.expose().is_empty())
        {
            return Ok(entry);
        }
    }
    bail!("no entry of the import has a secret value")
}

/// Whether two drafts say the same in every field.
fn same(a: &EntryDraft, b: &EntryDraft) -> bool {
    let fields = a.fields.len() == b.fields.len()
        && a.fields
            .iter()
            .zip(&b.fields)
            .all(|(a, b)| a.name == b.name && a.value.expose() == b.value.expose());
    fields && (&a.title, &a.username, &a.urls) == (&b.title, &b.username, &b.urls)
}

async fn count(vault: &OpenVault) -> Result<u64> {
    Ok(vault.list_all().await?.len() as u64)
}

/// How many entries a Bitwarden export says that it has.
fn entries_in(file: &Path) -> Result<u64> {
    let export: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let items = export["items"].as_array().context("the export has no list `items`")?;
    Ok(items.len() as u64)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))
}
