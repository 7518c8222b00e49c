//! What an import would do: which entries are new, which are here already, which look like others. Pure.

use std::collections::{BTreeMap, BTreeSet};

use clavitor_core::api::EntrySummary;
use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::EntryType;
use clavitor_core::ids::RecordId;
use clavitor_import::{Import, ImportedEntry, Report};
use serde::Serialize;
use url::Url;

/// An entry of the file that shares host and user name with one that is here: it is imported beside it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Duplicate {
    /// Where it comes from: `item 3`.
    pub(crate) source: String,
    /// Its title.
    pub(crate) title: String,
    /// The entry that is here.
    pub(crate) existing: RecordId,
    /// That one's title.
    pub(crate) existing_title: String,
}

/// What is shown before anything is written; a written contract as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Preview {
    /// The format that was found.
    pub(crate) format: &'static str,
    /// How many entries would be written, by type.
    pub(crate) types: BTreeMap<&'static str, usize>,
    /// How many would be written.
    pub(crate) new: usize,
    /// How many are here already, with the same content: they are skipped.
    pub(crate) identical: usize,
    /// Those that look like others here.
    pub(crate) duplicates: Vec<Duplicate>,
    /// What did not land, or not as it was.
    pub(crate) report: Report,
}

/// A plan, ready to be carried out.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What is shown.
    pub(crate) preview: Preview,
    /// What is written, in the order of the file.
    pub(crate) drafts: Vec<EntryDraft>,
}

/// By what two entries are taken for the same account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A host and a user name.
    Host(String, String),
    /// Where there is no host: type, title and user name.
    Title(u8, String, String),
}

/// The entries that are here, by what they are recognised by.
pub(crate) struct Index {
    rows: Vec<EntrySummary>,
    by_key: BTreeMap<Key, Vec<usize>>,
}

impl Index {
    /// Sorts what is here.
    pub(crate) fn new(rows: Vec<EntrySummary>) -> Self {
        let mut by_key: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            for key in keys(row.entry_type, &row.title, &row.username, &row.urls) {
                by_key.entry(key).or_default().push(at);
            }
        }
        Self { rows, by_key }
    }

    /// Those that share an account with a draft, in their order.
    fn like(&self, draft: &EntryDraft) -> Vec<&EntrySummary> {
        let keys = keys(draft.entry_type, &draft.title, &draft.username, &draft.urls);
        let found: BTreeSet<usize> =
            keys.iter().filter_map(|key| self.by_key.get(key)).flatten().copied().collect();
        found.into_iter().map(|at| &self.rows[at]).collect()
    }

    /// The entries whose content must be known to make the plan: those that could be identical to one of the file.
    pub(crate) fn to_open(&self, entries: &[ImportedEntry]) -> BTreeSet<RecordId> {
        let likely = |entry: &ImportedEntry| -> Vec<RecordId> {
            let draft = &entry.draft;
            let same = |row: &&EntrySummary| row.title == draft.title && row.entry_type == draft.entry_type;
            self.like(draft).into_iter().filter(same).map(|row| row.id).collect()
        };
        entries.iter().flat_map(likely).collect()
    }
}

fn keys(entry_type: EntryType, title: &str, username: &str, urls: &[String]) -> BTreeSet<Key> {
    let username = username.trim().to_lowercase();
    let hosts: BTreeSet<Key> =
        urls.iter().filter_map(|url| host(url)).map(|host| Key::Host(host, username.clone())).collect();
    if hosts.is_empty() {
        return [Key::Title(entry_type.number(), title.trim().to_lowercase(), username)].into();
    }
    hosts
}

/// The host of a URL; a bare host counts too.
fn host(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok().filter(|url| url.host_str().is_some());
    let parsed = parsed.or_else(|| Url::parse(&format!("https://{url}")).ok())?;
    parsed.host_str().map(str::to_lowercase)
}

/// Makes the plan.
///
/// - `opened`: the content of every entry that [`Index::to_open`] named and that still is there.
pub(crate) fn plan(import: Import, index: &Index, opened: &BTreeMap<RecordId, EntryDraft>) -> Plan {
    let mut preview = Preview {
        format: import.format,
        types: BTreeMap::new(),
        new: 0,
        identical: 0,
        duplicates: Vec::new(),
        report: import.report,
    };
    let mut drafts = Vec::with_capacity(import.entries.len());
    for entry in import.entries {
        let alike = index.like(&entry.draft);
        let is_here = |row: &&EntrySummary| opened.get(&row.id).is_some_and(|d| same(d, &entry.draft));
        if alike.iter().any(is_here) {
            preview.identical += 1;
            continue;
        }
        if let Some(row) = alike.first() {
            preview.duplicates.push(Duplicate {
                source: entry.source,
                title: entry.draft.title.clone(),
                existing: row.id,
                existing_title: row.title.clone(),
            });
        }
        *preview.types.entry(entry.draft.entry_type.name()).or_default() += 1;
        preview.new += 1;
        drafts.push(entry.draft);
    }
    Plan { preview, drafts }
}

/// Whether two drafts hold the same; numbers of fields do not count, their order does.
fn same(a: &EntryDraft, b: &EntryDraft) -> bool {
    let fields = || {
        a.fields.iter().zip(&b.fields).all(|(a, b)| {
            (&a.name, a.kind, a.tier) == (&b.name, b.kind, b.tier) && a.value.expose() == b.value.expose()
        })
    };
    (a.entry_type, &a.title, &a.username, &a.folder) == (b.entry_type, &b.title, &b.username, &b.folder)
        && (&a.urls, &a.tags, a.favorite, a.created_at_ms) == (&b.urls, &b.tags, b.favorite, b.created_at_ms)
        && a.fields.len() == b.fields.len()
        && fields()
}

#[cfg(test)]
pub(crate) mod tests {
    use clavitor_core::order::Version;
    use clavitor_import::{Options, bitwarden};

    use super::*;

    pub(crate) fn sample() -> Import {
        let bytes = include_bytes!("../../../import/samples/bitwarden.json");
        bitwarden::read(bytes, Options::default()).unwrap()
    }

    /// The rows and contents of a vault that holds these drafts.
    pub(crate) fn vault_of(drafts: Vec<EntryDraft>) -> (Vec<EntrySummary>, BTreeMap<RecordId, EntryDraft>) {
        let mut rows = Vec::new();
        let mut opened = BTreeMap::new();
        for (n, draft) in (0u8..).zip(drafts) {
            let id = RecordId::from_parts(1, &[n; 10]);
            rows.push(EntrySummary {
                id,
                version: Version(1),
                entry_type: draft.entry_type,
                title: draft.title.clone(),
                username: draft.username.clone(),
                urls: draft.urls.clone(),
                folder: draft.folder.clone(),
                tags: draft.tags.clone(),
                favorite: draft.favorite,
                updated_at_ms: 1,
            });
            opened.insert(id, draft);
        }
        (rows, opened)
    }

    #[test]
    fn an_empty_vault_takes_everything() {
        let plan = plan(sample(), &Index::new(Vec::new()), &BTreeMap::new());
        assert_eq!((plan.drafts.len(), plan.preview.new, plan.preview.identical), (24, 24, 0));
        assert!(plan.preview.duplicates.is_empty());
    }

    #[test]
    fn the_same_file_again_writes_nothing() {
        let (rows, opened) = vault_of(sample().entries.into_iter().map(|entry| entry.draft).collect());
        let index = Index::new(rows);
        assert_eq!(index.to_open(&sample().entries).len(), 24);
        let plan = plan(sample(), &index, &opened);
        assert_eq!((plan.preview.new, plan.preview.identical), (0, 24));
    }

    #[test]
    fn another_password_for_the_same_account_is_kept_beside_it_and_shown() {
        let mut drafts: Vec<EntryDraft> = sample().entries.into_iter().map(|entry| entry.draft).collect();
        let mail = drafts.iter_mut().find(|draft| draft.title == "Mail").unwrap();
        mail.username = mail.username.to_uppercase();
        mail.fields.remove(0);
        let (rows, opened) = vault_of(drafts);
        let plan = plan(sample(), &Index::new(rows), &opened);
        assert_eq!((plan.preview.new, plan.preview.identical), (1, 23));
        let duplicate = &plan.preview.duplicates[0];
        assert_eq!((duplicate.source.as_str(), duplicate.title.as_str()), ("item 1", "Mail"));
    }

    #[test]
    fn hosts_are_compared_not_texts() {
        for (url, expected) in [
            ("https://Mail.Example:8443/x", Some("mail.example")),
            ("mail.example/login", Some("mail.example")),
            ("androidapp://com.example", Some("com.example")),
            ("http://192.168.1.1", Some("192.168.1.1")),
            ("^https://[a-z]+", None),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }
}
