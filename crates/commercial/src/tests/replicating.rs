//! Changes on their way: from the write to every backup, through restarts, and then silence.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_write_reaches_the_backup_and_then_all_is_quiet() {
    let (_primary_site, primary, backup_site, backup) = pair().await;
    assert_eq!(backup_site.keyring.bytes(), b"keyring of the cell");
    for number in 0..20 {
        let seq = primary.write(&format!("entry {number}")).await;
        backup.reaches(seq).await;
    }
    assert_eq!(backup.entries(), primary.entries());
    let (at_primary, at_backup) = (primary.store.node(), backup.store.node());
    assert_eq!((at_primary.position, at_primary.digest), (at_backup.position, at_backup.digest));
    eventually(|| primary.peer("zurich-01").unwrap(), is_linked_and_equal).await;
    let quiet = eventually(|| primary.status(), |status| status.timers_armed == 0).await;
    assert_eq!(quiet.backups[0].state, clavitor_core::replicator::BackupState::Streaming);
    assert!(quiet.batches_total >= 1 && quiet.records_sent_total >= 20);
    assert_eq!(backup.status().timers_armed, 0);
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_takes_no_write() {
    let (_primary_site, primary, _backup_site, backup) = pair().await;
    let refused = backup.store.write(Operation {
        changes: vec![Change {
            id: RecordId::from_bytes([1; 16]),
            vault_id: VAULT,
            kind: Kind::ENTRY,
            expect: Expect::Absent,
            content: Some(Content::default()),
        }],
        ..Operation::default()
    });
    assert_eq!(refused.await, Err(clavitor_core::change::WriteError::ReadOnly));
    let refused = backup.operate(OperatorCommand::PopRemove { pop: "primary".parse().unwrap() }).await;
    assert!(matches!(refused, Err(OperateError::Refused { code: "read-only-backup", .. })), "{refused:?}");
    assert_eq!(backup.status().upstream.unwrap().public_url, "https://vault.example.org");
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_while_a_backup_was_away_reaches_it_when_its_link_opens() {
    let (_primary_site, primary, backup_site, backup) = pair().await;
    backup.end().await;
    eventually(|| primary.peer("zurich-01").unwrap(), |peer| !peer.link_open).await;
    let mut seq = Seq::ZERO;
    for number in 0..300 {
        seq = primary.write(&format!("entry {number}")).await;
    }
    let backup = backup_site.start();
    backup.reaches(seq).await;
    assert_eq!(backup.titles().len(), 300);
    eventually(|| primary.peer("zurich-01").unwrap(), is_linked_and_equal).await;
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_primary_goes_on_where_it_was() {
    let (primary_site, primary, _backup_site, backup) = pair().await;
    let seq = primary.write("before").await;
    backup.reaches(seq).await;
    primary.end().await;
    eventually(|| backup.status(), |status| !status.upstream.as_ref().unwrap().link_open).await;
    let primary = primary_site.start();
    let seq = primary.write("after").await;
    backup.reaches(seq).await;
    backup.operate(OperatorCommand::Wake).await.unwrap();
    eventually(|| primary.peer("zurich-01").unwrap(), is_linked_and_equal).await;
    assert_eq!(backup.titles(), primary.titles());
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_backup_streams_from_the_start_and_an_absent_one_delays_nobody() {
    let (_primary_site, primary, first_site, first) = pair().await;
    first.end().await;
    for number in 0..10 {
        primary.write(&format!("entry {number}")).await;
    }
    let second_site = Site::backup("oslo-01", &primary);
    let second = join_and_start(&primary, &second_site, "oslo-01").await;
    let seq = primary.write("last").await;
    second.reaches(seq).await;
    assert_eq!(second.entries(), primary.entries());
    let first = first_site.start();
    first.reaches(seq).await;
    assert_eq!(first.store.node().digest, second.store.node().digest);
    for pop in [primary, first, second] {
        pop.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_cut_off_at_once() {
    let (_primary_site, primary, _backup_site, backup) = pair().await;
    primary.operate(OperatorCommand::PopRemove { pop: "zurich-01".parse().unwrap() }).await.unwrap();
    assert_eq!(primary.peer("zurich-01"), None);
    eventually(|| backup.status(), |status| !status.upstream.as_ref().unwrap().link_open).await;
    backup.operate(OperatorCommand::Wake).await.unwrap();
    let cause = |status: &ActiveStatus| status.upstream.as_ref().unwrap().cause.clone().unwrap_or_default();
    eventually(|| backup.status(), |status| cause(status).contains("not a member there")).await;
    assert!(primary.store.replica().cursors().is_empty());
    let seq = primary.write("not for you").await;
    assert!(backup.store.node().position.seq < seq);
    assert_eq!(backup.titles(), Vec::<String>::new());
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_hangs_delays_neither_a_write_nor_the_end() {
    let (_primary_site, primary, _backup_site, backup) = pair().await;
    let address = backup.status().listen;
    backup.end().await;
    let silent = tokio::net::TcpListener::bind(&address).await.unwrap();
    primary.write("for nobody").await;
    let (held, _) = tokio::time::timeout(DEADLINE, silent.accept()).await.unwrap().unwrap();
    primary.write("and another").await;
    let peer = eventually(|| primary.peer("zurich-01").unwrap(), |peer| peer.lag_records == 2).await;
    assert!(!peer.link_open);
    primary.edition.replicator.drain(Duration::from_millis(50)).await;
    drop(held);
    primary.store.close().unwrap();
}
