//! Kills, restarts and a network that swallows everything: nothing that was acknowledged is lost, and it goes on by itself.

use anyhow::Result;
use clavitor_client::Change;
use clavitor_core::limits::OPERATION_RECORDS_MAX;
use clavitor_tests::harness::Links;

use super::support::{cell, login, password};

#[tokio::test]
async fn a_backup_that_was_away_catches_up() -> Result<()> {
    let Some(mut cell) = cell(2, Links::Direct).await? else { return Ok(()) };
    let vault = cell.unlock().await?;
    cell.backups[0].stop()?;
    cell.backups[1].kill()?;
    let mut written = Vec::new();
    for n in 0..5 {
        written.push(vault.create(&login(&format!("while away {n}"), "x")).await?);
    }
    let deleted = vault.delete(written[0].id, written[0].version).await?;
    cell.backups[0].start()?;
    cell.backups[1].start()?;
    let primary = cell.until_equal().await?;
    assert!(primary.head >= deleted.seq);
    for backup in 0..2 {
        assert_eq!(cell.unlock_on(backup).await?.list_all().await?.len(), 4);
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_primary_goes_on_where_it_was() -> Result<()> {
    let Some(mut cell) = cell(1, Links::Direct).await? else { return Ok(()) };
    let vault = cell.unlock().await?;
    let before = cell.until_equal().await?;
    let mut acknowledged = Vec::new();
    for n in 0..20 {
        acknowledged.push(vault.create(&login(&format!("entry {n}"), "kept")).await?);
    }
    // At once after the last answer: what the backup does not have yet is still owed to it.
    cell.primary.kill()?;
    cell.primary.start()?;
    let after = cell.unlock().await?.create(&login("after the kill", "new")).await?;
    let primary = cell.until_equal().await?;
    assert_eq!(primary.epoch, before.epoch, "the same history");
    assert!(primary.head >= after.seq);
    let on_backup = cell.unlock_on(0).await?;
    for written in acknowledged {
        assert_eq!(password(&on_backup.get(written.id).await?.draft), Some("kept"));
    }
    assert_eq!(password(&on_backup.get(after.id).await?.draft), Some("new"));
    Ok(())
}

#[tokio::test]
async fn a_black_hole_delays_and_loses_nothing() -> Result<()> {
    let Some(cell) = cell(1, Links::Proxied).await? else { return Ok(()) };
    let vault = cell.unlock().await?;
    let before = cell.until_equal().await?;
    cell.black_hole();
    let mut last = before.head;
    for operation in 0..3 {
        let create = |n| Change::Create { id: None, draft: login(&format!("{operation}/{n}"), "swallowed") };
        last = vault.operations((0..OPERATION_RECORDS_MAX).map(create).collect(), None).await?.seq;
    }
    let during = cell.primary.replication().await?;
    assert_eq!(during.head, last, "writes do not wait for a backup");
    assert_eq!(cell.backups[0].replication().await?.head, before.head, "nothing passed");
    cell.heal();
    cell.primary.operate(&["replication", "wake"], None)?;
    cell.until_applied(0, last).await?;
    assert_eq!(cell.unlock_on(0).await?.list_all().await?.len(), 3 * OPERATION_RECORDS_MAX);
    let (primary, backup) = (cell.primary.replication().await?, cell.backups[0].replication().await?);
    assert_eq!((primary.head, primary.digest), (backup.head, backup.digest));
    Ok(())
}
