//! What differs between the editions, seen from outside: `editions.md` says the same in words.

use std::sync::Arc;

use anyhow::Result;
use clavitor_core::clock::Clock;
use clavitor_core::exit;
use clavitor_crypto::random;
use clavitor_store::{Store, StoreOptions};
use clavitor_tests::harness::TestVault;

use super::support::{BINARY, commercial, login, password};

#[test]
fn the_version_names_the_edition() -> Result<()> {
    let vault = TestVault::without_vault(BINARY)?;
    let printed = vault.owner.succeed(&["--version"], None)?;
    assert!(printed.contains(&format!("({})", clavitor_server::edition::NAME)), "{printed}");
    let status = vault.owner.json(&["status", "--server", vault.node.url()?], None)?;
    assert_eq!(status["edition"], clavitor_server::edition::NAME);
    Ok(())
}

#[tokio::test]
async fn replication_that_is_not_there_never_pretends() -> Result<()> {
    let vault = TestVault::start(BINARY).await?;
    let status = vault.node.admin()?.replication().await?;
    let expected = if commercial() { "not-configured" } else { "disabled" };
    assert_eq!(serde_json::to_value(&status)?["replication"], expected);
    let arguments = ["pop", "invite", "zurich", "--url", "https://127.0.0.1:1"];
    let invited = vault.node.try_operate(&arguments, None)?;
    if commercial() {
        assert_ne!(invited.code, exit::OK, "a node that does not replicate invites nobody");
    } else {
        assert_eq!(invited.code, exit::OTHER_EDITION, "{}", invited.stderr);
    }
    Ok(())
}

#[test]
fn an_identity_needs_the_commercial_edition() -> Result<()> {
    let mut vault = TestVault::without_vault(BINARY)?;
    vault.node.stop()?;
    let answer = vault.node.try_operate(&["pop", "identity"], None)?;
    if commercial() {
        assert_ne!(answer.code, exit::OTHER_EDITION, "{}", answer.stderr);
    } else {
        assert_eq!(answer.code, exit::OTHER_EDITION, "{}", answer.stderr);
    }
    Ok(())
}

struct Standing;

impl Clock for Standing {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }
}

/// A folder that a commercial node has used: the community edition leaves it alone until it has left its cell.
#[tokio::test]
async fn a_folder_with_a_history_is_opened_by_one_edition_only() -> Result<()> {
    let mut vault = TestVault::start(BINARY).await?;
    let id = vault.unlock().await?.create(&login("Mail", "kept")).await?.id;
    vault.node.stop()?;
    let options = StoreOptions {
        replicates: true,
        clock: Arc::new(Standing),
        cell: random::cell_id(Standing.now_ms()),
        epoch_nonce: random::u64(),
    };
    let store = Store::open(&vault.node.files().database(), options)?;
    store.close()?;
    drop(store);

    if commercial() {
        vault.node.start()?;
    } else {
        let refused = vault.node.fail_to_start()?;
        assert_eq!(refused.code, exit::OTHER_EDITION, "{}", refused.stderr);
        assert!(refused.stderr.contains("replication leave"), "{}", refused.stderr);
        vault.node.operate(&["replication", "leave", "--yes"], None)?;
        vault.node.start()?;
    }
    assert_eq!(password(&vault.unlock().await?.get(id).await?.draft), Some("kept"));
    Ok(())
}
