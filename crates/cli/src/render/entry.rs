//! One entry: for a terminal with hidden values, and as JSON.

use clavitor_core::draft::{DraftField, EntryDraft};
use clavitor_core::entry::{EntryType, FieldKind, Tier};
use clavitor_core::ids::{ImportId, RecordId};
use clavitor_core::order::Version;
use serde::Serialize;

use super::{HIDDEN, columns, printable};

/// An entry as `--json` prints it: a written contract.
#[derive(Debug, Serialize)]
pub(crate) struct EntryJson<'d> {
    id: RecordId,
    version: Version,
    #[serde(rename = "type")]
    entry_type: EntryType,
    title: &'d str,
    username: &'d str,
    urls: &'d [String],
    folder: &'d str,
    tags: &'d [String],
    favorite: bool,
    created_at_ms: u64,
    updated_at_ms: u64,
    import_id: Option<ImportId>,
    fields: Vec<FieldJson<'d>>,
}

/// A field as `--json` prints it.
#[derive(Debug, Serialize)]
struct FieldJson<'d> {
    name: &'d str,
    kind: FieldKind,
    tier: Tier,
    /// `null` where it is hidden.
    value: Option<&'d str>,
}

/// What is known of an entry beside its draft.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) id: RecordId,
    pub(crate) version: Version,
    pub(crate) updated_at_ms: u64,
    pub(crate) import_id: Option<ImportId>,
}

/// The JSON of an entry, or of one field of it.
pub(crate) fn json<'d>(
    about: About,
    draft: &'d EntryDraft,
    only: Option<&DraftField>,
    reveal: bool,
) -> EntryJson<'d> {
    let chosen = |field: &&DraftField| only.is_none_or(|only| std::ptr::eq(only, *field));
    let fields = draft.fields.iter().filter(chosen).map(|field| FieldJson {
        name: &field.name,
        kind: field.kind,
        tier: field.tier,
        value: (reveal || field.tier == Tier::Vault).then(|| field.value.expose()),
    });
    EntryJson {
        id: about.id,
        version: about.version,
        entry_type: draft.entry_type,
        title: &draft.title,
        username: &draft.username,
        urls: &draft.urls,
        folder: &draft.folder,
        tags: &draft.tags,
        favorite: draft.favorite,
        created_at_ms: draft.created_at_ms,
        updated_at_ms: about.updated_at_ms,
        import_id: about.import_id,
        fields: fields.collect(),
    }
}

/// An entry for a terminal. Values above the vault tier are hidden unless revealed.
pub(crate) fn text(about: About, draft: &EntryDraft, reveal: bool) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            rows.push(vec![printable(name).into_owned(), value]);
        }
    };
    row("title", printable(&draft.title).into_owned());
    row("type", draft.entry_type.name().to_owned());
    row("username", printable(&draft.username).into_owned());
    for url in &draft.urls {
        row("url", printable(url).into_owned());
    }
    row("folder", printable(&draft.folder).into_owned());
    row("tags", printable(&draft.tags.join(", ")).into_owned());
    row("favourite", if draft.favorite { "yes".to_owned() } else { String::new() });
    for field in &draft.fields {
        let shown = reveal || field.tier == Tier::Vault;
        let value = if shown { lines(field.value.expose()) } else { HIDDEN.to_owned() };
        row(&field.name, value);
    }
    row("id", about.id.to_string());
    columns(&[], rows, None)
}

/// A value whose line ends stay line ends.
fn lines(value: &str) -> String {
    value.lines().map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> (About, EntryDraft) {
        let mut draft = EntryDraft::new(EntryType::Login, "Mail");
        draft.username = "ann@mail.example".into();
        draft.urls = vec!["https://mail.example".into()];
        draft.tags = vec!["home".into(), "daily".into()];
        draft.push("password", FieldKind::Password, "hunter2".into());
        draft.push("notes", FieldKind::Note, "one\ntwo\u{1b}[31m".into());
        draft.push("hint", FieldKind::Text, "seen by the server".into());
        let about = About {
            id: RecordId::from_parts(1_700_000_000_000, &[1; 10]),
            version: Version(3),
            updated_at_ms: 1_700_000_000_000,
            import_id: None,
        };
        (about, draft)
    }

    #[test]
    fn a_terminal_shows_no_values() {
        let (about, draft) = sample();
        let hidden = text(about, &draft, false);
        assert!(!hidden.contains("hunter2") && !hidden.contains("one"));
        insta::assert_snapshot!(hidden);
        insta::assert_snapshot!(text(about, &draft, true));
    }

    #[test]
    fn json_is_a_contract() {
        let (about, draft) = sample();
        let hidden = serde_json::to_string(&json(about, &draft, None, false)).unwrap();
        assert!(!hidden.contains("hunter2"));
        insta::assert_json_snapshot!(json(about, &draft, None, true));
        let one = draft.field("notes");
        insta::assert_json_snapshot!(json(about, &draft, one, false).fields);
    }
}
