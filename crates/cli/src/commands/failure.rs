//! The one place where an error of the client becomes an exit code, a sentence and a hint.

use std::path::Path;

use clavitor_client::ClientError;
use clavitor_core::exit;

use crate::error::Failure;

/// How many matches of an ambiguous name are listed.
const MATCHES_MAX: usize = 8;

/// What a person is told of an error.
pub(crate) fn of_client(error: ClientError) -> Failure {
    let code = error.exit_code();
    match error {
        ClientError::NotFound { what } => Failure::new(code, what, "`clavitor list` shows what there is."),
        ClientError::Unreachable { server, reason } => Failure::new(
            code,
            format!("{server} cannot be reached: {reason}"),
            "Check that the node runs, and the address. If this was a write, look whether it arrived before repeating it.",
        ),
        ClientError::ReadOnly { primary_location, problem } => {
            let hint = match primary_location {
                Some(url) => format!(
                    "Nothing was written. This node is a backup; write to its primary: --server {url}"
                ),
                None => format!("Nothing was written. {}", problem.hint),
            };
            Failure::new(code, problem.title, hint)
        }
        ClientError::Changed { current, problem } => {
            let now = current.map(|version| format!(", it is at version {version} now")).unwrap_or_default();
            Failure::new(
                code,
                format!(
                    "{}{now}",
                    problem.map_or_else(|| "someone else changed it meanwhile".to_owned(), |p| p.title)
                ),
                "Nothing was written: read it again and repeat.",
            )
        }
        ClientError::Refused(problem) => {
            let fields: Vec<String> =
                problem.errors.iter().map(|field| format!("{} {}", field.pointer, field.detail)).collect();
            let what = if fields.is_empty() {
                problem.title
            } else {
                format!("{}: {}", problem.title, fields.join("; "))
            };
            Failure::new(code, what, problem.hint)
        }
        ClientError::Ambiguous { matches } => {
            let shown = matches.iter().take(MATCHES_MAX);
            let shown: Vec<String> =
                shown.map(|row| format!("{} ({}, {})", row.id, row.title, row.username)).collect();
            let what = format!("{} entries match", matches.len());
            Failure::new(code, what, format!("Name one by its id: {}", shown.join("; ")))
        }
        ClientError::Tampered { .. } => Failure::new(
            code,
            error.to_string(),
            "Nothing of it was shown or used. Compare with another POP by --server URL, and look into that node.",
        ),
        ClientError::Weak(weak) => Failure::new(
            code,
            weak.to_string(),
            "Nothing was created. Take a longer one, such as five random words.",
        ),
        ClientError::BadServer { .. } => Failure::new(code, error.to_string(), "Give it by --server URL."),
        ClientError::BadAnswer { .. } => Failure::new(
            code,
            error.to_string(),
            "Check that the address is a Clavitor node of this version.",
        ),
        other => Failure::new(code, other.to_string(), ""),
    }
}

/// The same for the operator's socket of a node.
pub(crate) fn of_admin(error: ClientError, data_dir: &Path) -> Failure {
    match error {
        ClientError::Unreachable { reason, .. } => Failure::new(
            exit::UNREACHABLE,
            format!("no node answers in {}: {reason}", data_dir.display()),
            "Start it with `clavitor serve`, or name another folder by --data-dir or --config; only its own user may ask.",
        ),
        ClientError::NotFound { what } => {
            Failure::new(exit::NOT_FOUND, what, "`clavitor pop list` shows who there is.")
        }
        other => of_client(other),
    }
}

#[cfg(test)]
mod tests {
    use clavitor_core::problem::{Problem, code};

    use super::*;

    fn problem(code: &str) -> Box<Problem> {
        Box::new(Problem {
            type_uri: "about:blank".into(),
            status: 503,
            code: code.into(),
            title: "what happened".into(),
            hint: "What to do.".into(),
            request_id: "r".into(),
            errors: Vec::new(),
            current_version: None,
            failed_index: None,
        })
    }

    #[test]
    fn every_error_has_its_exit_code() {
        let cases = [
            (ClientError::NotFound { what: "x".into() }, exit::NOT_FOUND),
            (ClientError::Refused(problem(code::UNLOCK_REFUSED)), exit::DENIED),
            (ClientError::Refused(problem(code::REPLICATION_UNSUPPORTED)), exit::OTHER_EDITION),
            (ClientError::Refused(problem(code::INTERNAL)), exit::UNEXPECTED),
            (ClientError::Changed { current: None, problem: Some(problem(code::CHANGED)) }, exit::CHANGED),
            (ClientError::Unreachable { server: "s".into(), reason: "r".into() }, exit::UNREACHABLE),
            (
                ClientError::ReadOnly {
                    primary_location: Some("https://p.example".into()),
                    problem: problem(code::READ_ONLY_BACKUP),
                },
                exit::READ_ONLY,
            ),
            (ClientError::Tampered { what: "x".into() }, exit::CHECK_FAILED),
            (ClientError::Ambiguous { matches: Vec::new() }, exit::USAGE),
        ];
        for (error, expected) in cases {
            let failure = of_client(error);
            assert_eq!(failure.code, expected, "{failure:?}");
            assert!(!failure.what.is_empty() && !failure.hint.is_empty(), "{failure:?}");
        }
    }

    #[test]
    fn a_backup_names_its_primary() {
        let failure = of_client(ClientError::ReadOnly {
            primary_location: Some("https://p.example".into()),
            problem: problem(code::READ_ONLY_BACKUP),
        });
        assert!(failure.hint.contains("--server https://p.example"));
    }
}
