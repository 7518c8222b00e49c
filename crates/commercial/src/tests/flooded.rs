//! Floods of connections from one address: members and joiners at other addresses are served all the same.

use std::net::SocketAddr;

use clavitor_core::audit::Action;
use clavitor_protocol::message::{Reply, Request};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::refused::{ask, hello};
use super::*;
use crate::tls;

/// A connection from another address of this machine than all others here.
async fn from_elsewhere(to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn noticed(pop: &Pop, code: &str) {
    let row = audited(pop, Action::PopRefused, code).await;
    assert_eq!(row.address.as_deref(), Some("127.0.0.2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_keep_no_member_out() {
    let (primary_site, primary, backup_site, backup) = pair().await;
    let listen = backup.status().listen.parse().unwrap();
    let mut silent = Vec::new();
    for _ in 0..2 * limits::POP_HANDSHAKES_MAX {
        silent.push(from_elsewhere(listen).await);
    }
    noticed(&backup, "too-many-handshakes").await;
    let client = client(&primary_site.identity(), &backup_site, &backup.url());
    let reply = ask(&client, Request::Hello(hello(&primary))).await;
    assert!(matches!(reply, Reply::Position(_)), "{reply:?}");
    drop(silent);
    primary.end().await;
    backup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_that_stay_keep_no_joiner_out() {
    let site = Site::primary();
    let primary = site.start();
    eventually(|| primary.store.node().position.seq, |seq| *seq == Seq(1)).await;
    let listen = primary.status().listen.parse().unwrap();
    let stranger = Identity::generate().unwrap();
    let config = Arc::new(tls::client_config(&stranger, site.identity().fingerprint()).unwrap());
    let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut strangers = Vec::new();
    for _ in 0..limits::UNPINNED_CONNECTIONS_MAX {
        let stream = from_elsewhere(listen).await;
        strangers.push(TlsConnector::from(Arc::clone(&config)).connect(name.clone(), stream).await.unwrap());
    }
    let joiner = Site::backup("zurich-01", &primary);
    let invitation = primary.invite("zurich-01", Some(joiner.fingerprint())).await;
    joiner.join(&invitation).unwrap();
    drop(strangers);
    primary.end().await;
}
