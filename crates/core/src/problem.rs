//! Problems: the RFC 9457 body that every refused request gets, and the stable codes in it.

use serde::{Deserialize, Serialize};

/// `application/problem+json`. Never repeats a submitted value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Always `about:blank`; the code says more than a URL would.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable code, one of [`code`].
    pub code: String,
    /// One sentence: what happened.
    pub title: String,
    /// What was kept and what to do.
    pub hint: String,
    /// To find the log line.
    pub request_id: String,
    /// What is wrong with the body, field by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// The version that lives now, with `changed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<u64>,
    /// Which change of an operation failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_index: Option<usize>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// JSON pointer into the body.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

/// The stable codes.
#[expect(missing_docs, reason = "each name is its code")]
pub mod code {
    pub const MALFORMED: &str = "malformed";
    pub const INVALID: &str = "invalid";
    pub const TOO_LARGE: &str = "too-large";
    pub const NOT_AUTHENTICATED: &str = "not-authenticated";
    pub const UNLOCK_REFUSED: &str = "unlock-refused";
    pub const SETUP_REFUSED: &str = "setup-refused";
    pub const NOT_FOUND: &str = "not-found";
    pub const PRECONDITION_REQUIRED: &str = "precondition-required";
    pub const CHANGED: &str = "changed";
    pub const EXISTS: &str = "exists";
    pub const BUSY: &str = "busy";
    pub const READ_ONLY_BACKUP: &str = "read-only-backup";
    pub const REPLICATION_UNSUPPORTED: &str = "replication-unsupported";
    pub const REFUSED: &str = "refused";
    pub const HALTED: &str = "halted";
    pub const DISK: &str = "disk";
    pub const AUDIT_UNAVAILABLE: &str = "audit-unavailable";
    pub const FOREIGN_ORIGIN: &str = "foreign-origin";
    pub const NOT_OPERATOR: &str = "not-operator";
    pub const TIMEOUT: &str = "timeout";
    pub const METHOD: &str = "method-not-allowed";
    pub const LIMIT: &str = "limit";
    pub const INTERNAL: &str = "internal";
    pub const SHUTTING_DOWN: &str = "shutting-down";
}
