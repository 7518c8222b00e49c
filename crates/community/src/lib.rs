//! The edition that does not replicate, whole in this file.
//!
//! It owns the honest absence: the status says `Disabled`, every command of replication is refused by name, and the
//! configuration tables of the other edition are refused where they stand. Deliberately absent: telemetry, webhooks,
//! members, a log, and anything that pretends to have worked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clavitor_core::BoxFuture;
use clavitor_core::alerts::{Alert, AlertKind, Alerts};
use clavitor_core::edition::{
    CheckConfig, ConfigProblem, ConfigText, Edition, EditionError, EditionInput, OfflineAnswer,
    OfflineCommand, OfflineInput, OpenEdition, RunOffline,
};
use clavitor_core::order::Position;
use clavitor_core::replicator::{
    OperateError, OperatorAnswer, OperatorCommand, PromoteError, PromoteRequest, ReplicationStatus,
    Replicator,
};

/// The edition's name, as `--version` and the status print it.
pub const NAME: &str = "community";
/// Whether a node of this edition keeps a log.
pub const REPLICATES: bool = false;

const _: OpenEdition<()> = open;
const _: CheckConfig = check_config;
const _: RunOffline = offline;

/// The tables that only the commercial edition understands, with what they are for.
const COMMERCIAL_TABLES: [(&str, &str); 2] =
    [("replication", "keeping backup POPs"), ("alerts", "sending alerts to a webhook")];

/// Opens the edition. `R` is the router type: this edition brings no routes.
///
/// # Errors
/// [`EditionError::Config`] when the configuration holds a table of the other edition.
pub fn open<R>(input: EditionInput) -> Result<Edition<R>, EditionError> {
    let problems = input.config.as_ref().map(check_config).unwrap_or_default();
    if !problems.is_empty() {
        return Err(EditionError::Config(problems));
    }
    Ok(Edition {
        replicator: Arc::new(NoReplication),
        alerts: Arc::new(LogAlerts::default()),
        routes: None,
        fallback: None,
    })
}

/// Names each table of the other edition and the line it stands on. A file that does not parse is the server's to
/// report: here it holds no tables.
pub fn check_config(config: &ConfigText) -> Vec<ConfigProblem> {
    let (document, _) = toml::de::DeTable::parse_recoverable(&config.text);
    let mut problems: Vec<ConfigProblem> = COMMERCIAL_TABLES
        .iter()
        .filter_map(|(table, purpose)| {
            let (key, _) = document.get_ref().get_key_value(*table)?;
            Some(ConfigProblem {
                line: line_of(&config.text, key.span().start),
                what: format!(
                    "[{table}] is for {purpose}, which is not part of the {NAME} edition; nothing was started"
                ),
                remedy: format!("remove [{table}], or run a build made with `--features commercial`"),
                other_edition: true,
            })
        })
        .collect();
    problems.sort_by_key(|problem| problem.line);
    problems
}

/// Refuses every offline command: all of them are about members of a cell.
///
/// # Errors
/// Always [`EditionError::OtherEdition`].
pub fn offline(_input: OfflineInput, command: OfflineCommand) -> Result<OfflineAnswer, EditionError> {
    let name = match command {
        OfflineCommand::PopIdentity => "pop identity",
        OfflineCommand::PopJoin { .. } => "pop join",
    };
    Err(EditionError::OtherEdition {
        what: format!(
            "`{name}` needs the commercial edition; this is the {NAME} edition and it does not replicate"
        ),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Replication that is not there, and says so.
struct NoReplication;

impl Replicator for NoReplication {
    fn signal(&self) {}

    fn status(&self) -> ReplicationStatus {
        ReplicationStatus::Disabled
    }

    fn promote(&self, _request: PromoteRequest) -> BoxFuture<Result<Position, PromoteError>> {
        Box::pin(std::future::ready(Err(PromoteError::Unsupported {
            edition: NAME,
            reason: "(it does not replicate)",
        })))
    }

    fn operate(&self, _command: OperatorCommand) -> BoxFuture<Result<OperatorAnswer, OperateError>> {
        Box::pin(std::future::ready(Err(OperateError::Unsupported { edition: NAME })))
    }

    fn drain(&self, _deadline: Duration) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }
}

/// Alerts as log lines: each told once, until it has recovered.
#[derive(Default)]
struct LogAlerts {
    raised: Mutex<BTreeSet<(AlertKind, String)>>,
}

impl LogAlerts {
    /// Notes an alert; false when it was noted already.
    fn note(&self, kind: AlertKind, subject: &str) -> bool {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.insert((kind, subject.to_owned()))
    }

    /// Forgets an alert; false when none was noted.
    fn forget(&self, kind: AlertKind, subject: &str) -> bool {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.remove(&(kind, subject.to_owned()))
    }
}

impl Alerts for LogAlerts {
    fn raise(&self, alert: Alert) {
        if self.note(alert.kind, &alert.subject) {
            tracing::error!(subject = %alert.subject, "OPERATOR ALERT [{}] {}", alert.kind, alert.text);
        }
    }

    fn recovered(&self, kind: AlertKind, subject: &str) {
        if self.forget(kind, subject) {
            tracing::info!(subject = %subject, "OPERATOR ALERT [{kind}] recovered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> ConfigText {
        ConfigText { path: "clavitor.toml".into(), text: text.to_owned() }
    }

    #[test]
    fn the_contract_of_a_replicator_is_kept() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let block_on = |future: BoxFuture<()>| runtime.block_on(future);
        clavitor_core::testing::replicator_keeps_its_contract(Arc::new(NoReplication), &block_on);
    }

    #[test]
    fn tables_of_the_other_edition_are_named_where_they_stand() {
        let problems = check_config(&config(
            "listen = \"127.0.0.1:1984\"\n\n[[replication.backups]]\npop = \"a\"\n\n[alerts]\nwebhook = {}\n",
        ));
        let lines: Vec<(usize, bool)> = problems.iter().map(|p| (p.line, p.other_edition)).collect();
        assert_eq!(lines, [(3, true), (6, true)]);
        assert!(problems[0].what.contains("[replication]") && problems[0].what.contains("community"));
        assert!(problems.iter().all(|p| p.remedy.contains("--features commercial")));
        assert_eq!(check_config(&config("listen = \"127.0.0.1:1984\"\n# [replication]\n")), []);
    }

    #[test]
    fn an_alert_is_told_once_until_it_has_recovered() {
        let alerts = LogAlerts::default();
        assert!(!alerts.forget(AlertKind::Halted, "node"), "nothing was raised yet");
        assert!(alerts.note(AlertKind::Halted, "node"));
        assert!(!alerts.note(AlertKind::Halted, "node"), "told twice");
        assert!(alerts.note(AlertKind::Halted, "zurich-01"), "another subject is another alert");
        assert!(alerts.forget(AlertKind::Halted, "node"));
        assert!(alerts.note(AlertKind::Halted, "node"), "raised again after it had recovered");
    }
}
