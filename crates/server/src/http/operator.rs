//! The operator's routes: on the local socket alone, for a peer whose user id was checked.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clavitor_core::order::{Chain, Epoch, Seq};
use clavitor_core::replicator::{OperatorCommand, PromoteRequest};
use http::request::Parts;
use serde::Serialize;

use super::body::Json;
use super::problem::ApiError;
use crate::node::{Detail, Node};

/// The user id at the other end of the local socket: put into each request by its listener, after it was checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OperatorUid(pub(crate) u32);

/// The operator. Extracting it is the permission.
pub(super) struct Operator;

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<OperatorUid>() {
            Some(_) => Ok(Self),
            None => Err(ApiError::not_operator()),
        }
    }
}

/// Around the whole router: what no operator sent is refused on every path, known or not.
pub(super) async fn operators_only(request: Request, next: Next) -> Response {
    match request.extensions().get::<OperatorUid>() {
        Some(uid) => {
            tracing::debug!(uid = uid.0, "an operator asks");
            next.run(request).await
        }
        None => ApiError::not_operator().into_response(),
    }
}

/// The position that a promotion starts from.
#[derive(Debug, Serialize)]
struct Promoted {
    history: Epoch,
    seq: Seq,
    chain: Chain,
}

pub(super) async fn status(State(node): State<Arc<Node>>, _: Operator) -> Result<Response, ApiError> {
    Ok(axum::Json(node.status(Detail::Operator).await?).into_response())
}

pub(super) async fn replication(State(node): State<Arc<Node>>, _: Operator) -> Response {
    axum::Json(node.replicator().status()).into_response()
}

pub(super) async fn command(
    State(node): State<Arc<Node>>,
    _: Operator,
    Json(command): Json<OperatorCommand>,
) -> Result<Response, ApiError> {
    let answer = node.replicator().operate(command).await?;
    Ok(axum::Json(answer).into_response())
}

pub(super) async fn promote(
    State(node): State<Arc<Node>>,
    _: Operator,
    Json(request): Json<PromoteRequest>,
) -> Result<Response, ApiError> {
    let position = node.replicator().promote(request).await?;
    let answer = Promoted { history: position.history, seq: position.seq, chain: position.chain };
    Ok(axum::Json(answer).into_response())
}
