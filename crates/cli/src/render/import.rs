//! The preview and the outcome of an import.

use clavitor_import::{Level, ReportLine};

use super::{columns, counted, printable};
use crate::import::plan::Preview;
use crate::import::run::Outcome;

/// How many rows of one kind are listed before the rest is counted.
const ROWS_MAX: usize = 20;
/// How many items of one line of the report are named.
const ITEMS_MAX: usize = 5;

/// What an import would do.
pub(crate) fn preview(preview: &Preview) -> String {
    let mut text = format!("{}: {}\n", preview.format, counted(preview.report.items_seen, "item"));
    let mut rows: Vec<Vec<String>> =
        preview.types.iter().map(|(name, count)| vec![format!("  {name}"), count.to_string()]).collect();
    rows.push(vec!["  to write".to_owned(), preview.new.to_string()]);
    if preview.identical > 0 {
        rows.push(vec!["  here already, skipped".to_owned(), preview.identical.to_string()]);
    }
    text += &columns(&[], rows, None);
    if !preview.duplicates.is_empty() {
        text += "\n\nThe same host and user name as an entry that is here; written beside it:\n";
        text += &duplicates(preview);
    }
    for (level, heading) in [
        (Level::Skipped, "Not imported:"),
        (Level::Dropped, "Dropped:"),
        (Level::Moved, "Kept, but elsewhere or in another form:"),
        (Level::Internal, "Means something only inside the source, and stays there:"),
    ] {
        text += &section(&preview.report.lines, level, heading);
    }
    text
}

fn duplicates(preview: &Preview) -> String {
    let shown = preview.duplicates.iter().take(ROWS_MAX);
    let mut rows: Vec<Vec<String>> = shown
        .map(|d| {
            let [title, existing] = [&d.title, &d.existing_title].map(|text| printable(text).into_owned());
            vec![format!("  {}", d.source), title, format!("like {existing}"), d.existing.to_string()]
        })
        .collect();
    let more = preview.duplicates.len().saturating_sub(ROWS_MAX);
    if more > 0 {
        rows.push(vec![format!("  and {more} more")]);
    }
    columns(&[], rows, None)
}

fn section(lines: &[ReportLine], level: Level, heading: &str) -> String {
    let mut of_level = lines.iter().filter(|line| line.level == level).peekable();
    if of_level.peek().is_none() {
        return String::new();
    }
    let rows = of_level.by_ref().take(ROWS_MAX).map(|line| {
        vec![
            format!("  {} x", line.count),
            printable(&line.path).into_owned(),
            line.reason.to_owned(),
            items(&line.items),
        ]
    });
    let mut text = format!("\n\n{heading}\n{}", columns(&[], rows.collect(), None));
    let more = of_level.count();
    if more > 0 {
        text += &format!("\n  and {}; --json names them all", counted(more, "path"));
    }
    text
}

fn items(items: &[usize]) -> String {
    let shown: Vec<String> = items.iter().take(ITEMS_MAX).map(ToString::to_string).collect();
    match items.len() {
        0 => String::new(),
        n if n > ITEMS_MAX => format!("items {}, … ({n})", shown.join(", ")),
        1 => format!("item {}", shown.join(", ")),
        _ => format!("items {}", shown.join(", ")),
    }
}

/// What an import did.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    let Some(import_id) = outcome.import_id else {
        return "nothing to write".to_owned();
    };
    let preview = &outcome.preview;
    let mut text = format!("imported {} (import {import_id})", counted(outcome.imported, "entry"));
    let missing = [
        (preview.identical, "here already"),
        (preview.report.count(Level::Skipped), "not imported"),
        (preview.report.count(Level::Dropped), "dropped"),
    ];
    for (count, what) in missing {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clavitor_core::draft::EntryDraft;

    use super::*;
    use crate::import::plan::tests::{sample, vault_of};
    use crate::import::plan::{Index, plan};

    #[test]
    fn a_preview() {
        let fresh = plan(sample(), &Index::new(Vec::new()), &BTreeMap::new());
        insta::assert_snapshot!(preview(&fresh.preview));
    }

    #[test]
    fn a_preview_with_entries_that_are_here() {
        let mut drafts: Vec<EntryDraft> = sample().entries.into_iter().take(4).map(|e| e.draft).collect();
        drafts[1].fields.clear();
        let (rows, opened) = vault_of(drafts);
        let plan = plan(sample(), &Index::new(rows), &opened);
        insta::assert_snapshot!(preview(&plan.preview));
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(items(&[1, 2, 3, 4, 5, 6]), "items 1, 2, 3, 4, 5, … (6)");
        assert_eq!((items(&[7]), items(&[])), ("item 7".into(), String::new()));
    }
}
