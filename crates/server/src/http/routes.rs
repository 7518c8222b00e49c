//! The one table of routes: path, method, what a backup does with it, how large a body it takes. The routers are made
//! from it, and a test walks it on a backup.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};
use clavitor_core::limits;
use http::Method;
use tower_http::catch_panic::CatchPanicLayer;

use super::problem::ApiError;
use super::{entries, gate, login, operator, status, vaults};
use crate::node::Node;

/// What a node that takes no writes does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnBackup {
    /// Answers it here.
    Local,
    /// Refuses it and names the primary.
    Refuse,
}

/// One route.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) method: Method,
    pub(crate) on_backup: OnBackup,
    pub(crate) body_bytes_max: usize,
    handler: fn(MethodFilter) -> MethodRouter<Arc<Node>>,
}

const fn route(
    method: Method,
    path: &'static str,
    on_backup: OnBackup,
    body_bytes_max: usize,
    handler: fn(MethodFilter) -> MethodRouter<Arc<Node>>,
) -> Route {
    Route { path, method, on_backup, body_bytes_max, handler }
}

const SMALL: usize = limits::BODY_BYTES_MAX;
const ENTRY: &str = "/api/v1/vaults/{vault}/entries/{entry}";
const ENTRIES: &str = "/api/v1/vaults/{vault}/entries";
const OPERATIONS: &str = "/api/v1/vaults/{vault}/operations";

/// The routes of the public listener.
pub(crate) const ROUTES: &[Route] = &[
    route(Method::GET, "/livez", OnBackup::Local, SMALL, |m| on(m, status::livez)),
    route(Method::GET, "/readyz", OnBackup::Local, SMALL, |m| on(m, status::readyz)),
    route(Method::GET, "/api/v1/status", OnBackup::Local, SMALL, |m| on(m, status::status)),
    route(Method::POST, "/api/v1/vaults", OnBackup::Refuse, SMALL, |m| on(m, vaults::create)),
    route(Method::GET, "/api/v1/vaults/{vault}", OnBackup::Local, SMALL, |m| on(m, vaults::read)),
    route(Method::POST, "/api/v1/unlock/start", OnBackup::Local, SMALL, |m| on(m, login::unlock_start)),
    route(Method::POST, "/api/v1/unlock", OnBackup::Local, SMALL, |m| on(m, login::unlock)),
    route(Method::POST, "/api/v1/session/challenge", OnBackup::Local, SMALL, |m| on(m, login::challenge)),
    route(Method::POST, "/api/v1/session", OnBackup::Local, SMALL, |m| on(m, login::create_session)),
    route(Method::DELETE, "/api/v1/session", OnBackup::Local, SMALL, |m| on(m, login::end_session)),
    route(Method::GET, ENTRIES, OnBackup::Local, SMALL, |m| on(m, entries::list)),
    route(Method::GET, ENTRY, OnBackup::Local, SMALL, |m| on(m, entries::get)),
    route(Method::PUT, ENTRY, OnBackup::Refuse, limits::ENTRY_BODY_BYTES_MAX, |m| on(m, entries::put)),
    route(Method::DELETE, ENTRY, OnBackup::Refuse, SMALL, |m| on(m, entries::delete)),
    route(Method::POST, OPERATIONS, OnBackup::Refuse, limits::OPERATION_BODY_BYTES_MAX, |m| {
        on(m, entries::operate)
    }),
];

/// The routes of the local socket.
const OPERATOR_ROUTES: &[Route] = &[
    route(Method::GET, "/api/v1/operator/status", OnBackup::Local, SMALL, |m| on(m, operator::status)),
    route(Method::GET, "/api/v1/operator/replication", OnBackup::Local, SMALL, |m| {
        on(m, operator::replication)
    }),
    route(Method::POST, "/api/v1/operator/command", OnBackup::Local, SMALL, |m| on(m, operator::command)),
    route(Method::POST, "/api/v1/operator/promote", OnBackup::Local, SMALL, |m| on(m, operator::promote)),
];

/// Everything on the public listener. An edition's `fallback` answers unknown paths, in its own time.
pub(crate) fn public_router(node: &Arc<Node>, routes: Option<Router>, fallback: Option<Router>) -> Router {
    let ours = from_table(ROUTES, node);
    let router = ours.merge(routes.unwrap_or_default());
    let router = match fallback {
        Some(fallback) => router.fallback_service(fallback),
        None => router.fallback(no_such_route),
    };
    around(router.layer(from_fn_with_state(Arc::clone(node), gate::own_names)), node)
}

/// Everything on the local socket.
pub(crate) fn operator_router(node: &Arc<Node>) -> Router {
    let router = from_table(OPERATOR_ROUTES, node).fallback(no_such_route);
    around(router.layer(from_fn(operator::operators_only)), node)
}

fn from_table(table: &[Route], node: &Arc<Node>) -> Router {
    let mut router = Router::new();
    for route in table {
        let behaviour = from_fn_with_state((Arc::clone(node), route.on_backup), gate::on_backup);
        let method = route.method.clone().try_into().expect("axum routes the methods of the table");
        let handler =
            (route.handler)(method).layer(DefaultBodyLimit::max(route.body_bytes_max)).layer(behaviour);
        router = router.route(route.path, handler);
    }
    router
        .method_not_allowed_fallback(method_not_allowed)
        .route_layer(from_fn_with_state(Arc::clone(node), gate::bounded))
        .with_state(Arc::clone(node))
}

/// What stands around every answer, known path or not.
pub(crate) fn around(router: Router, node: &Arc<Node>) -> Router {
    router
        .layer(CatchPanicLayer::custom(gate::panicked))
        .layer(from_fn_with_state(Arc::clone(node), gate::outermost))
}

async fn no_such_route() -> ApiError {
    ApiError::no_such_route()
}

async fn method_not_allowed() -> ApiError {
    ApiError::method_not_allowed()
}
