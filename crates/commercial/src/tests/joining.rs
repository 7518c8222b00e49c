//! Invitations: used once, by whom they name, in time, by who knows the secret.

use clavitor_core::alerts::AlertKind;
use clavitor_core::audit::{Action, Actor, Outcome};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsConnector;

use super::*;
use crate::join::invitation::{Invitation, InvitationSecret};
use crate::tls;

async fn with_primary() -> (Site, Pop) {
    let site = Site::primary();
    let pop = site.start();
    eventually(|| pop.store.node().position.seq, |seq| *seq == Seq(1)).await;
    (site, pop)
}

/// The same invitation with another secret.
fn forged(line: &str) -> String {
    let mut invitation = Invitation::from_line(line).unwrap();
    invitation.secret = InvitationSecret::generate();
    invitation.to_line()
}

async fn is_audited(pop: &Pop, code: &str) {
    let event = audited(pop, Action::PopRefused, code).await;
    assert_eq!(event.outcome, Outcome::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_serves_one_key_once_and_that_key_again() {
    let (_site, primary) = with_primary().await;
    let joiner = Site::backup("zurich-01", &primary);
    let invitation = primary.invite("zurich-01", Some(joiner.fingerprint())).await;
    let joined = joiner.join(&invitation).unwrap();
    assert!(
        matches!(joined, OfflineAnswer::Joined { pop, primary, .. } if pop == "zurich-01" && primary == "primary")
    );
    let row = primary.audited().into_iter().find(|event| event.action == Action::PopJoin).unwrap();
    assert_eq!((row.outcome, row.address.as_deref()), (Outcome::Ok, Some("127.0.0.1")));

    let again = joiner.join(&invitation).unwrap_err();
    assert!(again.contains("already the member zurich-01"), "{again}");
    let thief = Site::backup("zurich-01", &primary);
    thief.fingerprint();
    let refused = thief.join(&invitation).unwrap_err();
    assert_eq!(refused, "the invitation was already used");
    is_audited(&primary, "join-used").await;
    assert_eq!(thief.keyring.bytes(), b"");

    joiner.lose_the_database();
    let lost = joiner.join(&invitation).unwrap();
    assert!(
        matches!(lost, OfflineAnswer::Joined { .. }),
        "a joiner that crashed before it stored asks again"
    );
    let row = audited(&primary, Action::PopJoin, "repeated").await;
    assert_eq!(
        row.actor,
        Actor::Pop { name: Some("zurich-01".to_owned()) },
        "the keyring left a second time"
    );
    let members = primary.operate(OperatorCommand::PopList).await.unwrap();
    assert!(matches!(members, OperatorAnswer::Members { members } if members.len() == 2));
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends() {
    let (site, primary) = with_primary().await;
    let joiner = Site::backup("zurich-01", &primary);
    let invitation = primary.invite("zurich-01", Some(joiner.fingerprint())).await;
    site.advance_ms(limits::INVITATION_TTL_S * 1_000);
    assert_eq!(joiner.join(&invitation).unwrap_err(), "the invitation has expired");
    is_audited(&primary, "join-expired").await;
    let fresh = primary.invite("zurich-01", Some(joiner.fingerprint())).await;
    let refused = joiner.join(&invitation).unwrap_err();
    assert!(refused.contains("not known there"), "the old secret is gone: {refused}");
    joiner.join(&fresh).unwrap();
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_secrets_void_an_invitation_and_tell_the_operator() {
    let (_site, primary) = with_primary().await;
    let joiner = Site::backup("zurich-01", &primary);
    let invitation = primary.invite("zurich-01", Some(joiner.fingerprint())).await;
    for _ in 0..limits::INVITATION_TRIES_MAX {
        let refused = joiner.join(&forged(&invitation)).unwrap_err();
        assert!(refused.contains("not known there"), "{refused}");
    }
    let refused = joiner.join(&invitation).unwrap_err();
    assert_eq!(refused, "the invitation is void: its secret was proved wrongly too often");
    assert_eq!(joiner.keyring.bytes(), b"");
    let alerts = primary.alerts.raised();
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!((alert.kind, alert.subject.as_str()), (AlertKind::JoinRefused, "zurich-01"));
    assert!(alert.text.contains("proved wrongly too often") && alert.text.contains("127.0.0.1"), "{alert:?}");
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_key_shuts_out_every_other() {
    let (_site, primary) = with_primary().await;
    let (named, other) = (Site::backup("zurich-01", &primary), Site::backup("zurich-01", &primary));
    let invitation = primary.invite("zurich-01", Some(named.fingerprint())).await;
    other.fingerprint();
    for _ in 0..2 * limits::INVITATION_TRIES_MAX {
        other.join(&forged(&invitation)).unwrap_err();
    }
    assert_eq!(other.join(&invitation).unwrap_err(), "the invitation is for another identity key");
    assert_eq!(other.keyring.bytes(), b"");
    named.join(&invitation).unwrap();
    assert_eq!(named.keyring.bytes(), b"keyring of the cell");
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_named_key_nothing_is_given_out_before_approval() {
    let (_site, primary) = with_primary().await;
    let joiner = Site::backup("zurich-01", &primary);
    let invitation = primary.invite("zurich-01", None).await;
    let key = joiner.fingerprint();
    assert_eq!(joiner.join(&invitation).unwrap(), OfflineAnswer::Pending { key: key.clone() });
    let row = audited(&primary, Action::PopJoin, "pending zurich-01").await;
    assert_eq!((row.actor, row.address.as_deref()), (Actor::Pop { name: None }, Some("127.0.0.1")));
    assert_eq!(joiner.keyring.bytes(), b"");
    let listed = primary.operate(OperatorCommand::PopList).await.unwrap();
    let OperatorAnswer::Members { members } = listed else { panic!() };
    assert_eq!((members[1].state.as_str(), members[1].key.as_ref()), ("pending", Some(&key)));

    let other = Site::backup("zurich-01", &primary);
    let pop = || "zurich-01".parse().unwrap();
    let approve = OperatorCommand::PopApprove { pop: pop(), key: other.fingerprint() };
    let refused = primary.operate(approve).await.unwrap_err();
    assert!(matches!(refused, OperateError::Refused { code: "other-key", .. }), "{refused:?}");
    assert_eq!(
        other.join(&invitation).unwrap_err(),
        "another POP already waits for approval with this invitation"
    );

    primary.operate(OperatorCommand::PopApprove { pop: pop(), key }).await.unwrap();
    assert_eq!(audited(&primary, Action::PopJoin, "approved zurich-01").await.actor, Actor::Node);
    joiner.join(&invitation).unwrap();
    assert_eq!(joiner.keyring.bytes(), b"keyring of the cell");
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_member_gets_no_keyring() {
    let (_site, primary) = with_primary().await;
    let joiner = Site::backup("zurich-01", &primary);
    let command = OperatorCommand::PopInvite {
        pop: "zurich-01".parse().unwrap(),
        url: None,
        key: Some(joiner.fingerprint()),
        may_lead: false,
        blind: true,
    };
    let OperatorAnswer::Invitation { invitation, .. } = primary.operate(command).await.unwrap() else {
        panic!()
    };
    joiner.join(&invitation).unwrap();
    assert_eq!(joiner.keyring.bytes(), b"");
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_said_before_anything_is_dialled() {
    let (primary_site, primary) = with_primary().await;
    let mut joiner = Site::backup("zurich-01", &primary);
    let key = joiner.fingerprint();
    let invitation = primary.invite("oslo-01", Some(key)).await;
    let refused = joiner.join(&invitation).unwrap_err();
    assert!(refused.contains("is for oslo-01, but this node is called zurich-01"), "{refused}");
    assert!(joiner.join("clvi1_nonsense").unwrap_err().contains("its checksum does not fit"));
    joiner.config = joiner.config.replace("pop = \"primary\"", "pop = \"calgary-01\"");
    let invitation = primary.invite("zurich-01", None).await;
    let refused = joiner.join(&invitation).unwrap_err();
    assert!(refused.contains("[replication.primary] names calgary-01"), "{refused}");
    let other_primary =
        Site::new(primary_site.config.replace("\"primary\"\nrole", "\"second\"\nrole"), 4, b"");
    let refused = other_primary.join(&invitation).unwrap_err();
    assert!(refused.contains("configured as a primary"), "{refused}");
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_invites_are_refused_with_a_reason() {
    let (_site, primary) = with_primary().await;
    let invite = |pop: &str, url: Option<&str>, key: Option<&str>, both: bool| OperatorCommand::PopInvite {
        pop: pop.parse().unwrap(),
        url: url.map(str::to_owned),
        key: key.map(str::to_owned),
        may_lead: both,
        blind: both,
    };
    for (command, expected) in [
        (invite("primary", None, None, false), "pop-exists"),
        (invite("a", None, Some("abc"), false), "bad-key"),
        (invite("a", Some("http://a:1"), None, false), "bad-url"),
        (invite("a", None, None, true), "blind-lead"),
        (OperatorCommand::PopRemove { pop: "primary".parse().unwrap() }, "own-pop"),
    ] {
        let refused = primary.operate(command).await.unwrap_err();
        assert!(matches!(refused, OperateError::Refused { code, .. } if code == expected), "{refused:?}");
    }
    let unknown = OperatorCommand::PopRemove { pop: "nobody".parse().unwrap() };
    assert!(matches!(primary.operate(unknown).await, Err(OperateError::NoSuchPop { .. })));
    primary.end().await;
}

/// Posts a body to `/pop/join` with a key of its own.
async fn post_join(site: &Site, primary: &Pop, body: Vec<u8>) -> http::StatusCode {
    let own = Identity::generate().unwrap();
    let config = tls::client_config(&own, site.identity().fingerprint()).unwrap();
    let stream = tokio::net::TcpStream::connect(primary.status().listen).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(crate::join::JOIN_ROUTE)
        .header("host", "127.0.0.1")
        .header("content-type", "application/cbor")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let answer = tokio::time::timeout(DEADLINE, sender.send_request(request)).await.unwrap().unwrap();
    let status = answer.status();
    answer.into_body().collect().await.unwrap();
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_malformed_bodies_are_refused() {
    let (site, primary) = with_primary().await;
    let large = post_join(&site, &primary, vec![1; limits::JOIN_BODY_BYTES_MAX + 1]).await;
    assert_eq!(large, http::StatusCode::PAYLOAD_TOO_LARGE);
    for body in [Vec::new(), vec![1], vec![9; 100], vec![1; limits::JOIN_BODY_BYTES_MAX]] {
        assert_eq!(post_join(&site, &primary, body).await, http::StatusCode::BAD_REQUEST);
    }
    is_audited(&primary, "join-too-large").await;
    is_audited(&primary, "join-malformed").await;
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_not_printed_by_what_carries_it() {
    let (_site, primary) = with_primary().await;
    let command = OperatorCommand::PopInvite {
        pop: "zurich-01".parse().unwrap(),
        url: None,
        key: None,
        may_lead: false,
        blind: false,
    };
    let answer = primary.operate(command).await.unwrap();
    let printed = format!("{answer:?}");
    let OperatorAnswer::Invitation { invitation, .. } = answer else { panic!() };
    let command = OfflineCommand::PopJoin { invitation: invitation.clone() };
    assert!(!printed.contains(&invitation) && printed.contains("Invitation"), "{printed}");
    assert!(!format!("{command:?}").contains(&invitation));
    primary.end().await;
}
