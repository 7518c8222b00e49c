//! What does not belong here: strangers, other cells, other members, replays, floods. Each is refused and audited.

use clavitor_core::audit::{Action, Actor};
use clavitor_core::order::{Epoch, Position};
use clavitor_core::replica::LogEntry;
use clavitor_protocol::message::{Apply, FORMATS, Hello, Refusal, Reply, Request, Session};

use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsConnector;

use super::*;
use crate::tls::{self, tests::Shown, tests::dated};

fn hello(pop: &Pop) -> Hello {
    let node = pop.store.node();
    Hello {
        cell: node.cell,
        epoch: node.position.history,
        history: node.position.history,
        head: node.position.seq,
        floor: Seq::ZERO,
        lineage: Vec::new(),
        formats: FORMATS,
        denied: Vec::new(),
    }
}

/// A batch of one record, following the given position.
fn apply(cell: CellId, session: Session, base: Position) -> Apply {
    let record = clavitor_core::record::Record {
        id: RecordId::from_bytes([5; 16]),
        vault_id: VAULT,
        kind: Kind::ENTRY,
        version: clavitor_core::order::Version::FIRST,
        deleted: false,
        lookups: Vec::new(),
        payload: b"forged".to_vec(),
        updated_at_ms: 1,
    };
    Apply {
        cell,
        session,
        epoch: base.history,
        history: base.history,
        base,
        entries: vec![LogEntry {
            seq: base.seq.next(),
            record: record.encode().unwrap(),
            operation_end: true,
        }],
        lineage: Vec::new(),
        denied: Vec::new(),
        at_head: None,
    }
}

async fn ask(client: &PeerClient, request: Request) -> Reply {
    client.send(&request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_nothing_but_the_join() {
    let (primary_site, primary, backup_site, backup) = pair().await;
    let stranger = Identity::generate().unwrap();
    for (site, pop) in [(&primary_site, &primary), (&backup_site, &backup)] {
        let client = client(&stranger, site, &pop.url());
        let refused = client.send(&Request::Hello(hello(&primary))).await.unwrap_err();
        assert!(refused.contains("not a member there"), "{refused}");
        let row = audited(pop, Action::PopRefused, "not-pinned").await;
        assert_eq!(row.actor, Actor::Pop { name: None });
    }
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_certificate_and_one_out_of_its_time_do_not_reach_any_route() {
    let site = Site::primary();
    let primary = site.start();
    let expected = site.identity().fingerprint();
    for shown in [Shown::Nothing, dated((2001, 1), (2002, 1)), dated((9000, 1), (9001, 1))] {
        let stream = tokio::net::TcpStream::connect(primary.status().listen).await.unwrap();
        let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
        let config = Arc::new(tls::tests::client(expected, shown));
        let connected = TlsConnector::from(config).connect(name, stream).await;
        let ended = match connected {
            Ok(mut stream) => stream.read_u8().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(ended.is_err(), "the listener goes no further than the handshake");
    }
    audited(&primary, Action::PopRefused, "tls-refused").await;
    primary.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cells_message_is_refused_and_audited() {
    let (primary_site, primary, backup_site, backup) = pair().await;
    let client = client(&primary_site.identity(), &backup_site, &backup.url());
    let foreign = CellId::from_bytes([9; 16]);
    let reply = ask(&client, Request::Hello(Hello { cell: foreign, ..hello(&primary) })).await;
    assert_eq!(reply, Reply::Refused(Refusal::ForeignCell));
    let before = backup.store.node().position;
    let reply = ask(&client, Request::Apply(Box::new(apply(foreign, Session(1), before)))).await;
    assert_eq!(reply, Reply::Refused(Refusal::ForeignCell));
    assert_eq!(backup.store.node().position, before);
    let row = audited(&backup, Action::ReplicationApplyRefused, "foreign-cell").await;
    assert_eq!(row.actor, Actor::Pop { name: Some("primary".to_owned()) });
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_member_may_not_push() {
    let (_primary_site, primary, first_site, first) = pair().await;
    let second_site = Site::backup("oslo-01", &primary);
    let second = join_and_start(&primary, &second_site, "oslo-01").await;
    eventually(|| first.store.node().position, |position| *position == primary.store.node().position).await;
    let client = client(&second_site.identity(), &first_site, &first.url());
    let refused = |reply| matches!(reply, Reply::Refused(Refusal::NotPrimary { .. }));
    assert!(refused(ask(&client, Request::Hello(hello(&primary))).await));
    let node = first.store.node();
    let reply = ask(&client, Request::Apply(Box::new(apply(node.cell, Session(1), node.position)))).await;
    assert!(refused(reply));
    assert_eq!(first.store.node().position, node.position);
    let row = audited(&first, Action::ReplicationApplyRefused, "not-primary").await;
    assert_eq!(row.actor, Actor::Pop { name: Some("oslo-01".to_owned()) });
    for pop in [primary, first, second] {
        pop.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_sessions_higher_epochs_and_large_bodies_are_refused() {
    let (primary_site, primary, backup_site, backup) = pair().await;
    let client = client(&primary_site.identity(), &backup_site, &backup.url());
    let node = backup.store.node();
    let greeting = hello(&primary);
    let Reply::Position(first) = ask(&client, Request::Hello(greeting.clone())).await else { panic!() };
    let Reply::Position(second) = ask(&client, Request::Hello(greeting.clone())).await else { panic!() };
    assert_ne!(first.session, second.session);
    let replayed = apply(node.cell, first.session, node.position);
    assert_eq!(ask(&client, Request::Apply(Box::new(replayed))).await, Reply::Refused(Refusal::Session));

    let higher = Epoch { number: greeting.epoch.number + 1, nonce: 1 };
    let usurper = Hello { epoch: higher, history: higher, ..greeting };
    let reply = ask(&client, Request::Hello(usurper)).await;
    assert!(matches!(reply, Reply::Refused(Refusal::NotPrimary { .. })), "{reply:?}");

    let mut large = apply(node.cell, second.session, node.position);
    large.entries[0].record = vec![0; limits::MESSAGE_BYTES_MAX];
    let answered = client.send(&Request::Apply(Box::new(large))).await;
    let refused = matches!(answered, Ok(Reply::Refused(Refusal::TooLarge { .. })) | Err(_));
    assert!(refused, "refused before it was read whole: {answered:?}");
    assert_eq!(backup.store.node().position, node.position);
    let seq = primary.write("life goes on").await;
    backup.reaches(seq).await;
    primary.end().await;
    backup.end().await;
}
