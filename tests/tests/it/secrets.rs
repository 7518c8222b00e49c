//! What must lie nowhere: not in the database, not in its journal, not in a log, not on a backup.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clavitor_client::OpenVault;
use clavitor_tests::harness::{Links, Node, PASSPHRASE, TestVault};

use super::support::{BINARY, cell, login};

const TITLE: &str = "canary-title-5f1d";
const USERNAME: &str = "ann@mail.example";
const PASSWORD: &str = "canary-password-9c2e";
const NOTE: &str = "canary-note-77ab";

async fn write_canaries(vault: &OpenVault) -> Result<()> {
    let mut draft = login(TITLE, PASSWORD);
    draft.push("notes", clavitor_core::entry::FieldKind::Note, NOTE.to_owned());
    let id = vault.create(&draft).await?.id;
    let entry = vault.get(id).await?;
    vault.update(&entry).await?;
    // Refusals are logged too.
    let doubled = vault.create_as(id, &draft).await;
    assert!(doubled.is_err(), "the id is taken");
    vault.list_all().await?;
    Ok(())
}

/// Looks through every file of a node's data folder and everything that it printed.
fn look(node: &Node, vault: &OpenVault) -> Result<()> {
    let data_dir = node.files().data_dir();
    let mut ids_seen = 0;
    for file in files(&data_dir)? {
        let bytes = std::fs::read(&file)?;
        for canary in [TITLE, USERNAME, PASSWORD, NOTE, PASSPHRASE] {
            assert!(!contains(&bytes, canary.as_bytes()), "{canary} lies in {}", file.display());
        }
        ids_seen += usize::from(contains(&bytes, vault.vault_id().as_bytes()));
    }
    assert!(ids_seen > 0, "this looks where the data is: the vault's id must be found");
    let said = node.said();
    for canary in [TITLE, USERNAME, PASSWORD, NOTE, PASSPHRASE] {
        assert!(!said.contains(canary), "{canary} is in the log of {}", node.name());
    }
    assert!(said.contains("listening on"), "this looks at the log");
    Ok(())
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[tokio::test]
async fn nothing_open_lies_on_the_disk_or_in_a_log() -> Result<()> {
    let mut node = TestVault::start(BINARY).await?;
    let vault = node.unlock().await?;
    write_canaries(&vault).await?;
    // With the journal beside it, as a thief would find it; then as it lies after an orderly end.
    look(&node.node, &vault)?;
    node.node.stop()?;
    look(&node.node, &vault)
}

#[tokio::test]
async fn nothing_open_lies_on_a_backup() -> Result<()> {
    let Some(cell) = cell(1, Links::Direct).await? else { return Ok(()) };
    let vault = cell.unlock().await?;
    write_canaries(&vault).await?;
    cell.until_equal().await?;
    cell.unlock_on(0).await?.list_all().await?;
    look(&cell.primary, &vault)?;
    look(&cell.backups[0], &vault)
}

#[test]
fn the_files_of_a_node_are_its_owners_alone() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let node = TestVault::without_vault(BINARY)?;
    let data_dir = node.node.files().data_dir();
    assert_eq!(std::fs::metadata(&data_dir)?.permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(node.node.files().setup_secret())?.permissions().mode() & 0o777, 0o600);
    let keyring = data_dir.with_extension("keyring");
    assert_eq!(std::fs::metadata(&keyring)?.permissions().mode() & 0o777, 0o600, "{}", keyring.display());
    Ok(())
}
