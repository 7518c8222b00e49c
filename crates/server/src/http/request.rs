//! What handlers take: facts, session, setup secret, entry, precondition. One extractor each.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use clavitor_core::api::{SESSION_SCHEME, SETUP_SCHEME};
use clavitor_core::ids::RecordId;
use clavitor_core::order::Version;
use clavitor_core::secret::SecretText;
use http::header;
use http::request::Parts;

use super::problem::ApiError;
use crate::node::{Facts, Node, Owner, Refusal};

impl<S: Send + Sync> FromRequestParts<S> for Facts {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(facts(parts))
    }
}

/// Whoever holds the setup secret, perhaps.
pub(super) struct SetupCaller {
    pub(super) secret: SecretText,
    pub(super) facts: Facts,
}

impl<S: Send + Sync> FromRequestParts<S> for SetupCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let secret = credentials(parts, SETUP_SCHEME).ok_or(Refusal::SetupRefused)?;
        Ok(Self { secret: SecretText::new(secret.to_owned()), facts: facts(parts) })
    }
}

/// The owner in a session, on a path outside any vault; `None` where no session was shown.
pub(super) struct MaybeOwner(pub(super) Option<Owner>);

impl FromRequestParts<Arc<Node>> for MaybeOwner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, ApiError> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            Ok(Self(Some(session(parts, node)?)))
        } else {
            Ok(Self(None))
        }
    }
}

/// The owner in a session; where the path names a vault, of that vault.
pub(super) struct OwnerCaller {
    pub(super) owner: Owner,
    pub(super) facts: Facts,
}

impl FromRequestParts<Arc<Node>> for OwnerCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, ApiError> {
        let owner = session(parts, node)?;
        let named = path_value(parts, node, "vault").await;
        // Another vault, one that does not exist and a text that is no id answer alike.
        if named.is_some_and(|named| named.parse() != Ok(owner.vault_id)) {
            return Err(Refusal::NotFound.into());
        }
        Ok(Self { owner, facts: facts(parts) })
    }
}

/// The owner and one entry of the vault.
pub(super) struct EntryCaller {
    pub(super) owner: Owner,
    pub(super) id: RecordId,
    pub(super) facts: Facts,
}

impl FromRequestParts<Arc<Node>> for EntryCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, ApiError> {
        let OwnerCaller { owner, facts } = OwnerCaller::from_request_parts(parts, node).await?;
        let id = path_value(parts, node, "entry").await.and_then(|id| id.parse().ok());
        Ok(Self { owner, id: id.ok_or(Refusal::NotFound)?, facts })
    }
}

/// Which state a write expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precondition {
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match: "N"`.
    Version(Version),
}

impl<S: Send + Sync> FromRequestParts<S> for Precondition {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let (matching, none_matching) =
            (single(parts, header::IF_MATCH)?, single(parts, header::IF_NONE_MATCH)?);
        match (matching, none_matching) {
            (None, None) => Err(ApiError::precondition_required()),
            (Some(tag), None) => version(tag).map(Self::Version).ok_or_else(|| {
                ApiError::bad_request("If-Match must be one version in quotes, such as \"3\"")
            }),
            (None, Some("*")) => Ok(Self::Absent),
            (None, Some(_)) => Err(ApiError::bad_request("If-None-Match must be *")),
            (Some(_), Some(_)) => Err(ApiError::bad_request("send If-Match or If-None-Match, not both")),
        }
    }
}

fn facts(parts: &Parts) -> Facts {
    parts.extensions.get::<Facts>().cloned().unwrap_or_default()
}

fn session(parts: &Parts, node: &Node) -> Result<Owner, ApiError> {
    let token = credentials(parts, SESSION_SCHEME).ok_or(Refusal::NotAuthenticated)?;
    Ok(node.authenticate(token)?)
}

/// What follows the scheme in the one `Authorization` header.
fn credentials<'a>(parts: &'a Parts, scheme: &str) -> Option<&'a str> {
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (shown, rest) = value.to_str().ok()?.split_once(' ')?;
    shown.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

async fn path_value(parts: &mut Parts, node: &Arc<Node>, name: &str) -> Option<String> {
    let values = RawPathParams::from_request_parts(parts, node).await.ok()?;
    values.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

fn single(parts: &Parts, name: header::HeaderName) -> Result<Option<&str>, ApiError> {
    let mut values = parts.headers.get_all(&name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| ApiError::bad_request("a header is not text"))?;
            Ok(Some(text.trim()))
        }
        (Some(_), Some(_)) => Err(ApiError::bad_request("a condition was sent twice")),
    }
}

fn version(tag: &str) -> Option<Version> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain).map(Version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_one_version_in_quotes() {
        assert_eq!(version("\"1\""), Some(Version(1)));
        assert_eq!(version("\"18446744073709551615\""), Some(Version(u64::MAX)));
        for bad in [
            "1",
            "\"\"",
            "\"0\"",
            "\"01\"",
            "\"+1\"",
            "W/\"1\"",
            "*",
            "\"1\", \"2\"",
            "\"18446744073709551616\"",
        ] {
            assert_eq!(version(bad), None, "{bad}");
        }
    }
}
