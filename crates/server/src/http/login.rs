//! Unlocking, log-in, log-out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clavitor_core::api::{ChallengeRequest, CreateSession, Unlock, UnlockStart};
use http::StatusCode;

use super::body::Json;
use super::problem::ApiError;
use super::request::OwnerCaller;
use crate::node::{Facts, Node};

pub(super) async fn unlock_start(
    State(node): State<Arc<Node>>,
    Json(request): Json<UnlockStart>,
) -> Result<Response, ApiError> {
    let params = node.unlock_start(&request.vault).await?;
    Ok(axum::Json(params).into_response())
}

pub(super) async fn unlock(
    State(node): State<Arc<Node>>,
    facts: Facts,
    Json(request): Json<Unlock>,
) -> Result<Response, ApiError> {
    let unlocked = node.unlock(request, &facts).await?;
    Ok(axum::Json(unlocked).into_response())
}

pub(super) async fn challenge(
    State(node): State<Arc<Node>>,
    Json(request): Json<ChallengeRequest>,
) -> Result<Response, ApiError> {
    Ok(axum::Json(node.challenge(&request)).into_response())
}

pub(super) async fn create_session(
    State(node): State<Arc<Node>>,
    facts: Facts,
    Json(request): Json<CreateSession>,
) -> Result<Response, ApiError> {
    let session = node.create_session(request, &facts).await?;
    Ok((StatusCode::CREATED, axum::Json(session)).into_response())
}

pub(super) async fn end_session(
    State(node): State<Arc<Node>>,
    caller: OwnerCaller,
) -> Result<Response, ApiError> {
    node.end_session(caller.owner, &caller.facts).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
