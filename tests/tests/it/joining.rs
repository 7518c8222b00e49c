//! Joining a cell and leaving it: who may, and who may not any more.

use anyhow::Result;
use clavitor_core::exit;
use clavitor_tests::harness::{Links, until};

use super::support::{cell, login};

#[tokio::test]
async fn an_invitation_is_good_once() -> Result<()> {
    let Some(mut cell) = cell(0, Links::Direct).await? else { return Ok(()) };
    let first = cell.prepare_backup()?;
    let invitation = cell.invite(&first)?;
    first.operate(&["pop", "join", "--stdin"], Some(&invitation))?;
    let again = first.try_operate(&["pop", "join", "--stdin"], Some(&invitation))?;
    assert_ne!(again.code, exit::OK, "it was used");
    assert!(!again.stderr.contains(invitation.trim()), "the invitation is not repeated: {}", again.stderr);
    assert_eq!(members(&cell)?, 2, "and the first use stands");
    Ok(())
}

#[tokio::test]
async fn an_invitation_is_bound_to_a_fingerprint_and_whole() -> Result<()> {
    let Some(mut cell) = cell(0, Links::Direct).await? else { return Ok(()) };
    let invited = cell.prepare_backup()?;
    let invitation = cell.invite(&invited)?;
    // The same invitation in the hands of another machine, which calls itself by the same name.
    let stranger = clavitor_tests::harness::Node::new("stranger", &cell.owner, cell.folder(), "")?;
    let tables = std::fs::read_to_string(invited.files().config())?;
    let replication = tables.split_once("[replication]").map_or("", |(_, rest)| rest);
    stranger.configure(&format!("[replication]{replication}"))?;
    let refused = stranger.try_operate(&["pop", "join", "--stdin"], Some(&invitation))?;
    assert_ne!(refused.code, exit::OK, "another key than the one invited");
    assert!(!refused.stderr.contains(invitation.trim()));

    let mut broken = invitation.trim().to_owned();
    let last = broken.pop();
    broken.push(if last == Some('A') { 'B' } else { 'A' });
    let refused = invited.try_operate(&["pop", "join", "--stdin"], Some(&broken))?;
    assert_ne!(refused.code, exit::OK, "an invitation with a typing error");
    assert_eq!(members(&cell)?, 1);

    invited.operate(&["pop", "join", "--stdin"], Some(&invitation))?;
    assert_eq!(members(&cell)?, 2, "two failures do not void it");
    Ok(())
}

/// How many members the primary counts, itself included; open invitations do not count.
fn members(cell: &clavitor_tests::harness::TestCluster) -> Result<usize> {
    let listed = cell.primary.operate(&["pop", "list"], None)?;
    let rows = listed.as_array().or_else(|| listed["members"].as_array()).cloned().unwrap_or_default();
    Ok(rows.iter().filter(|row| row["state"] == "member").count())
}

#[tokio::test]
async fn a_removed_backup_gets_nothing_more() -> Result<()> {
    let Some(cell) = cell(2, Links::Direct).await? else { return Ok(()) };
    let removed = cell.backups[0].name().to_owned();
    let before = cell.until_equal().await?;
    cell.primary.operate(&["pop", "remove", &removed, "--yes"], None)?;
    until("the removed backup to lose its link", async || {
        let upstream = cell.backups[0].replication().await?.upstream;
        Ok(upstream.is_none_or(|upstream| !upstream.link_open).then_some(()))
    })
    .await?;
    let written = cell.unlock().await?.create(&login("Mail", "not for all")).await?;
    cell.until_applied(1, written.seq).await?;
    let left = cell.primary.replication().await?;
    assert!(left.backups.iter().all(|backup| backup.pop.as_str() != removed), "{:?}", left.backups);
    assert_eq!(left.backups.len(), 1);
    let cut_off = cell.backups[0].replication().await?;
    assert!(cut_off.head < written.seq, "it stands at {}, removed at {}", cut_off.head, before.head);
    Ok(())
}
