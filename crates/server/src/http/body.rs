//! JSON bodies: read within the route's limit, and never repeated in a refusal.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::response::IntoResponse as _;
use clavitor_core::problem::FieldProblem;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use zeroize::Zeroizing;

use super::problem::ApiError;

/// A JSON body. Unknown fields are refused by the types themselves.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::unsupported_media_type());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        // A body can hold a proof or a setup secret: the one copy that is ours to wipe is wiped.
        let bytes = match bytes.try_into_mut() {
            Ok(own) => Zeroizing::new(Vec::from(own)),
            Err(shared) => Zeroizing::new(shared.to_vec()),
        };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| unparsed(&error))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn unread(rejection: BytesRejection) -> ApiError {
    if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            clavitor_core::problem::code::TOO_LARGE,
            "the body is larger than this path takes",
            "nothing was changed: send less at once",
        );
    }
    ApiError::malformed("the body ended early")
}

fn unparsed(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => {
            let detail = format!("{} (line {line}, column {column})", what_is_wrong(&error.to_string()));
            ApiError::invalid(vec![FieldProblem { pointer: String::new(), detail }])
        }
        Category::Syntax | Category::Eof | Category::Io => {
            ApiError::malformed(format!("not JSON (line {line}, column {column})"))
        }
    }
}

/// The kind of a deserialization error, without the part that may repeat what was submitted. The name of a missing or
/// doubled field is one of ours.
fn what_is_wrong(error: &str) -> String {
    let ours = |prefix: &str| {
        let rest = error.strip_prefix(prefix)?.strip_prefix(" `")?;
        rest.split_once('`').map(|(name, _)| format!("{prefix} `{name}`"))
    };
    if let Some(named) = ours("missing field").or_else(|| ours("duplicate field")) {
        return named;
    }
    let kinds = [
        ("unknown field", "an unknown field"),
        ("unknown variant", "an unknown name"),
        ("invalid type", "a value of a wrong type"),
        ("invalid value", "a value out of range"),
        ("invalid length", "a list of a wrong length"),
        ("not base64", "not base64"),
        ("not a ", "not an id"),
    ];
    let kind = kinds.iter().find(|(prefix, _)| error.starts_with(prefix)).map(|(_, kind)| *kind);
    kind.unwrap_or("a value that is not accepted").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clavitor_core::api::Unlock;

    #[test]
    fn a_refused_body_is_never_repeated() {
        for (body, detail) in [
            (r#"{"vault":"hunter2","proof":"AA==","hunter3":"hunter4"}"#, "an unknown field"),
            (r#"{"vault":"hunter2"}"#, "missing field `proof`"),
            (r#"{"vault":"a","vault":"hunter2"}"#, "duplicate field `vault`"),
            (r#"{"vault":"a","proof":"hunter2!"}"#, "not base64"),
            (r#"{"vault":"a","proof":12345}"#, "a value of a wrong type"),
            (r#"["hunter2"#, "not JSON"),
        ] {
            let error = serde_json::from_str::<Unlock>(body).unwrap_err();
            let answer = format!("{:?}", unparsed(&error));
            assert!(answer.contains(detail), "{body}: {answer}");
            assert!(!answer.contains("hunter") && !answer.contains("12345"), "{answer}");
        }
    }
}
