//! What does not belong here: strangers, other cells, other members, replays, floods. Each is refused and audited.

use clavitor_core::audit::{Action, Actor};
use clavitor_core::order::{Epoch, Position};
use clavitor_core::replica::LogEntry;
use clavitor_protocol::message::{self, Apply, FORMATS, Hello, Refusal, Reply, Request, Session};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;
use crate::tls::{self, tests::Shown, tests::dated};

pub(super) fn hello(pop: &Pop) -> Hello {
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
pub(super) fn apply(cell: CellId, session: Session, base: Position) -> Apply {
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

pub(super) async fn ask(client: &PeerClient, request: Request) -> Reply {
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
async fn old_sessions_and_higher_epochs_are_refused() {
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

    assert_eq!(backup.store.node().position, node.position);
    let seq = primary.write("life goes on").await;
    backup.reaches(seq).await;
    primary.end().await;
    backup.end().await;
}

/// Posts to the route of batches as the primary, byte by byte as given, and reads until the answer's body has come.
async fn post_raw(from: &Site, to: &Site, listen: &str, head: &str, body: &[u8]) -> (String, Reply) {
    let config = tls::client_config(&from.identity(), to.identity().fingerprint()).unwrap();
    let stream = tokio::net::TcpStream::connect(listen).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: a\r\ncontent-type: application/cbor\r\n{head}\r\n\r\n",
        crate::transport::APPLY_ROUTE
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            let length =
                text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let start = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4);
            if let (Some(length), Some(start)) = (length, start)
                && answer.len() >= start + length
            {
                let status = text.lines().next().unwrap().to_owned();
                return (status, message::decode(&answer[start..start + length]).unwrap());
            }
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "ended after {text}");
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_large_are_refused_by_what_they_declare_and_by_what_comes() {
    let (primary_site, primary, backup_site, backup) = pair().await;
    let (before, listen) = (backup.store.node().position, backup.status().listen);
    let max = <Apply as message::Message>::BYTES_MAX;
    let too_large = Reply::Refused(Refusal::TooLarge { max: max as u64 });
    let declared = format!("content-length: {}", max + 1);
    let (status, reply) = post_raw(&primary_site, &backup_site, &listen, &declared, b"").await;
    assert_eq!((status.as_str(), &reply), ("HTTP/1.1 413 Payload Too Large", &too_large));
    let mut chunk = format!("{:x}\r\n", max + 1).into_bytes();
    chunk.resize(chunk.len() + max + 1, 0);
    let chunked = "transfer-encoding: chunked";
    let (status, reply) = post_raw(&primary_site, &backup_site, &listen, chunked, &chunk).await;
    assert_eq!((status.as_str(), &reply), ("HTTP/1.1 413 Payload Too Large", &too_large));
    assert_eq!(backup.store.node().position, before);
    audited(&backup, Action::ReplicationApplyRefused, "too-large").await;
    primary.end().await;
    backup.end().await;
}
