//! Replication for people: one line per backup, and how well it goes.

use clavitor_core::exit;
use clavitor_core::replica::Role;
use clavitor_core::replicator::{ActiveStatus, BackupState, BackupStatus, ReplicationStatus};
use serde::Serialize;

use super::status::role;
use super::{ago, columns, duration, printable};

/// The age of the oldest unacknowledged change up to which a backup that catches up counts as healthy, in milliseconds.
const LAG_MS_HEALTHY_MAX: u64 = 5_000;

/// How well it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Health {
    /// Everything is where it should be.
    Healthy,
    /// It goes on by itself, or something is missing that was never set up.
    Degraded,
    /// Someone must act.
    Broken,
}

impl Health {
    /// The word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Broken => "broken",
        }
    }

    /// The exit code of `replication status`.
    const fn exit_code(self) -> u8 {
        match self {
            Self::Healthy => exit::OK,
            Self::Degraded => exit::WARNINGS,
            Self::Broken => exit::CHECK_FAILED,
        }
    }
}

/// The JSON of `replication status`: the node's own words and one of ours.
#[derive(Debug, Serialize)]
pub(crate) struct ReplicationJson<'s> {
    #[serde(flatten)]
    status: &'s ReplicationStatus,
    health: Option<Health>,
}

/// The JSON of a state.
pub(crate) fn json(status: &ReplicationStatus) -> ReplicationJson<'_> {
    let health = matches!(status, ReplicationStatus::Active(_)).then(|| health(status));
    ReplicationJson { status, health }
}

/// The exit code of a state: 0, 11, 12; 13 where this edition does not replicate.
pub(crate) fn exit_code(status: &ReplicationStatus) -> u8 {
    match status {
        ReplicationStatus::Disabled => exit::OTHER_EDITION,
        _ => health(status).exit_code(),
    }
}

/// How well it goes, all in all: as well as the worst part.
pub(crate) fn health(status: &ReplicationStatus) -> Health {
    let ReplicationStatus::Active(active) = status else { return Health::Degraded };
    let own = if active.halted.is_some() {
        Health::Broken
    } else if active.quarantined > 0 || active.upstream.as_ref().is_some_and(|up| !up.link_open) {
        Health::Degraded
    } else {
        Health::Healthy
    };
    active.backups.iter().map(backup_health).fold(own, Health::max)
}

fn backup_health(backup: &BackupStatus) -> Health {
    let state = match backup.state {
        BackupState::Parked | BackupState::Rejected | BackupState::Fenced | BackupState::Diverged => {
            Health::Broken
        }
        BackupState::Retrying | BackupState::Disconnected | BackupState::Snapshotting => Health::Degraded,
        BackupState::CatchingUp if backup.lag_ms > LAG_MS_HEALTHY_MAX => Health::Degraded,
        BackupState::Streaming | BackupState::CatchingUp if !backup.link_open => Health::Degraded,
        BackupState::Streaming | BackupState::CatchingUp => Health::Healthy,
    };
    match (backup.digest_equal, backup.quarantined) {
        (Some(false), _) => Health::Broken,
        (_, 1..) => state.max(Health::Degraded),
        _ => state,
    }
}

/// The word for a state: one vocabulary everywhere.
pub(crate) const fn state_word(state: BackupState) -> &'static str {
    match state {
        BackupState::Streaming => "streaming",
        BackupState::CatchingUp => "catching-up",
        BackupState::Snapshotting => "snapshotting",
        BackupState::Retrying => "retrying",
        BackupState::Parked => "parked",
        BackupState::Disconnected => "disconnected",
        BackupState::Rejected => "rejected",
        BackupState::Fenced => "fenced",
        BackupState::Diverged => "diverged",
    }
}

/// A state for people.
pub(crate) fn text(status: &ReplicationStatus, now_ms: u64) -> String {
    match status {
        ReplicationStatus::Disabled => "replication: disabled, this edition does not replicate".to_owned(),
        ReplicationStatus::NotConfigured => {
            "replication: not configured, there is no [replication] table".to_owned()
        }
        ReplicationStatus::Active(active) => active_text(active, health(status), now_ms),
    }
}

fn active_text(active: &ActiveStatus, health: Health, now_ms: u64) -> String {
    let mut text = format!(
        "{} is the {} of cell {}: {}\nhead {} of history {}, digest {}…\n",
        active.pop,
        role(active.role),
        active.cell,
        health.word(),
        active.head,
        active.epoch,
        active.digest.get(..16).unwrap_or(&active.digest),
    );
    if let Some(why) = &active.halted {
        text += &format!("HALTED: {}\n", printable(why));
    }
    if active.quarantined > 0 {
        text += &format!("{} set aside here\n", super::counted(to_count(active.quarantined), "record"));
    }
    if let Some(up) = &active.upstream {
        let link = if up.link_open { "open" } else { "closed" };
        text += &format!("primary {} ({}): link {link}, ", up.pop, printable(&up.public_url));
        text += &format!("last heard {}\n", ago(up.last_ok_at_ms, now_ms));
        if let Some(cause) = &up.cause {
            text += &format!("  {}\n", printable(cause));
        }
    }
    if active.role == Role::Primary {
        text.push('\n');
        text += &backups_text(&active.backups, now_ms);
    }
    text.trim_end().to_owned()
}

fn backups_text(backups: &[BackupStatus], now_ms: u64) -> String {
    if backups.is_empty() {
        return "no backups: nothing is copied anywhere".to_owned();
    }
    let rows = backups.iter().map(|backup| {
        let lag = format!("{} / {}", backup.lag_records, duration(backup.lag_ms));
        let next = backup.next_try_in_ms.map_or_else(|| "-".to_owned(), |ms| format!("in {}", duration(ms)));
        let equal = match backup.digest_equal {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        let link = if backup.link_open { "open" } else { "closed" };
        let state = state_word(backup.state).to_owned();
        let last = ago(backup.last_ok_at_ms, now_ms);
        vec![
            backup.pop.to_string(),
            state,
            lag,
            backup.acked_seq.to_string(),
            last,
            next,
            link.to_owned(),
            equal.to_owned(),
        ]
    });
    let header = ["POP", "STATE", "LAG", "ACKED", "LAST ACK", "NEXT TRY", "LINK", "EQUAL"];
    let mut text = columns(&header, rows.collect(), None);
    for backup in backups {
        if let Some(cause) = &backup.cause {
            text += &format!("\n{}: {}", backup.pop, printable(cause));
        }
        if backup.quarantined > 0 {
            let set_aside = super::counted(to_count(backup.quarantined), "record");
            text += &format!("\n{}: {set_aside} set aside there", backup.pop);
        }
    }
    text
}

fn to_count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use clavitor_core::ids::CellId;
    use clavitor_core::order::{Epoch, Seq};
    use clavitor_core::replicator::UpstreamStatus;

    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    pub(crate) fn backup(name: &str) -> BackupStatus {
        BackupStatus {
            pop: name.parse().unwrap(),
            url: format!("https://{name}.example.org:1985"),
            state: BackupState::Streaming,
            acked_seq: Seq(42),
            lag_records: 0,
            lag_ms: 0,
            last_ok_at_ms: Some(NOW_MS - 1_200),
            failures: 0,
            next_try_in_ms: None,
            link_open: true,
            digest_equal: Some(true),
            quarantined: 0,
            cause: None,
        }
    }

    pub(crate) fn primary(backups: Vec<BackupStatus>) -> ReplicationStatus {
        ReplicationStatus::Active(Box::new(ActiveStatus {
            cell: CellId::from_bytes([3; 16]),
            pop: "calgary-01".parse().unwrap(),
            role: Role::Primary,
            epoch: Epoch { number: 1, nonce: 0xabcd },
            head: Seq(42),
            digest: "5a".repeat(32),
            listen: "0.0.0.0:1985".into(),
            halted: None,
            backups,
            upstream: None,
            worker_wakeups_total: 7,
            timers_armed: 0,
            batches_total: 4,
            records_sent_total: 42,
            quarantined: 0,
        }))
    }

    fn failing() -> BackupStatus {
        BackupStatus {
            state: BackupState::Parked,
            acked_seq: Seq(40),
            lag_records: 2,
            lag_ms: 900_000,
            failures: 6,
            next_try_in_ms: Some(250_000),
            link_open: false,
            digest_equal: None,
            quarantined: 1,
            cause: Some("connection refused: check that the node runs".into()),
            ..backup("oslo-01")
        }
    }

    #[test]
    fn a_primary() {
        insta::assert_snapshot!(text(&primary(vec![backup("zurich-01"), failing()]), NOW_MS));
        insta::assert_json_snapshot!(json(&primary(vec![backup("zurich-01")])));
    }

    #[test]
    fn a_backup() {
        let mut status = primary(Vec::new());
        if let ReplicationStatus::Active(active) = &mut status {
            active.role = Role::Backup;
            active.upstream = Some(UpstreamStatus {
                pop: "calgary-01".parse().unwrap(),
                public_url: "https://vault.example.org".into(),
                link_open: true,
                last_ok_at_ms: Some(NOW_MS - 3),
                cause: None,
            });
        }
        assert_eq!(exit_code(&status), exit::OK);
        insta::assert_snapshot!(text(&status, NOW_MS));
    }

    #[test]
    fn exit_codes_follow_the_worst() {
        let with = |change: fn(&mut BackupStatus)| {
            let mut changed = backup("oslo-01");
            change(&mut changed);
            exit_code(&primary(vec![backup("zurich-01"), changed]))
        };
        assert_eq!(with(|_| ()), exit::OK);
        assert_eq!(with(|b| b.state = BackupState::CatchingUp), exit::OK);
        assert_eq!(with(|b| b.link_open = false), exit::WARNINGS);
        assert_eq!(with(|b| b.state = BackupState::Retrying), exit::WARNINGS);
        assert_eq!(with(|b| b.quarantined = 1), exit::WARNINGS);
        assert_eq!(with(|b| b.digest_equal = Some(false)), exit::CHECK_FAILED);
        for state in [BackupState::Parked, BackupState::Rejected, BackupState::Fenced, BackupState::Diverged]
        {
            let mut broken = backup("oslo-01");
            broken.state = state;
            assert_eq!(exit_code(&primary(vec![broken])), exit::CHECK_FAILED, "{state:?}");
        }
        assert_eq!(exit_code(&ReplicationStatus::Disabled), exit::OTHER_EDITION);
        assert_eq!(exit_code(&ReplicationStatus::NotConfigured), exit::WARNINGS);
    }

    #[test]
    fn the_words_are_those_of_the_json() {
        for state in [BackupState::CatchingUp, BackupState::Parked, BackupState::Streaming] {
            assert_eq!(serde_json::to_value(state).unwrap(), state_word(state));
        }
    }
}
