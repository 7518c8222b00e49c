//! The POP listener: accepts, authenticates, serves; ends a member's connections as soon as its pin is gone.
//!
//! Who is not pinned gets few connections, each for a short time, and only `/pop/join` answers. Handshakes and
//! connections without a pin pass a gate with a share for each source. Names and pins are checked by the routes; here
//! a connection only learns which key its other end holds.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use clavitor_core::audit::Action;
use clavitor_core::edition::EditionError;
use clavitor_core::limits;
use clavitor_core::order::Fingerprint;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::gate::{Gate, HANDSHAKES, UNPINNED, source_of};
use super::{chain_of, prepare_socket};
use crate::members::Members;
use crate::refusals::{Refusals, Source};
use crate::tls::{self, PeerKey};

/// How long to wait after the kernel could not give a connection (out of descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address that a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RemoteAddress(pub(crate) IpAddr);

/// Binds the POP listener. Called inside the async runtime.
///
/// # Errors
/// [`EditionError::Failed`] when the address cannot be bound.
pub(crate) fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), EditionError> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((TcpListener::from_std(listener)?, address))
    });
    bound.map_err(|error| EditionError::Failed {
        what: format!("the POP listener could not be bound to {address}: {error}"),
        remedy: "correct listen in [replication], or end what uses that address".to_owned(),
    })
}

/// What all connections share.
pub(crate) struct Listening {
    acceptor: TlsAcceptor,
    router: Router,
    members: Arc<Members>,
    refusals: Arc<Refusals>,
    handshakes: Gate,
    unpinned: Gate,
    per_member: Mutex<HashMap<Fingerprint, usize>>,
}

impl Listening {
    /// Serves the router to whoever proves a key.
    pub(crate) fn new(
        config: rustls::ServerConfig,
        router: Router,
        members: Arc<Members>,
        refusals: Arc<Refusals>,
    ) -> Self {
        Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            router,
            members,
            refusals,
            handshakes: Gate::new(HANDSHAKES),
            unpinned: Gate::new(UNPINNED),
            per_member: Mutex::default(),
        }
    }

    /// Accepts until told to stop, then ends all connections; each may finish the request it is answering.
    pub(crate) async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let shared = Arc::new(self);
        let mut connections = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                () = stopped(&mut stop) => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, remote)) => {
                        let connection = Arc::clone(&shared).serve(stream, remote.ip(), stop.clone());
                        connections.spawn(connection);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the POP listener could not accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, remote: IpAddr, mut stop: watch::Receiver<bool>) {
        let remote = remote.to_canonical();
        let shaken = tokio::select! {
            () = stopped(&mut stop) => None,
            shaken = self.handshake(stream, remote) => shaken,
        };
        let Some((stream, peer)) = shaken else { return };
        if self.members.now().pinned(&peer.fingerprint).is_some() {
            let Some(_counted) = self.count(peer.fingerprint) else {
                self.turn_away(remote, "too-many-member-connections");
                return;
            };
            self.serve_member(stream, peer, remote, stop).await;
        } else if let Some(_turn) = self.unpinned.enter(remote).await {
            let limit = Duration::from_secs(limits::UNPINNED_CONNECTION_S);
            let served = self.requests(stream, peer, remote, stop);
            if tokio::time::timeout(limit, served).await.is_err() {
                tracing::debug!(address = %remote, "a connection without a pin was ended");
            }
        } else {
            self.turn_away(remote, "too-many-unpinned");
        }
    }

    /// Says that a connection was not served, now and then: one row and one warning a minute for each source.
    fn turn_away(&self, remote: IpAddr, code: &'static str) {
        self.refusals.note(Action::PopRefused, Source::Address(source_of(remote)), code);
    }

    /// Serves a member until its pin is gone: then the connection ends at once, with whatever it was doing.
    async fn serve_member(
        &self,
        stream: tokio_rustls::server::TlsStream<TcpStream>,
        peer: PeerKey,
        remote: IpAddr,
        stop: watch::Receiver<bool>,
    ) {
        let key = peer.fingerprint;
        let mut view = self.members.watch();
        tokio::select! {
            () = self.requests(stream, peer, remote, stop) => {}
            _ = view.wait_for(|view| view.pinned(&key).is_none()) => {
                tracing::info!(key = %key, "a connection was ended: its key is not pinned any more");
            }
        }
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        remote: IpAddr,
    ) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, PeerKey)> {
        let Some(_turn) = self.handshakes.enter(remote).await else {
            self.turn_away(remote, "too-many-handshakes");
            return None;
        };
        if let Err(error) = prepare_socket(&stream) {
            tracing::debug!(%error, "socket options of a POP connection");
        }
        let limit = Duration::from_secs(limits::POP_HANDSHAKE_TIMEOUT_S);
        let refused = match tokio::time::timeout(limit, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => match tls::peer_key(stream.get_ref().1) {
                Some(peer) => return Some((stream, peer)),
                None => "no certificate".to_owned(),
            },
            Ok(Err(error)) => chain_of(&error),
            Err(_) => "no handshake in time".to_owned(),
        };
        tracing::debug!(address = %remote, reason = refused, "a TLS handshake was refused");
        self.refusals.note(Action::PopRefused, Source::Address(remote), "tls-refused");
        None
    }

    async fn requests(
        &self,
        stream: tokio_rustls::server::TlsStream<TcpStream>,
        peer: PeerKey,
        remote: IpAddr,
        mut stop: watch::Receiver<bool>,
    ) {
        let Ok(channel) = tls::channel_binding(stream.get_ref().1) else { return };
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let extensions = request.extensions_mut();
            extensions.insert(peer.clone());
            extensions.insert(channel);
            extensions.insert(RemoteAddress(remote));
            self.router.clone().oneshot(request)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = stopped(&mut stop) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = chain_of(&error), "a POP connection ended");
        }
    }

    /// Counts a member's connection; `None` when it holds too many.
    fn count(&self, key: Fingerprint) -> Option<Counted<'_>> {
        let mut counts = self.per_member.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= limits::MEMBER_CONNECTIONS_MAX {
            return None;
        }
        *count += 1;
        Some(Counted { listening: self, key })
    }
}

/// Waits until all must end; a forgotten listener counts as that.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// One counted connection.
struct Counted<'a> {
    listening: &'a Listening,
    key: Fingerprint,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut counts = self.listening.per_member.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}
