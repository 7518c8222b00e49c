//! What the demo found: the closing table, the JSON object, and whether all of it held.

use std::time::Duration;

use comfy_table::{Table, presets};
use serde_json::json;

/// What the demo found.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Entries in the file that was imported.
    pub(super) in_file: u64,
    /// Entries imported.
    pub(super) imported: u64,
    /// Entries that each backup holds after the import.
    pub(super) on_backups: Vec<u64>,
    /// The lag of each single write on each backup.
    pub(super) lags: Vec<Duration>,
    /// Whether an entry was read from a backup, opened and equal, while the primary was dead.
    pub(super) read_from_backup_after_kill: bool,
    /// The HTTP status of a write on a backup.
    pub(super) write_on_backup_status: u16,
    /// Its `X-Primary-Location`.
    pub(super) primary_location: String,
    /// Where the primary really is.
    pub(super) primary_url: String,
    /// Whether a write reached all backups after the primary came back, without anything being sent twice or lost.
    pub(super) resumed: bool,
    /// How long nothing was written.
    pub(super) idle_seconds: u64,
    /// How often the workers of all nodes woke in that time.
    pub(super) idle_worker_wakeups: u64,
    /// Whether all nodes had equal digests at equal heads.
    pub(super) digests_equal: bool,
    /// Durable writes a second of this machine's disk.
    pub(super) syncs_per_second: f64,
}

impl Outcome {
    /// The object that `--json` prints.
    pub(super) fn json(&self) -> String {
        json!({
            "imported": self.imported,
            "lag_ms_p50": self.lag_ms(50),
            "lag_ms_p99": self.lag_ms(99),
            "read_from_backup_after_kill": self.read_from_backup_after_kill,
            "write_on_backup_status": self.write_on_backup_status,
            "primary_location": self.primary_location,
            "resumed": self.resumed,
            "idle_seconds": self.idle_seconds,
            "idle_worker_wakeups": self.idle_worker_wakeups,
            "digests_equal": self.digests_equal,
        })
        .to_string()
    }

    /// What did not hold, in sentences. Never a matter of speed.
    pub(super) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut must = |held: bool, otherwise: String| {
            if !held {
                broken.push(otherwise);
            }
        };
        let (file, imported) = (self.in_file, self.imported);
        must(
            imported > 0 && imported == file,
            format!("of {file} entries in the file {imported} were imported"),
        );
        let all_there = self.on_backups.iter().all(|there| *there == imported);
        must(
            all_there && !self.on_backups.is_empty(),
            format!("the backups hold {:?} of {imported}", self.on_backups),
        );
        must(!self.lags.is_empty(), "no single write was seen on a backup".to_owned());
        must(
            self.read_from_backup_after_kill,
            "no entry could be read from a backup after the kill".to_owned(),
        );
        let status = self.write_on_backup_status;
        must(status == 503, format!("a write on a backup was answered {status}, not 503"));
        let location = self.primary_location.trim_end_matches('/');
        let known = location == self.primary_url.trim_end_matches('/');
        must(known, format!("X-Primary-Location was `{location}`, the primary is {}", self.primary_url));
        must(self.resumed, "the primary did not go on after its restart".to_owned());
        let wakeups = self.idle_worker_wakeups;
        must(wakeups == 0, format!("the workers woke {wakeups} times while nothing was written"));
        must(self.digests_equal, "the digests of the nodes differ".to_owned());
        broken
    }

    /// The closing table.
    pub(super) fn table(&self) -> Table {
        let yes = |held: bool| if held { "yes" } else { "NO" }.to_owned();
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["what", "seen"]);
        let on_backups: Vec<String> = self.on_backups.iter().map(u64::to_string).collect();
        for (what, seen) in [
            (
                "imported",
                format!("{} of {}, on the backups {}", self.imported, self.in_file, on_backups.join(" and ")),
            ),
            ("lag of a write, median", format!("{:.2} ms", self.lag_ms(50))),
            (
                "lag of a write, 99 of 100",
                format!("{:.2} ms ({} writes seen)", self.lag_ms(99), self.lags.len()),
            ),
            ("this machine's disk", format!("{:.0} durable writes/s", self.syncs_per_second)),
            ("read from a backup, primary dead", yes(self.read_from_backup_after_kill)),
            (
                "write on a backup",
                format!("{}, primary at {}", self.write_on_backup_status, self.primary_location),
            ),
            ("primary back, going on", yes(self.resumed)),
            (
                "worker wake-ups while idle",
                format!("{} in {} s", self.idle_worker_wakeups, self.idle_seconds),
            ),
            ("digests equal on all nodes", yes(self.digests_equal)),
        ] {
            table.add_row([what.to_owned(), seen]);
        }
        table
    }

    /// The lag that so many of a hundred writes did not exceed, in milliseconds, two digits after the point.
    fn lag_ms(&self, percent: usize) -> f64 {
        let mut lags = self.lags.clone();
        lags.sort_unstable();
        let rank = (lags.len() * percent).div_ceil(100).saturating_sub(1);
        let lag = lags.get(rank).copied().unwrap_or_default();
        (lag.as_secs_f64() * 100_000.0).round() / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Outcome {
        Outcome {
            in_file: 2,
            imported: 2,
            on_backups: vec![2, 2],
            lags: (1..=200).map(Duration::from_millis).collect(),
            read_from_backup_after_kill: true,
            write_on_backup_status: 503,
            primary_location: "http://127.0.0.1:1984/".into(),
            primary_url: "http://127.0.0.1:1984".into(),
            resumed: true,
            idle_seconds: 2,
            idle_worker_wakeups: 0,
            digests_equal: true,
            syncs_per_second: 4_000.0,
        }
    }

    #[test]
    fn percentiles_are_ranks() {
        assert_eq!((good().lag_ms(50), good().lag_ms(99)), (100.0, 198.0));
        assert_eq!(Outcome::default().lag_ms(50), 0.0);
        let one = Outcome { lags: vec![Duration::from_micros(734)], ..good() };
        assert_eq!((one.lag_ms(50), one.lag_ms(99)), (0.73, 0.73));
    }

    #[test]
    fn each_fault_is_a_sentence_and_slowness_is_none() {
        assert_eq!(good().broken(), Vec::<String>::new());
        let slow = Outcome { lags: vec![Duration::from_secs(50)], ..good() };
        assert_eq!(slow.broken(), Vec::<String>::new());
        let faults: [fn(&mut Outcome); 9] = [
            |o| o.imported = 1,
            |o| o.on_backups = vec![2, 1],
            |o| o.lags.clear(),
            |o| o.read_from_backup_after_kill = false,
            |o| o.write_on_backup_status = 200,
            |o| o.primary_location = "http://elsewhere".into(),
            |o| o.resumed = false,
            |o| o.idle_worker_wakeups = 1,
            |o| o.digests_equal = false,
        ];
        for fault in faults {
            let mut outcome = good();
            fault(&mut outcome);
            assert!(!outcome.broken().is_empty(), "{outcome:?}");
        }
    }

    #[test]
    fn the_object_has_the_promised_keys() {
        let object: serde_json::Value = serde_json::from_str(&good().json()).unwrap();
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        let mut promised = [
            "imported",
            "lag_ms_p50",
            "lag_ms_p99",
            "read_from_backup_after_kill",
            "write_on_backup_status",
            "primary_location",
            "resumed",
            "idle_seconds",
            "idle_worker_wakeups",
            "digests_equal",
        ];
        promised.sort_unstable();
        assert_eq!(keys, promised);
    }
}
