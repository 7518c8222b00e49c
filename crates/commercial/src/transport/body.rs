//! Reading a request's body without trusting its length: the declared one is checked first, the real one while it comes.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use clavitor_core::limits;
use http::{HeaderMap, StatusCode, header};

use super::CBOR;

/// Reads the whole body.
///
/// - `bytes_max`: more is refused, at the latest when it has come.
///
/// # Errors
/// The status to answer: 415, 413, 408, 400.
pub(crate) async fn read_capped(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<axum::body::Bytes, StatusCode> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type != Some(CBOR) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let declared = body.size_hint().exact().unwrap_or_default();
    if usize::try_from(declared).unwrap_or(usize::MAX) > bytes_max {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let timeout = Duration::from_secs(limits::PEER_REQUEST_TIMEOUT_S);
    match tokio::time::timeout(timeout, axum::body::to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_over_limit(&error) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn is_over_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}
