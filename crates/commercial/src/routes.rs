//! The routes of the POP listener. Every one but `/pop/join` demands a pin, compared anew for each request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use clavitor_core::audit::Action;
use clavitor_core::ids::PopName;
use clavitor_protocol::frame;
use clavitor_protocol::message::{self, Apply, Hello, LinkEvent, Message, Refusal, Reply, Watch};
use clavitor_protocol::receiver;
use http::{StatusCode, header};
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::join::{JOIN_ROUTE, primary};
use crate::node::Node;
use crate::refusals::Source;
use crate::tls::PeerKey;
use crate::transport::body::read_capped;
use crate::transport::listener::RemoteAddress;
use crate::transport::{APPLY_ROUTE, CBOR, HELLO_ROUTE, WATCH_ROUTE};
use crate::worker::handle::LinkGuard;

/// The member that a request comes from: its name by the pin store.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) pop: PopName,
    pub(crate) source: Source,
}

/// All routes.
pub(crate) fn router(node: Arc<Node>) -> Router {
    let pinned = Router::new()
        .route(HELLO_ROUTE, post(hello))
        .route(APPLY_ROUTE, post(apply))
        .route(WATCH_ROUTE, post(watch))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(middleware::from_fn_with_state(Arc::clone(&node), require_pin));
    Router::new().route(JOIN_ROUTE, post(primary::join)).merge(pinned).with_state(node)
}

async fn require_pin(
    State(node): State<Arc<Node>>,
    Extension(peer): Extension<PeerKey>,
    Extension(RemoteAddress(address)): Extension<RemoteAddress>,
    mut request: Request,
    next: Next,
) -> Response {
    let pinned = node.common.members.now().pinned(&peer.fingerprint).map(|member| member.pop.clone());
    let Some(pop) = pinned else {
        node.common.refusals.note(Action::PopRefused, Source::Address(address), "not-pinned");
        return StatusCode::FORBIDDEN.into_response();
    };
    request.extensions_mut().insert(Sender { source: Source::Pop(pop.clone(), address), pop });
    next.run(request).await
}

async fn hello(
    State(node): State<Arc<Node>>,
    Extension(sender): Extension<Sender>,
    request: Request,
) -> Response {
    let reply = match read::<Hello>(request).await {
        Ok(hello) => node.answer_hello(&sender, &hello).await,
        Err(refused) => refused,
    };
    answer(&node, &sender, &reply)
}

async fn apply(
    State(node): State<Arc<Node>>,
    Extension(sender): Extension<Sender>,
    request: Request,
) -> Response {
    let reply = match read::<Apply>(request).await {
        Ok(apply) => node.answer_apply(&sender, apply).await,
        Err(refused) => refused,
    };
    answer(&node, &sender, &reply)
}

/// Opens the live link: the answer's body stays open until either side ends it.
async fn watch(
    State(node): State<Arc<Node>>,
    Extension(sender): Extension<Sender>,
    request: Request,
) -> Response {
    let opened = match read::<Watch>(request).await {
        Ok(watch) => receiver::open_link(&node.common.store.node(), &watch),
        Err(Reply::Refused(refusal)) => Err(refusal),
        Err(_) => Err(Refusal::Malformed),
    };
    let opened = opened.and_then(|event| {
        let link = node.peers.get(&sender.pop).and_then(|handle| handle.open_link());
        Ok((event, link.ok_or(Refusal::Busy { after_ms: 1_000 })?))
    });
    let (event, (events, guard, tx)) = match opened {
        Ok(opened) => opened,
        Err(refusal) => {
            audit(&node, &sender, Action::PopRefused, &refusal);
            let body = frame::encode(&LinkEvent::Refused(refusal));
            return (StatusCode::CONFLICT, [(header::CONTENT_TYPE, CBOR)], body).into_response();
        }
    };
    let _ = tx.try_send(Bytes::from(frame::encode(&event)));
    drop(tx);
    let body = Body::new(LinkBody { events, _guard: guard });
    ([(header::CONTENT_TYPE, CBOR)], body).into_response()
}

/// Reads one message, its size checked before it is read.
async fn read<M: Message>(request: Request) -> Result<M, Reply> {
    let (parts, body) = request.into_parts();
    let bytes = read_capped(&parts.headers, body, M::BYTES_MAX).await.map_err(|status| {
        Reply::Refused(match status {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge { max: M::BYTES_MAX as u64 },
            _ => Refusal::Malformed,
        })
    })?;
    message::decode(&bytes).map_err(|error| Reply::Refused(error.into()))
}

/// One reply as an HTTP answer; what was refused for a reason that matters is audited.
fn answer(node: &Node, sender: &Sender, reply: &Reply) -> Response {
    let status = match reply {
        Reply::Position(_) | Reply::Ack(_) => StatusCode::OK,
        Reply::Refused(refusal) => {
            audit(node, sender, Action::ReplicationApplyRefused, refusal);
            match refusal {
                Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                Refusal::Malformed | Refusal::Format { .. } => StatusCode::BAD_REQUEST,
                Refusal::Busy { .. } | Refusal::Unwritable => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::CONFLICT,
            }
        }
    };
    (status, [(header::CONTENT_TYPE, CBOR)], message::encode(reply)).into_response()
}

fn audit(node: &Node, sender: &Sender, action: Action, refusal: &Refusal) {
    let code = match refusal {
        Refusal::Fenced { .. } => "fenced",
        Refusal::NotPrimary { .. } => "not-primary",
        Refusal::Fork { .. } => "fork",
        Refusal::Format { .. } => "format",
        Refusal::TooLarge { .. } => "too-large",
        Refusal::Damaged { .. } => "damaged",
        Refusal::ForeignCell => "foreign-cell",
        Refusal::Malformed => "malformed",
        Refusal::Gap { .. } | Refusal::Busy { .. } | Refusal::Session | Refusal::Unwritable => return,
    };
    node.common.refusals.note(action, sender.source.clone(), code);
}

/// The body of an open link: its events as they come; dropping it says that the link is gone.
struct LinkBody {
    events: mpsc::Receiver<Bytes>,
    _guard: LinkGuard,
}

impl hyper::body::Body for LinkBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.events.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}
