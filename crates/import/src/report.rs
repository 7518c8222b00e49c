//! The report of an import: every path of the source that did not land as it was, with a reason and how often.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many different lines a report keeps; further ones are counted together.
const LINES_MAX: usize = 10_000;
/// How much of a key that the file chose is shown.
const KEY_CHARS_MAX: usize = 64;

/// What happened to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A whole item was not imported.
    Skipped,
    /// The value did not land anywhere.
    Dropped,
    /// The value landed, but elsewhere or in another form.
    Moved,
    /// The value means something only inside the source, such as an id, and was left there.
    Internal,
}

impl Level {
    /// Whether something that a person typed is missing afterwards.
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Skipped | Self::Dropped)
    }
}

/// One kind of place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportLine {
    /// What happened.
    pub level: Level,
    /// Where: `items[].login.uris[].match`. Keys that the file chose are shortened and escaped.
    pub path: String,
    /// Why, as one phrase.
    pub reason: &'static str,
    /// How many values.
    pub count: usize,
    /// The items concerned, from 1 in the order of the file; empty for what belongs to no item.
    pub items: Vec<usize>,
}

/// The report of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many items the file holds.
    pub items_seen: usize,
    /// Worst first, then by path.
    pub lines: Vec<ReportLine>,
}

impl Report {
    /// Whether anything is missing afterwards: exit code 10.
    pub fn has_loss(&self) -> bool {
        self.lines.iter().any(|line| line.level.is_loss())
    }

    /// How many values, or for [`Level::Skipped`] items, have this level.
    pub fn count(&self, level: Level) -> usize {
        self.lines.iter().filter(|line| line.level == level).map(|line| line.count).sum()
    }
}

/// Gathers lines while a file is walked.
#[derive(Default)]
pub(crate) struct Collector {
    lines: BTreeMap<(Level, String, &'static str), (usize, Vec<usize>)>,
}

impl Collector {
    /// Notes one value.
    pub(crate) fn add(&mut self, level: Level, path: &str, reason: &'static str, item: Option<usize>) {
        let mut key = (level, path.to_owned(), reason);
        if self.lines.len() >= LINES_MAX && !self.lines.contains_key(&key) {
            key.1 = "(further paths)".to_owned();
        }
        let (count, items) = self.lines.entry(key).or_default();
        *count += 1;
        if let Some(item) = item
            && items.last() != Some(&item)
        {
            items.push(item);
        }
    }

    /// The report.
    pub(crate) fn finish(self, items_seen: usize) -> Report {
        let lines = self.lines.into_iter().map(|((level, path, reason), (count, items))| ReportLine {
            level,
            path,
            reason,
            count,
            items,
        });
        Report { items_seen, lines: lines.collect() }
    }
}

/// A key of the file as it may be shown: escaped and not too long.
pub(crate) fn printable_key(key: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
    let mut shown: String =
        key.chars().take(KEY_CHARS_MAX).map(|c| if plain(c) { c } else { '\u{fffd}' }).collect();
    if key.chars().nth(KEY_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
