//! The contract of `Replicator`, and what `open` refuses.

use clavitor_core::BoxFuture;
use clavitor_core::testing::replicator_keeps_its_contract;

use super::*;

#[test]
fn a_replicating_node_and_one_that_is_not_configured_keep_the_contract() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let block_on = |future: BoxFuture<()>| runtime.block_on(future);
    let _inside = runtime.enter();
    for site in [Site::primary(), Site::new("listen = \"127.0.0.1:0\"\n".to_owned(), 1, b"")] {
        let pop = site.start();
        replicator_keeps_its_contract(Arc::clone(&pop.edition.replicator), &block_on);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_table_says_so() {
    let site = Site::new(String::new(), 1, b"");
    let pop = site.start();
    assert_eq!(pop.edition.replicator.status(), ReplicationStatus::NotConfigured);
    let refused = pop.operate(OperatorCommand::PopList).await.unwrap_err();
    assert!(matches!(refused, OperateError::Refused { code: "not-configured", .. }), "{refused:?}");
    pop.write("kept in the log for later").await;
    pop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_has_not_joined_does_not_start() {
    let primary_site = Site::primary();
    let primary = primary_site.start();
    let site = Site::backup("zurich-01", &primary);
    let refused = site.try_start().err().unwrap().to_string();
    assert!(refused.contains("has not joined"), "{refused}");
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_with_entries_of_its_own_is_told_the_ways_out() {
    let mut site = Site::new(String::new(), 1, b"");
    let pop = site.start();
    pop.write("written before it was to be a backup").await;
    pop.end().await;
    let primary_site = Site::primary();
    let primary = primary_site.start();
    site.config = Site::backup("zurich-01", &primary).config;
    let refused = site.try_start().err().unwrap();
    assert!(refused.to_string().contains("holds entries"), "{refused}");
    let EditionError::Failed { remedy, .. } = refused else { panic!("{refused:?}") };
    assert!(remedy.contains("empty data_dir") && remedy.contains("role = \"primary\""), "{remedy}");
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_does_not_start_without_its_table() {
    let mut site = Site::primary();
    let pop = site.start();
    eventually(|| pop.store.node().position.seq, |seq| *seq == Seq(1)).await;
    pop.end().await;
    site.config = String::new();
    let refused = site.try_start().err().unwrap().to_string();
    assert!(refused.contains("belongs to the member primary"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_does_not_start_with_another_key() {
    let site = Site::primary();
    let pop = site.start();
    eventually(|| pop.store.node().position.seq, |seq| *seq == Seq(1)).await;
    pop.end().await;
    std::fs::remove_file(site.folder.path().join(crate::identity::FILE_NAME)).unwrap();
    let refused = site.try_start().err().unwrap().to_string();
    assert!(refused.contains("is not the one that its cell pins"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_is_a_clear_error() {
    let site = Site::primary();
    let pop = site.start();
    let other = Site::new(site.config.clone(), 3, b"");
    let refused = other.try_start().err().unwrap().to_string();
    assert!(refused.contains("could not be bound"), "{refused}");
    pop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_backup_that_is_no_member_is_shown() {
    let mut site = Site::primary();
    site.config.push_str("[[replication.backups]]\npop = \"zurich-01\"\nurl = \"https://127.0.0.1:9\"\n");
    let pop = site.start();
    let peer = pop.peer("zurich-01").unwrap();
    assert_eq!(peer.state, clavitor_core::replicator::BackupState::Rejected);
    assert!(peer.cause.unwrap().contains("pop invite zurich-01"));
    pop.end().await;
}
