//! The one place where a refusal becomes HTTP: status, stable code, sentence, remedy. No internals, no submitted value.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use clavitor_core::api::{PRIMARY_LOCATION, SESSION_SCHEME, SETUP_SCHEME};
use clavitor_core::order::Version;
use clavitor_core::problem::{FieldProblem, Problem, code};
use clavitor_core::replicator::{OperateError, PromoteError};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::node::Refusal;

/// The media type of every refusal.
pub(super) const PROBLEM_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refused request. Its body is written by [`finish`], once the request id is known.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    problem: Box<Problem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    pub(super) fn new(
        status: StatusCode,
        code: &str,
        title: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let problem = Problem {
            type_uri: "about:blank".into(),
            status: status.as_u16(),
            code: code.to_owned(),
            title: title.into(),
            hint: hint.into(),
            request_id: String::new(),
            errors: Vec::new(),
            current_version: None,
            failed_index: None,
        };
        Self { problem: Box::new(problem), headers: Vec::new() }
    }

    fn errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.problem.errors = errors;
        self
    }

    fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.push((name, value));
        }
        self
    }

    fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    fn current(mut self, version: Option<Version>) -> Self {
        self.problem.current_version = version.map(|version| version.0);
        match version {
            Some(version) => self.header(header::ETAG, format!("\"{version}\"")),
            None => self,
        }
    }

    /// A body that is not what the request needs.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        let what = "the body could not be read";
        Self::new(
            StatusCode::BAD_REQUEST,
            code::MALFORMED,
            what,
            "nothing was changed: send JSON as documented",
        )
        .errors(vec![FieldProblem { pointer: String::new(), detail: detail.into() }])
    }

    /// A request header or parameter that is not what the request needs.
    pub(super) fn bad_request(detail: &str) -> Self {
        let what = "the request could not be understood";
        Self::new(StatusCode::BAD_REQUEST, code::MALFORMED, what, format!("nothing was changed: {detail}"))
    }

    /// Wrong values.
    pub(super) fn invalid(errors: Vec<FieldProblem>) -> Self {
        let what = "some values are not accepted";
        let hint = "nothing was changed: mend what `errors` names";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code::INVALID, what, hint).errors(errors)
    }

    pub(super) fn unsupported_media_type() -> Self {
        let hint = "nothing was changed: send the header Content-Type: application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::MALFORMED, "the body must be JSON", hint)
    }

    pub(super) fn too_large(what: &str, max: usize) -> Self {
        let title = format!("the request is over a limit: {what}, at most {max}");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            code::TOO_LARGE,
            title,
            "nothing was changed: send less at once",
        )
    }

    pub(super) fn no_such_route() -> Self {
        let hint = "the API is under /api/v1";
        Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND, "there is nothing at this path", hint)
    }

    pub(super) fn method_not_allowed() -> Self {
        let hint = "the Allow header names the methods of this path";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, code::METHOD, "this path has no such method", hint)
    }

    pub(super) fn precondition_required() -> Self {
        let hint =
            "nothing was changed: send If-Match with the version you read, or If-None-Match: * to create";
        let what = "a write must say which version it replaces";
        Self::new(StatusCode::PRECONDITION_REQUIRED, code::PRECONDITION_REQUIRED, what, hint)
    }

    pub(super) fn foreign_origin() -> Self {
        let hint = "reach the node by its public_url, or by localhost; set public_url to the name you use";
        let what = "this request was addressed to, or came from, another site";
        Self::new(StatusCode::FORBIDDEN, code::FOREIGN_ORIGIN, what, hint)
    }

    pub(super) fn not_operator() -> Self {
        let hint = "run the command as the user that runs the node, or as root";
        Self::new(StatusCode::FORBIDDEN, code::NOT_OPERATOR, "this socket is the operator's", hint)
    }

    pub(super) fn timeout() -> Self {
        let hint = "whether it was done is not known: read before you repeat it";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code::TIMEOUT, "the request took too long", hint)
            .retry_after(1)
    }

    pub(super) fn internal() -> Self {
        let hint = "whether it was done is not known: the node's log has more under the request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, "the node failed", hint)
    }

    fn unavailable(code: &str, title: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, title, hint)
    }

    fn unauthorized(scheme: &'static str, code: &str, title: &str, hint: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, title, hint)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme))
    }
}

impl ApiError {
    fn not_authenticated() -> Self {
        let what = "a session is needed, and none that is good here was shown";
        let hint =
            "sign in again; a session ends after 15 minutes and is good only on the node that issued it";
        Self::unauthorized(SESSION_SCHEME, code::NOT_AUTHENTICATED, what, hint)
    }

    fn unlock_refused() -> Self {
        let what = "no vault with this name opens with this passphrase";
        let hint = "check both; nothing says which of them is wrong";
        Self::unauthorized(SESSION_SCHEME, code::UNLOCK_REFUSED, what, hint)
    }

    fn setup_refused() -> Self {
        let what = "the setup secret was not accepted";
        let hint = "it ends after 30 minutes and with the first vault; while there is no vault, start the node again \
                    for a new one";
        Self::unauthorized(SETUP_SCHEME, code::SETUP_REFUSED, what, hint)
    }

    fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND, "not found", "check the vault and the id")
    }

    fn changed(current: Version) -> Self {
        let what = "the entry has changed meanwhile";
        let hint = "nothing was changed: read it again, then repeat the write with the version you read";
        Self::new(StatusCode::PRECONDITION_FAILED, code::CHANGED, what, hint).current(Some(current))
    }

    fn exists(current: Option<Version>) -> Self {
        let hint = "nothing was changed: choose a new id, or send If-Match to update";
        Self::new(StatusCode::PRECONDITION_FAILED, code::EXISTS, "this id is taken", hint).current(current)
    }

    fn at(mut self, index: usize) -> Self {
        self.problem.failed_index = Some(index);
        self
    }

    fn read_only(primary: Option<String>) -> Self {
        let what = "this node is a read-only backup";
        let error =
            Self::unavailable(code::READ_ONLY_BACKUP, what, "nothing was changed: write to the primary");
        match primary {
            Some(primary) => error.header(HeaderName::from_static(PRIMARY_LOCATION), primary),
            None => error,
        }
    }

    fn halted(reason: &str) -> Self {
        let title = format!("this node takes no writes: {reason}");
        Self::unavailable(code::HALTED, title, "nothing was changed: the operator has been told")
    }

    fn slow_down(retry_after_s: u64) -> Self {
        let hint = "wait, then try again; nobody is locked out";
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            code::LIMIT,
            "too many attempts to log in from your address",
            hint,
        )
        .retry_after(retry_after_s)
    }

    fn audit_unavailable() -> Self {
        let what = "the audit row could not be written, so nothing was handed out";
        let hint = "try again; the operator finds the reason in the node's log";
        Self::unavailable(code::AUDIT_UNAVAILABLE, what, hint).retry_after(1)
    }

    fn damaged() -> Self {
        let what = "what rests on the disk could not be opened";
        let hint = "nothing was changed: the operator finds the record in the node's log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, what, hint)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let again = "nothing was changed: try again";
        match refusal {
            Refusal::NotAuthenticated => Self::not_authenticated(),
            Refusal::UnlockRefused => Self::unlock_refused(),
            Refusal::SetupRefused => Self::setup_refused(),
            Refusal::NotFound => Self::not_found(),
            Refusal::Changed { current } => Self::changed(current),
            Refusal::Exists { current } => Self::exists(current),
            Refusal::Invalid(errors) => Self::invalid(errors),
            Refusal::TooLarge { what, max } => Self::too_large(what, max),
            Refusal::At(index, refusal) => Self::from(*refusal).at(index),
            Refusal::ReadOnly { primary } => Self::read_only(primary),
            Refusal::NotInRole => {
                Self::unavailable(code::REFUSED, "this node is no backup", "ask another node")
            }
            Refusal::Halted(reason) => Self::halted(&reason),
            Refusal::SlowDown { retry_after_s } => Self::slow_down(retry_after_s),
            Refusal::Busy => Self::unavailable(code::BUSY, "too much is waiting", again).retry_after(1),
            Refusal::Disk => {
                let hint = "nothing was changed: the operator finds the reason in the node's log";
                Self::unavailable(code::DISK, "the node's disk refuses", hint)
            }
            Refusal::AuditUnavailable => Self::audit_unavailable(),
            Refusal::ShuttingDown => {
                Self::unavailable(code::SHUTTING_DOWN, "the node is shutting down", again).retry_after(1)
            }
            Refusal::Damaged => Self::damaged(),
        }
    }
}

impl From<PromoteError> for ApiError {
    fn from(error: PromoteError) -> Self {
        let PromoteError::Unsupported { .. } = error;
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            code::REPLICATION_UNSUPPORTED,
            error.to_string(),
            "nothing was changed",
        )
    }
}

impl From<OperateError> for ApiError {
    fn from(error: OperateError) -> Self {
        let title = error.to_string();
        match error {
            OperateError::Unsupported { .. } => Self::new(
                StatusCode::NOT_IMPLEMENTED,
                code::REPLICATION_UNSUPPORTED,
                title,
                "nothing was changed: run a build made with `--features commercial`",
            ),
            OperateError::Refused { code, remedy, .. } => {
                Self::new(StatusCode::CONFLICT, code, title, remedy)
            }
            OperateError::NoSuchPop { .. } => Self::new(
                StatusCode::NOT_FOUND,
                code::NOT_FOUND,
                title,
                "`clavitor pop list` shows the names",
            ),
            OperateError::Failed(_) => {
                Self::unavailable(code::REFUSED, title, "nothing was changed: the node's log has more")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(self.problem);
        response
    }
}

/// Writes the body of a refusal, now that its request id is known. Other answers pass.
pub(super) fn finish(response: &mut Response, request_id: &str) {
    let Some(mut problem) = response.extensions_mut().remove::<Box<Problem>>() else { return };
    request_id.clone_into(&mut problem.request_id);
    let body = serde_json::to_vec(&problem).expect("a problem has only text keys");
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_TYPE);
    *response.body_mut() = Body::from(body);
}
