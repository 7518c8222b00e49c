//! What stands around every handler: request ids, names that are ours, time, how many run, panics, headers, the log line.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clavitor_core::limits;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::time::Instant;

use super::problem::{self, ApiError};
use super::routes::OnBackup;
use crate::node::{Facts, Node, Refusal};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is taken over from a caller, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Who is at the other end of the connection: put into each request by the listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The outermost layer: names the request, finishes the answer, writes the log line.
pub(super) async fn outermost(State(node): State<Arc<Node>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = taken_over(&request).unwrap_or_else(|| node.request_id());
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(Facts { request_id: request_id.clone(), address });
    let mut response = next.run(request).await;
    problem::finish(&mut response, &request_id);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let (status, route) = (response.status().as_u16(), route.as_ref().map_or("-", MatchedPath::as_str));
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    // Whoever refuses for a reason that the operator should see has logged it where it was found.
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::warn!(%method, route, status, duration_ms, request_id, "answered");
    } else {
        tracing::debug!(%method, route, status, duration_ms, request_id, "answered");
    }
    response
}

/// Refuses what is addressed to another name, or comes from a page of another site.
pub(super) async fn own_names(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    if node.origins().admit(request.headers(), request.uri()) {
        next.run(request).await
    } else {
        ApiError::foreign_origin().into_response()
    }
}

/// Around each known route: how many run at once, and for how long.
pub(super) async fn bounded(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = Arc::clone(node.requests()).try_acquire_owned() else {
        return ApiError::from(Refusal::Busy).into_response();
    };
    within(Duration::from_secs(limits::REQUEST_TIMEOUT_S), next.run(request)).await
}

/// An answer within a time, or a problem.
pub(crate) async fn within(allowed: Duration, answer: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(allowed, answer).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(allowed_s = allowed.as_secs(), "a request took too long");
            ApiError::timeout().into_response()
        }
    }
}

/// Around each route: on a node that takes no writes, a write is refused before anything of it is read.
pub(super) async fn on_backup(
    State((node, behaviour)): State<(Arc<Node>, OnBackup)>,
    request: Request,
    next: Next,
) -> Response {
    let refused = match behaviour {
        OnBackup::Local => None,
        OnBackup::Refuse => node.refuses_writes(),
    };
    match refused {
        Some(refusal) => ApiError::from(refusal).into_response(),
        None => next.run(request).await,
    }
}

/// A handler that panicked. What it said goes to the log alone.
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    tracing::error!(panic = said.unwrap_or("no text"), "a handler panicked");
    ApiError::internal().into_response()
}

fn taken_over(request: &Request) -> Option<String> {
    let text = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((1..=REQUEST_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
}
