//! The steps of a long chore: each runs whatever the others did, and a table closes the run.

use std::time::Duration;

use anyhow::{Result, bail};
use comfy_table::{CellAlignment, Table, presets};

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It held.
    Passed,
    /// It did not, and why.
    Failed(String),
    /// It could not run, and why.
    Skipped(String),
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(String, Outcome, Duration)>,
}

impl Report {
    /// Runs a step that either holds or fails.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        self.step_or_skip(name, || work().map(|()| Outcome::Passed));
    }

    /// Runs a step that may also have to be left out.
    pub(crate) fn step_or_skip(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) {
        println!("\n==> {name}");
        let started = now();
        let outcome = work().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        match &outcome {
            Outcome::Passed => {}
            Outcome::Failed(why) => println!("FAILED {name}: {why}"),
            Outcome::Skipped(why) => println!("SKIPPED {name}: {why}"),
        }
        self.rows.push((name.to_owned(), outcome, started.elapsed()));
    }

    /// Prints the table and the closing line.
    ///
    /// # Errors
    /// When a step failed.
    pub(crate) fn close(self) -> Result<()> {
        println!("\n{}\n", self.table());
        println!("{}", self.closing_line());
        match self.count(|outcome| matches!(outcome, Outcome::Failed(_))) {
            0 => Ok(()),
            failed => bail!("{failed} of {} steps failed", self.rows.len()),
        }
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.rows.iter().filter(|(_, outcome, _)| which(outcome)).count()
    }

    fn closing_line(&self) -> String {
        let passed = self.count(|outcome| *outcome == Outcome::Passed);
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        format!("{passed} passed, {failed} failed, {} skipped", self.rows.len() - passed - failed)
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["step", "result", "seconds"]);
        for (name, outcome, took) in &self.rows {
            let result = match outcome {
                Outcome::Passed => "passed".to_owned(),
                Outcome::Failed(_) => "FAILED".to_owned(),
                Outcome::Skipped(why) => format!("SKIPPED: {why}"),
            };
            table.add_row([name.clone(), result, format!("{:.1}", took.as_secs_f64())]);
        }
        if let Some(seconds) = table.column_mut(2) {
            seconds.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the seconds of a step are for people, nothing depends on them"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_hides_no_other() {
        let mut report = Report::default();
        report.step("first", || bail!("broken"));
        report.step("second", || Ok(()));
        report.step_or_skip("third", || Ok(Outcome::Skipped("no network".into())));
        assert_eq!(report.closing_line(), "1 passed, 1 failed, 1 skipped");
        let table = report.table().to_string();
        assert!(table.contains("FAILED") && table.contains("SKIPPED: no network"), "{table}");
        assert!(report.close().is_err());
    }

    #[test]
    fn what_is_skipped_does_not_fail() {
        let mut report = Report::default();
        report.step_or_skip("only", || Ok(Outcome::Skipped("absent".into())));
        assert!(report.close().is_ok());
    }
}
