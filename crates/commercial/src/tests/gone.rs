//! Callers that go away between the writer's COMMIT and the answer: what was committed counts all the same.

use axum::body::Body;
use clavitor_core::audit::Action;
use clavitor_core::kind::Kind;
use clavitor_core::member::Member;
use clavitor_core::order::{Fingerprint, Version};
use clavitor_core::record::Record;
use clavitor_protocol::message::Reply;
use tower::ServiceExt as _;

use super::refused::{apply, hello};
use super::*;
use crate::join::invitation::Invitation;
use crate::join::message::{self, JoinRequest};
use crate::join::primary::member_content;
use crate::join::proof::{self, SealingKey};
use crate::refusals::Source;
use crate::routes::{self, Sender};
use crate::tls::{self, ChannelBinding, PeerKey};
use crate::transport::CBOR;
use crate::transport::listener::RemoteAddress;

fn remove() -> OperatorCommand {
    OperatorCommand::PopRemove { pop: "zurich-01".parse().unwrap() }
}

/// Runs a future until the edition has submitted as many writes as said, then hands it back.
async fn until_submitted<F: Future + Unpin>(site: &Site, mut asking: F, writes: usize) -> F
where
    F::Output: std::fmt::Debug,
{
    tokio::select! {
        answered = &mut asking => panic!("answered before its write: {answered:?}"),
        _ = eventually(|| site.held.count(), |held| *held == writes) => asking,
    }
}

/// The request that a joiner would make, on a connection of its own.
fn join_request(joiner: &Site, line: &str) -> http::Request<Body> {
    let (invitation, identity) = (Invitation::from_line(line).unwrap(), joiner.identity());
    let channel = ChannelBinding([7; 32]);
    let mut request = JoinRequest {
        pop: invitation.pop.clone(),
        url: "https://127.0.0.1:9".to_owned(),
        public_url: String::new(),
        sealing_key: SealingKey::generate().unwrap().public().to_vec(),
        signature: Vec::new(),
        proof: Vec::new(),
    };
    let own_key = identity.fingerprint();
    let transcript = proof::transcript(invitation.cell, invitation.primary_key, own_key, &channel, &request);
    request.signature = proof::sign(&identity, &transcript).unwrap();
    request.proof = proof::prove(&invitation.secret.proof_key(), &transcript);
    let spki = tls::spki_of(&identity.certificate()).unwrap();
    http::Request::post(crate::join::JOIN_ROUTE)
        .header("content-type", CBOR)
        .extension(PeerKey { spki: spki.into(), fingerprint: own_key })
        .extension(channel)
        .extension(RemoteAddress([127, 0, 0, 1].into()))
        .body(Body::from(message::encode(&request)))
        .unwrap()
}

/// A primary, a site that is invited as `zurich-01`, and its invitation.
async fn invited() -> (Site, Pop, Site, String) {
    let site = Site::primary();
    let primary = site.start();
    eventually(|| primary.store.node().position.seq, |seq| *seq == Seq(1)).await;
    let joiner = Site::backup("zurich-01", &primary);
    let invitation = primary.invite("zurich-01", Some(joiner.fingerprint())).await;
    (site, primary, joiner, invitation)
}

async fn members(pop: &Pop) -> Vec<String> {
    let OperatorAnswer::Members { members } = pop.operate(OperatorCommand::PopList).await.unwrap() else {
        panic!()
    };
    members.iter().map(|member| format!("{} {}", member.pop, member.state)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_whose_operator_is_gone_cuts_the_member_off() {
    let (primary_site, primary, _backup_site, backup) = pair().await;
    primary_site.held.hold();
    drop(until_submitted(&primary_site, primary.edition.replicator.operate(remove()), 1).await);
    primary_site.held.release();
    eventually(|| primary.peer("zurich-01"), Option::is_none).await;
    eventually(|| backup.status(), |status| !status.upstream.as_ref().unwrap().link_open).await;
    assert!(primary.store.replica().cursors().is_empty());
    let again = primary.operate(remove()).await;
    assert!(matches!(again, Err(OperateError::NoSuchPop { .. })), "{again:?}");
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_that_is_gone_is_pinned_and_asks_again() {
    let (site, primary, joiner, invitation) = invited().await;
    site.held.hold();
    let asking = routes::router(Arc::clone(primary.node())).oneshot(join_request(&joiner, &invitation));
    drop(until_submitted(&site, asking, 1).await);
    let busy = routes::router(Arc::clone(primary.node())).oneshot(join_request(&joiner, &invitation)).await;
    assert_eq!(
        busy.unwrap().status(),
        http::StatusCode::SERVICE_UNAVAILABLE,
        "its turn lasts as long as its write"
    );
    site.held.release();
    eventually(|| primary.peer("zurich-01"), Option::is_some).await;
    let joined = joiner.join(&invitation).unwrap();
    assert!(matches!(joined, OfflineAnswer::Joined { .. }), "{joined:?}");
    audited(&primary, Action::PopJoin, "repeated").await;
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_during_a_join_ends_on_one_side_of_it() {
    let (site, primary, joiner, invitation) = invited().await;
    site.held.hold();
    let asking = routes::router(Arc::clone(primary.node())).oneshot(join_request(&joiner, &invitation));
    let asking = until_submitted(&site, asking, 1).await;
    let removing = until_submitted(&site, primary.edition.replicator.operate(remove()), 2).await;
    drop(asking);
    site.held.release();
    let refused = removing.await.unwrap_err();
    assert!(matches!(refused, OperateError::Refused { code: "changed", .. }), "{refused:?}");
    assert_eq!(members(&primary).await, ["primary member", "zurich-01 member"]);
    primary.operate(remove()).await.unwrap();
    assert_eq!(members(&primary).await, ["primary member"]);

    let invitation = primary.invite("zurich-01", Some(joiner.fingerprint())).await;
    site.held.hold();
    let removing = until_submitted(&site, primary.edition.replicator.operate(remove()), 1).await;
    let asking = routes::router(Arc::clone(primary.node())).oneshot(join_request(&joiner, &invitation));
    let asking = until_submitted(&site, asking, 2).await;
    site.held.release();
    removing.await.unwrap();
    assert_eq!(asking.await.unwrap().status(), http::StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(members(&primary).await, ["primary member"]);
    assert!(joiner.join(&invitation).unwrap_err().contains("not known there"));
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_of_a_batch_whose_sender_is_gone_are_known() {
    let (_primary_site, primary, backup_site, backup) = pair().await;
    let member = Member {
        pop: "oslo-01".parse().unwrap(),
        url: "https://127.0.0.1:9".to_owned(),
        public_url: String::new(),
        key: Fingerprint([9; 32]),
        may_lead: false,
        blind: false,
    };
    let content = member_content(&member);
    let record = Record {
        id: clavitor_crypto::random::record_id(1),
        vault_id: VaultId::NIL,
        kind: Kind::POP,
        version: Version::FIRST,
        deleted: false,
        lookups: content.lookups,
        payload: content.payload,
        updated_at_ms: 1,
    };
    let sender = Sender {
        pop: "primary".parse().unwrap(),
        source: Source::Pop("primary".parse().unwrap(), [127, 0, 0, 1].into()),
    };
    let node = Arc::clone(backup.node());
    let Reply::Position(position) = node.answer_hello(&sender, &hello(&primary)).await else { panic!() };
    let mut batch = apply(backup.store.node().cell, position.session, position.position);
    batch.entries[0].record = record.encode().unwrap();
    backup_site.held.hold();
    drop(until_submitted(&backup_site, Box::pin(node.answer_apply(&sender, batch)), 1).await);
    backup_site.held.release();
    let pinned = || node.common.members.now().pinned(&member.key).cloned();
    eventually(pinned, |pinned| pinned.as_ref() == Some(&member)).await;
    primary.end().await;
    backup.end().await;
}
