//! Whoever holds keys of members and stands between them, or speaks in a member's name: what he changes shows.

use clavitor_core::alerts::AlertKind;
use clavitor_core::replicator::BackupState;
use clavitor_protocol::message::{self, Apply, Hello, Message, Reply, Request};

use super::refused::{apply, ask, hello};
use super::*;
use crate::members::Members;
use crate::refusals::Refusals;
use crate::tls;
use crate::transport::listener::{self, Listening};
use crate::transport::{APPLY_ROUTE, CBOR, HELLO_ROUTE};

/// Puts another payload into every record of a batch.
fn altered(mut apply: Apply) -> Apply {
    for entry in &mut apply.entries {
        let mut record = clavitor_core::record::Record::decode(&entry.record).unwrap();
        record.payload = b"altered".to_vec();
        entry.record = record.encode().unwrap();
    }
    apply
}

/// Passes requests on, batches altered, and the answers as they are.
fn between(client: Arc<PeerClient>) -> Router {
    async fn pass(client: Arc<PeerClient>, request: Request) -> axum::response::Response {
        use axum::response::IntoResponse as _;
        let reply = client.send(&request).await.unwrap();
        ([(http::header::CONTENT_TYPE, CBOR)], message::encode(&reply)).into_response()
    }
    fn read<M: Message>(body: &[u8]) -> M {
        message::decode(body).unwrap()
    }
    let again = Arc::clone(&client);
    Router::new()
        .route(
            HELLO_ROUTE,
            axum::routing::post(move |body: axum::body::Bytes| {
                pass(Arc::clone(&client), Request::Hello(read::<Hello>(&body)))
            }),
        )
        .route(
            APPLY_ROUTE,
            axum::routing::post(move |body: axum::body::Bytes| {
                pass(Arc::clone(&again), Request::Apply(Box::new(altered(read(&body)))))
            }),
        )
        .layer(axum::extract::DefaultBodyLimit::max(limits::MESSAGE_BYTES_MAX))
}

fn diverged(pop: &Pop) -> Option<String> {
    let alerts = pop.alerts.raised();
    alerts.into_iter().find(|alert| alert.kind == AlertKind::Diverged).map(|alert| alert.subject)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_altered_on_its_way_is_not_acknowledged() {
    let mut primary_site = Site::primary();
    let (tcp, address) = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    primary_site
        .config
        .push_str(&format!("[[replication.backups]]\npop = \"zurich-01\"\nurl = \"https://{address}\"\n"));
    let primary = primary_site.start();
    let backup_site = Site::backup("zurich-01", &primary);
    let own_key = backup_site.fingerprint();
    let invitation = primary.invite("zurich-01", Some(own_key)).await;
    backup_site.join(&invitation).unwrap();
    // Joined, not started: the first batch goes through whoever stands between, with the backup's own key.
    let backup = backup_site.start();
    let before = primary.store.node().position;
    let to_backup = client(&primary_site.identity(), &backup_site, &backup.url());
    let store = primary.store.replica();
    let members = Members::load(store.clone(), backup_site.identity().fingerprint()).unwrap();
    let refusals = Refusals::new(store, Arc::new(PlainSealer), primary_site.clock.clone());
    let listening = Listening::new(
        tls::server_config(&backup_site.identity()).unwrap(),
        between(Arc::new(to_backup)),
        Arc::new(members),
        Arc::new(refusals),
    );
    let stop = tokio::sync::watch::Sender::new(false);
    let man = tokio::spawn(listening.run(tcp, stop.subscribe()));
    primary.operate(OperatorCommand::Wake).await.unwrap();
    let peer =
        eventually(|| primary.peer("zurich-01").unwrap(), |peer| peer.state == BackupState::Diverged).await;
    assert!(peer.cause.unwrap().contains("differs from this node's"));
    assert_eq!((peer.acked_seq, peer.digest_equal), (Seq::ZERO, None), "nothing of it is believed");
    assert_eq!(diverged(&primary).as_deref(), Some("zurich-01"));
    let cursors = primary.store.replica().cursors();
    assert!(cursors.iter().all(|cursor| cursor.acked.seq == Seq::ZERO), "{cursors:?}");
    assert_eq!(backup.store.node().position.seq, before.seq);
    assert_ne!(backup.store.node().position.chain, before.chain);
    stop.send_replace(true);
    primary.end().await;
    man.await.unwrap();
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_forged_with_the_primarys_key_is_found_when_the_primary_next_speaks() {
    let (primary_site, primary, backup_site, backup) = pair().await;
    let seq = primary.write("true").await;
    backup.reaches(seq).await;
    let acked = eventually(|| primary.peer("zurich-01").unwrap(), |peer| peer.acked_seq == seq).await;
    let man = client(&primary_site.identity(), &backup_site, &backup.url());
    let Reply::Position(at) = ask(&man, Request::Hello(hello(&primary))).await else { panic!() };
    let forged = apply(backup.store.node().cell, at.session, at.position);
    let Reply::Ack(ack) = ask(&man, Request::Apply(Box::new(forged))).await else { panic!() };
    assert_eq!(ack.position.seq, seq.next());
    primary.write("also true").await;
    let peer =
        eventually(|| primary.peer("zurich-01").unwrap(), |peer| peer.state == BackupState::Diverged).await;
    assert_eq!(peer.acked_seq, acked.acked_seq, "the cursor stays where both agreed");
    assert_eq!(diverged(&primary).as_deref(), Some("zurich-01"));
    assert_eq!(backup.store.node().position, ack.position, "nothing was overwritten");
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_quarantine_is_known_from_the_start() {
    let (primary_site, primary, backup_site, backup) = pair().await;
    let man = client(&primary_site.identity(), &backup_site, &backup.url());
    let Reply::Position(at) = ask(&man, Request::Hello(hello(&primary))).await else { panic!() };
    let mut unreadable = apply(backup.store.node().cell, at.session, at.position);
    unreadable.entries[0].record = vec![0xff; 8];
    let Reply::Ack(ack) = ask(&man, Request::Apply(Box::new(unreadable))).await else { panic!() };
    assert_eq!((ack.quarantined, backup.status().quarantined), (1, 1));
    primary.end().await;
    backup.end().await;
    let backup = backup_site.start();
    assert_eq!(backup.status().quarantined, 1);
    backup.end().await;
}
