//! A list of entries. Titles here are as the server says, unproved.

use clavitor_core::api::EntrySummary;

use super::{columns, printable};

/// A list for people.
pub(crate) fn text(rows: &[EntrySummary]) -> String {
    let cells = rows.iter().map(|row| {
        let star = if row.favorite { "*" } else { "" };
        let title = format!("{}{star}", printable(&row.title));
        let url = row.urls.first().map(|url| printable(url).into_owned()).unwrap_or_default();
        let [username, folder] = [&row.username, &row.folder].map(|text| printable(text).into_owned());
        vec![title, username, url, folder, row.entry_type.name().to_owned()]
    });
    columns(&["TITLE", "USERNAME", "URL", "FOLDER", "TYPE"], cells.collect(), None)
}

#[cfg(test)]
mod tests {
    use clavitor_core::entry::EntryType;
    use clavitor_core::ids::RecordId;
    use clavitor_core::order::Version;

    use super::*;

    fn row(title: &str, favorite: bool) -> EntrySummary {
        EntrySummary {
            id: RecordId::from_parts(1, &[2; 10]),
            version: Version(1),
            entry_type: EntryType::Login,
            title: title.into(),
            username: "ann".into(),
            urls: vec!["https://mail.example".into(), "https://other.example".into()],
            folder: "Home".into(),
            tags: vec!["daily".into()],
            favorite,
            updated_at_ms: 5,
        }
    }

    #[test]
    fn a_list() {
        let rows = [row("Mail", true), row("evil\u{1b}]0;x\u{7}", false)];
        insta::assert_snapshot!(text(&rows));
        insta::assert_json_snapshot!(rows[0]);
    }
}
