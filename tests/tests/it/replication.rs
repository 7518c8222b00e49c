//! What a backup does while all is well, and what it does without its primary.

use anyhow::{Context as _, Result};
use clavitor_client::{Change, ClientError};
use clavitor_core::exit;
use clavitor_core::limits::OPERATION_RECORDS_MAX;
use clavitor_core::problem::{Problem, code};
use clavitor_core::replicator::BackupState;
use clavitor_tests::harness::{Links, VAULT_NAME};

use super::support::{cell, login, passphrase_file, password, text};

#[tokio::test]
async fn a_write_arrives_on_every_backup() -> Result<()> {
    let Some(cell) = cell(2, Links::Direct).await? else { return Ok(()) };
    let vault = cell.unlock().await?;
    let created = vault.create(&login("Mail", "first")).await?;
    let mut entry = vault.get(created.id).await?;
    entry.draft = login("Mail", "second");
    let changed = vault.update(&entry).await?;
    let primary = cell.until_equal().await?;
    assert!(primary.head >= changed.seq);
    assert!(primary.backups.iter().all(|backup| backup.digest_equal == Some(true)), "{:?}", primary.backups);
    for backup in 0..2 {
        let read = cell.unlock_on(backup).await?.get(created.id).await?;
        assert_eq!((read.version, password(&read.draft)), (changed.version, Some("second")));
    }
    Ok(())
}

#[tokio::test]
async fn a_deletion_arrives_as_a_tombstone() -> Result<()> {
    let Some(cell) = cell(1, Links::Direct).await? else { return Ok(()) };
    let vault = cell.unlock().await?;
    let written = vault.create(&login("Mail", "short-lived")).await?;
    cell.until_applied(0, written.seq).await?;
    let on_backup = cell.unlock_on(0).await?;
    assert!(on_backup.get(written.id).await.is_ok());
    let deleted = vault.delete(written.id, written.version).await?;
    cell.until_applied(0, deleted.seq).await?;
    let gone = on_backup.get(written.id).await;
    assert!(matches!(gone, Err(ClientError::NotFound { .. })), "{gone:?}");
    assert!(on_backup.list_all().await?.is_empty());
    cell.until_equal().await?;
    Ok(())
}

#[tokio::test]
async fn a_joining_backup_gets_all_that_was_there_before() -> Result<()> {
    let Some(mut cell) = cell(0, Links::Direct).await? else { return Ok(()) };
    let vault = cell.unlock().await?;
    for operation in 0..3 {
        let create = |n| Change::Create { id: None, draft: login(&format!("{operation}/{n}"), "x") };
        vault.operations((0..OPERATION_RECORDS_MAX).map(create).collect(), None).await?;
    }
    cell.add_backup()?;
    let primary = cell.until_equal().await?;
    assert!(primary.batches_total >= 3, "capped batches: {}", primary.batches_total);
    assert_eq!(cell.unlock_on(0).await?.list_all().await?.len(), 3 * OPERATION_RECORDS_MAX);
    Ok(())
}

#[tokio::test]
async fn a_backup_refuses_writes_and_names_the_primary() -> Result<()> {
    let Some(cell) = cell(1, Links::Direct).await? else { return Ok(()) };
    let vault = cell.unlock_on(0).await?;
    let primary = cell.primary.url()?;
    match vault.create(&login("Mail", "x")).await {
        Err(ClientError::ReadOnly { primary_location, problem }) => {
            assert_eq!(primary_location.as_deref().map(|url| url.trim_end_matches('/')), Some(primary));
            assert_eq!((problem.status, problem.code.as_str()), (503, code::READ_ONLY_BACKUP));
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let url = format!("{}/api/v1/vaults/{}/entries/{id}", cell.backups[0].url()?, vault.vault_id());
    let raw = reqwest::Client::new().delete(url).send().await?;
    assert_eq!(raw.status(), 503);
    let location = raw.headers().get("X-Primary-Location").context("the header is there")?.to_str()?;
    assert_eq!(location.trim_end_matches('/'), primary);
    assert_eq!(raw.json::<Problem>().await?.code, code::READ_ONLY_BACKUP);

    let passphrase = passphrase_file(cell.folder())?;
    let put = ["put", "Mail", "--no-value", "--vault", VAULT_NAME, "--passphrase-file", text(&passphrase)];
    let server = ["--server", cell.backups[0].url()?];
    let answer = cell.owner.run(&[&put[..], &server[..]].concat(), None)?;
    assert_eq!(answer.code, exit::READ_ONLY, "{}", answer.stderr);
    assert!(answer.stderr.contains(primary), "{}", answer.stderr);
    Ok(())
}

#[tokio::test]
async fn a_backup_serves_reads_when_the_primary_is_dead() -> Result<()> {
    let Some(mut cell) = cell(1, Links::Direct).await? else { return Ok(()) };
    cell.unlock().await?.create(&login("Mail", "still here")).await?;
    cell.until_equal().await?;
    cell.primary.kill()?;
    let passphrase = passphrase_file(cell.folder())?;
    let get = ["get", "Mail", "--vault", VAULT_NAME, "--passphrase-file", text(&passphrase)];
    let server = ["--server", cell.backups[0].url()?];
    assert_eq!(cell.owner.succeed(&[&get[..], &server[..]].concat(), None)?, "still here");
    let status = cell.backups[0].replication().await?;
    assert!(status.upstream.is_some_and(|upstream| !upstream.public_url.is_empty()));
    Ok(())
}

#[tokio::test]
async fn the_operator_sees_the_backups() -> Result<()> {
    let Some(cell) = cell(1, Links::Direct).await? else { return Ok(()) };
    let status = cell.primary.operate(&["replication", "status"], None)?;
    assert_eq!(status["replication"], "active", "{status}");
    assert_eq!(status["role"], "primary");
    assert_eq!(status["backups"][0]["state"], serde_json::to_value(BackupState::Streaming)?);
    assert_eq!(
        (&status["backups"][0]["lag_records"], &status["backups"][0]["lag_ms"]),
        (&0.into(), &0.into())
    );
    let members = cell.primary.admin()?.command(&clavitor_core::replicator::OperatorCommand::PopList).await?;
    let members = serde_json::to_value(members)?;
    assert_eq!(members["members"].as_array().map(Vec::len), Some(2), "{members}");
    Ok(())
}
