//! Entries: one, a page, or an operation of several.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use clavitor_core::api::{OperationAnswer, OperationChange, OperationRequest, WriteAnswer};
use clavitor_core::change::Committed;
use clavitor_core::entry::Entry;
use clavitor_core::ids::RecordId;
use clavitor_core::limits;
use clavitor_core::order::Version;
use http::{StatusCode, Uri, header};
use serde::Deserialize;

use super::body::Json;
use super::problem::ApiError;
use super::request::{EntryCaller, OwnerCaller, Precondition};
use crate::node::{Filter, ListQuery, Node};

/// How many rows a page has when nothing is said.
const PAGE_ITEMS_DEFAULT: usize = 50;

const _: () = assert!(PAGE_ITEMS_DEFAULT <= limits::PAGE_ITEMS_MAX);

pub(super) async fn put(
    State(node): State<Arc<Node>>,
    caller: EntryCaller,
    precondition: Precondition,
    Json(entry): Json<Entry>,
) -> Result<Response, ApiError> {
    let (id, entry) = (caller.id, Box::new(entry));
    let (status, change) = match precondition {
        Precondition::Absent => (StatusCode::CREATED, OperationChange::Create { id, entry }),
        Precondition::Version(if_version) => {
            (StatusCode::OK, OperationChange::Update { id, if_version, entry })
        }
    };
    let committed = node.change_entry(caller.owner, change, &caller.facts).await?;
    Ok(written(status, id, &committed))
}

pub(super) async fn delete(
    State(node): State<Arc<Node>>,
    caller: EntryCaller,
    precondition: Precondition,
) -> Result<Response, ApiError> {
    let Precondition::Version(if_version) = precondition else {
        return Err(ApiError::bad_request("what is deleted must be named by If-Match"));
    };
    let change = OperationChange::Delete { id: caller.id, if_version };
    let committed = node.change_entry(caller.owner, change, &caller.facts).await?;
    Ok(written(StatusCode::OK, caller.id, &committed))
}

pub(super) async fn get(State(node): State<Arc<Node>>, caller: EntryCaller) -> Result<Response, ApiError> {
    let answer = node.read_entry(caller.owner, caller.id, &caller.facts).await?;
    Ok(([(header::ETAG, tag(answer.version))], axum::Json(answer)).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    limit: Option<usize>,
    cursor: Option<String>,
    title: Option<String>,
    host: Option<String>,
}

pub(super) async fn list(
    State(node): State<Arc<Node>>,
    caller: OwnerCaller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let page = node.list_entries(caller.owner, list_query(&uri)?).await?;
    Ok(axum::Json(page).into_response())
}

fn list_query(uri: &Uri) -> Result<ListQuery, ApiError> {
    let Query(query) = Query::<PageQuery>::try_from_uri(uri).map_err(|_| {
        ApiError::bad_request("the parameters of a list are limit, cursor, and title or host, each once")
    })?;
    let filter = match (query.title, query.host) {
        (None, None) => Filter::All,
        (Some(title), None) => Filter::Title(title),
        (None, Some(host)) => Filter::Host(host),
        (Some(_), Some(_)) => return Err(ApiError::bad_request("look up by title or by host, not both")),
    };
    Ok(ListQuery { filter, cursor: query.cursor, limit: query.limit.unwrap_or(PAGE_ITEMS_DEFAULT) })
}

pub(super) async fn operate(
    State(node): State<Arc<Node>>,
    caller: OwnerCaller,
    Json(request): Json<OperationRequest>,
) -> Result<Response, ApiError> {
    let OperationRequest { changes, import_id } = request;
    let committed = node.change_entries(caller.owner, changes, import_id, &caller.facts).await?;
    let answer = OperationAnswer { versions: committed.versions, seq: committed.head };
    Ok(axum::Json(answer).into_response())
}

fn written(status: StatusCode, id: RecordId, committed: &Committed) -> Response {
    let version = *committed.versions.first().expect("the store answers a version for each change");
    let answer = WriteAnswer { id, version, seq: committed.head };
    (status, [(header::ETAG, tag(version))], axum::Json(answer)).into_response()
}

fn tag(version: Version) -> String {
    format!("\"{version}\"")
}
