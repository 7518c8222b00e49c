//! Nothing runs while nothing is written: the promise that replaces polling.

use std::time::Duration;

use anyhow::Result;
use clavitor_tests::harness::{Links, Node};

use super::support::{cell, login};

/// How long nothing is written.
const IDLE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn an_idle_cell_wakes_no_worker_and_arms_no_timer() -> Result<()> {
    let Some(cell) = cell(2, Links::Direct).await? else { return Ok(()) };
    cell.unlock().await?.create(&login("Mail", "the last write")).await?;
    let settled = cell.until_equal().await?;
    assert!(settled.worker_wakeups_total > 0, "the counter counts: it woke for the write");
    let nodes = || std::iter::once(&cell.primary).chain(&cell.backups);
    let before = wakeups(nodes()).await?;
    // The one place where time has to pass: that is what is measured.
    tokio::time::sleep(IDLE).await;
    assert_eq!(wakeups(nodes()).await?, before);
    for node in nodes() {
        assert_eq!(node.replication().await?.timers_armed, 0, "{}", node.name());
    }
    Ok(())
}

async fn wakeups(nodes: impl Iterator<Item = &Node>) -> Result<Vec<u64>> {
    let mut counted = Vec::new();
    for node in nodes {
        counted.push(node.replication().await?.worker_wakeups_total);
    }
    Ok(counted)
}
