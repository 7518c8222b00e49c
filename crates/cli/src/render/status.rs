//! The state of a node.

use clavitor_core::api::NodeStatus;
use clavitor_core::exit;
use clavitor_core::replica::Role;
use clavitor_core::replicator::ReplicationStatus;

use super::replication::{Health, health};
use super::{columns, printable};

/// The word for a role.
pub(crate) const fn role(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Backup => "backup",
    }
}

/// A node for people.
pub(crate) fn text(status: &NodeStatus, place: &str) -> String {
    let mut rows = vec![
        vec!["node".to_owned(), printable(place).into_owned()],
        vec![
            "version".to_owned(),
            format!("{} ({})", printable(&status.version), printable(&status.edition)),
        ],
        vec!["cell".to_owned(), status.cell.to_string()],
        vec!["role".to_owned(), role(status.role).to_owned()],
        vec![
            "vault".to_owned(),
            if status.set_up { "set up" } else { "none yet: run clavitor init" }.to_owned(),
        ],
    ];
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    if let Some(head) = status.head {
        row("changes", head.to_string());
    }
    if let Some(entries) = status.entries {
        row("entries", entries.to_string());
    }
    if let Some(replication) = &status.replication {
        row("replication", summary(replication));
    }
    columns(&[], rows, None)
}

/// Replication in one phrase.
fn summary(status: &ReplicationStatus) -> String {
    match status {
        ReplicationStatus::Disabled => "disabled: this edition does not replicate".to_owned(),
        ReplicationStatus::NotConfigured => "not configured: there is no [replication] table".to_owned(),
        ReplicationStatus::Active(active) => {
            let word = health(status).word();
            match active.role {
                Role::Primary => format!("{word}, {}", super::counted(active.backups.len(), "backup")),
                Role::Backup => format!("{word}, {} at change {}", role(active.role), active.head),
            }
        }
    }
}

/// The exit code: 11 where the node takes no writes though it should, 12 where replication is not healthy.
pub(crate) fn exit_code(status: &NodeStatus) -> u8 {
    match &status.replication {
        Some(ReplicationStatus::Active(active)) if active.halted.is_some() => exit::CHECK_FAILED,
        Some(replication @ ReplicationStatus::Active(_)) if health(replication) != Health::Healthy => {
            exit::WARNINGS
        }
        _ => exit::OK,
    }
}

#[cfg(test)]
mod tests {
    use clavitor_core::ids::CellId;
    use clavitor_core::order::Seq;

    use super::*;
    use crate::render::replication::tests::{backup, primary};

    fn status(replication: Option<ReplicationStatus>) -> NodeStatus {
        NodeStatus {
            version: "0.1.0".into(),
            edition: "commercial".into(),
            cell: CellId::from_bytes([3; 16]),
            role: Role::Primary,
            set_up: true,
            head: replication.as_ref().map(|_| Seq(42)),
            entries: replication.as_ref().map(|_| 24),
            replication,
        }
    }

    #[test]
    fn what_anyone_may_see() {
        insta::assert_snapshot!(text(&status(None), "http://localhost:1984"));
        insta::assert_json_snapshot!(status(None));
    }

    #[test]
    fn what_the_operator_sees() {
        let healthy = status(Some(primary(vec![backup("zurich-01")])));
        insta::assert_snapshot!(text(&healthy, "/var/lib/clavitor"));
        assert_eq!(exit_code(&healthy), exit::OK);
        assert_eq!(exit_code(&status(Some(ReplicationStatus::Disabled))), exit::OK);
        let mut halted = primary(vec![]);
        if let ReplicationStatus::Active(active) = &mut halted {
            active.halted = Some("a newer epoch was proved".into());
        }
        assert_eq!(exit_code(&status(Some(halted))), exit::CHECK_FAILED);
    }
}
