//! Serves both listeners until told to stop, then drains within a deadline.
//!
//! HTTP/1 only: a connection that sends nothing, or no whole head of a request, ends by itself. HTTP/2 belongs to the
//! reverse proxy in front.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use clavitor_core::limits;
use clavitor_store::Store;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::{App, admin};
use crate::http::{OperatorUid, Peer};

/// How long to wait after the system refused a connection (out of file handles, mostly), so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl App {
    /// Serves until `stop` is ready, then: accepts no more, lets running requests end, drains replication, closes the
    /// store; all within [`limits::DRAIN_S`], except for closing the store, which is never cut short.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let connections = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
        let operators = Arc::new(Semaphore::new(limits::OPERATOR_CONNECTIONS_MAX));
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = self.accept_public(&connections, &graceful) => {}
                () = self.accept_operator(&operators, &graceful) => {}
            }
        }
        self.end(graceful).await;
    }

    async fn accept_public(&self, connections: &Arc<Semaphore>, graceful: &GracefulShutdown) {
        let Ok(permit) = Arc::clone(connections).acquire_owned().await else { return };
        match self.listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and whole: waiting to fill a packet only adds delay.
                let _ = stream.set_nodelay(true);
                let (router, watcher) = (self.public.clone(), graceful.watcher());
                let served = connection(stream, router, Peer(peer), self.head_timeout, watcher);
                tokio::spawn(async move {
                    served.await;
                    drop(permit);
                });
            }
            Err(error) => pause(&error).await,
        }
    }

    async fn accept_operator(&self, connections: &Arc<Semaphore>, graceful: &GracefulShutdown) {
        let Ok(permit) = Arc::clone(connections).acquire_owned().await else { return };
        match self.admin.accept().await {
            Ok((stream, _)) => {
                let Some(uid) = admin::operator_uid(&stream) else {
                    tracing::warn!("a user who is not the operator was turned away from the local socket");
                    return;
                };
                let (router, watcher) = (self.operator.clone(), graceful.watcher());
                let served = connection(stream, router, OperatorUid(uid), self.head_timeout, watcher);
                tokio::spawn(async move {
                    served.await;
                    drop(permit);
                });
            }
            Err(error) => pause(&error).await,
        }
    }

    async fn end(self, graceful: GracefulShutdown) {
        let deadline = Instant::now() + Duration::from_secs(limits::DRAIN_S);
        let left = || deadline.saturating_duration_since(Instant::now());
        tracing::info!("stopping: no new requests");
        let Self { node, store, listener, admin, folder, public, operator, .. } = self;
        node.start_draining();
        drop((listener, admin, public, operator));
        if let Err(error) = std::fs::remove_file(folder.admin_socket()) {
            tracing::debug!(%error, "the operator's socket was not there any more");
        }
        let connections = tokio::spawn(graceful.shutdown());
        let all = u32::try_from(limits::REQUESTS_MAX).unwrap_or(u32::MAX);
        if tokio::time::timeout(left(), node.requests().acquire_many(all)).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
        // Answers of the edition that take their time on purpose end with it; so it comes before the connections.
        node.replicator().drain(left()).await;
        if tokio::time::timeout(left(), connections).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        close(&store).await;
        tracing::info!("stopped");
    }
}

/// Closes the store, which joins the writer thread: not on a thread that drives tasks.
pub(super) async fn close(store: &Store) {
    let store = store.clone();
    match tokio::task::spawn_blocking(move || store.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "the last flush failed; every acknowledged write is on the disk")
        }
        Err(error) => {
            tracing::error!(%error, "the store was not closed; every acknowledged write is on the disk")
        }
    }
}

/// Serves one connection until it ends: at the latest when no whole head of a request came for `head_timeout`, also
/// between two requests.
async fn connection<S, P>(stream: S, router: Router, peer: P, head_timeout: Duration, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Clone + Send + Sync + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_timeout);
    if let Err(error) = watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn pause(error: &std::io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
