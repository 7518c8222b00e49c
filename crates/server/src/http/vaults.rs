//! Vaults.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clavitor_core::api::CreateVault;
use http::StatusCode;

use super::body::Json;
use super::problem::ApiError;
use super::request::{OwnerCaller, SetupCaller};
use crate::node::Node;

pub(super) async fn create(
    State(node): State<Arc<Node>>,
    caller: SetupCaller,
    Json(request): Json<CreateVault>,
) -> Result<Response, ApiError> {
    let summary = node.create_vault(&caller.secret, request, &caller.facts).await?;
    Ok((StatusCode::CREATED, axum::Json(summary)).into_response())
}

pub(super) async fn read(State(node): State<Arc<Node>>, caller: OwnerCaller) -> Result<Response, ApiError> {
    let summary = node.vault_summary(caller.owner.vault_id)?;
    Ok(axum::Json(summary).into_response())
}
