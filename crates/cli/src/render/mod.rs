//! What people see. Pure: data in, text out; nothing here reads a terminal or a clock.

pub(crate) mod entry;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod pop;
pub(crate) mod replication;
pub(crate) mod status;

use std::borrow::Cow;

use comfy_table::{ContentArrangement, Table, presets};

/// What stands for a value that is not shown.
pub(crate) const HIDDEN: &str = "••••";

/// A text as it may reach a terminal: no control characters, nothing that reorders what is read.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if harmful(c) => '\u{fffd}',
        c => c,
    });
    Cow::Owned(shown.collect())
}

/// Rows in columns, as wide as the terminal where there is one. Cells must be printable.
pub(crate) fn columns(header: &[&str], rows: Vec<Vec<String>>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header.to_vec());
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.force_no_tty();
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// A count with its noun: `1 item`, `2 items`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 {
        noun.to_owned()
    } else if let Some(stem) = noun.strip_suffix('y') {
        format!("{stem}ies")
    } else {
        format!("{noun}s")
    };
    format!("{count} {plural}")
}

/// A duration for people: `340 ms`, `12 s`, `5 min`, `3 h`, `2 d`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// How long ago something was, by the wall clock.
pub(crate) fn ago(at_ms: Option<u64>, now_ms: u64) -> String {
    at_ms.map_or_else(|| "never".to_owned(), |at| format!("{} ago", duration(now_ms.saturating_sub(at))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_draws_on_the_terminal() {
        assert_eq!(printable("Größe 日本 🙂"), "Größe 日本 🙂");
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb c\u{fffd}d");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            (counted(1, "entry"), counted(2, "entry"), counted(0, "item")),
            ("1 entry".into(), "2 entries".into(), "0 items".into())
        );
        let shown = [999, 1_000, 119_999, 120_000, 7_200_000, 400_000_000].map(duration);
        assert_eq!(shown, ["999 ms", "1 s", "119 s", "2 min", "2 h", "4 d"]);
        assert_eq!((ago(None, 5), ago(Some(9), 5)), ("never".into(), "0 ms ago".into()), "clocks may differ");
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".into(), "b".into()], vec!["longer".into(), String::new()]];
        assert_eq!(columns(&["X", "Y"], rows, None), "X       Y\na       b\nlonger");
    }
}
