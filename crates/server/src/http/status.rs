//! Status and health.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use clavitor_core::replica::Role;
use http::Uri;
use serde::Deserialize;

use super::problem::ApiError;
use super::request::MaybeOwner;
use crate::node::{Detail, Node};

pub(super) async fn status(State(node): State<Arc<Node>>, caller: MaybeOwner) -> Result<Response, ApiError> {
    let detail = caller.0.map_or(Detail::Public, |owner| Detail::Owner(owner.vault_id));
    Ok(axum::Json(node.status(detail).await?).into_response())
}

/// The event loop turns: that is all it says.
pub(super) async fn livez() -> Response {
    axum::Json(serde_json::json!({ "status": "live" })).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadyQuery {
    role: Option<Role>,
}

pub(super) async fn readyz(State(node): State<Arc<Node>>, uri: Uri) -> Result<Response, ApiError> {
    // A condition that this version does not know must not pass for one that holds.
    let Query(query) = Query::<ReadyQuery>::try_from_uri(&uri)
        .map_err(|_| ApiError::bad_request("the only parameter of readyz is role=primary or role=backup"))?;
    node.ready(query.role).await?;
    Ok(axum::Json(serde_json::json!({ "status": "ready" })).into_response())
}
