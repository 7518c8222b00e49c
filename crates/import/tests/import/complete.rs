//! The rule that every text of a source is found in a draft, or its path stands in the report; checked on random exports.

use clavitor_core::draft::EntryDraft;
use clavitor_core::{limits, secret};
use clavitor_import::{Import, Options, Report, bitwarden, estimated_bytes};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Checks the rule for one export. Panics with the path of what was lost.
pub(crate) fn assert_complete(source: &Value, import: &Import) {
    let check = Check { report: &import.report, entries: &import.entries };
    check.walk(source, "", None);
    for entry in &import.entries {
        let draft = &entry.draft;
        assert!(!draft.title.trim().is_empty() && draft.title.len() <= limits::TITLE_BYTES_MAX);
        assert!(draft.fields.len() <= limits::FIELDS_MAX && draft.urls.len() <= limits::URLS_MAX);
        assert!(draft.fields.iter().all(|field| field.tier >= field.kind.tier_min()));
        assert!(estimated_bytes(draft) <= limits::RECORD_BYTES_MAX + 2 * limits::TITLE_BYTES_MAX);
    }
}

struct Check<'a> {
    report: &'a Report,
    entries: &'a [clavitor_import::ImportedEntry],
}

impl Check<'_> {
    fn walk(&self, value: &Value, path: &str, item: Option<usize>) {
        match value {
            Value::String(text) if !text.is_empty() => {
                assert!(self.landed(text, item) || self.named(path, item), "lost: {path} of item {item:?}");
            }
            Value::Array(list) => {
                for (number, inner) in (1..).zip(list) {
                    let item = if path == "items" { Some(number) } else { item };
                    self.walk(inner, &format!("{path}[]"), item);
                }
            }
            Value::Object(members) => {
                for (key, inner) in members {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.walk(inner, &path, item);
                }
            }
            _ => {}
        }
    }

    fn named(&self, path: &str, item: Option<usize>) -> bool {
        self.report.lines.iter().any(|line| {
            let rest = path.strip_prefix(line.path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
                && item.is_none_or(|item| line.items.contains(&item))
        })
    }

    fn landed(&self, text: &str, item: Option<usize>) -> bool {
        let of_item = |source: &str| item.is_none_or(|item| source == format!("item {item}"));
        self.entries.iter().filter(|entry| of_item(&entry.source)).any(|entry| holds(&entry.draft, text))
    }
}

fn holds(draft: &EntryDraft, text: &str) -> bool {
    let escaped = serde_json::to_string(text).unwrap();
    let lists = draft.urls.iter().chain(&draft.tags);
    let texts = lists.chain([&draft.title, &draft.username, &draft.folder]);
    let time = OffsetDateTime::parse(text, &Rfc3339).ok();
    let time_ms = time.and_then(|t| u64::try_from(t.unix_timestamp_nanos() / 1_000_000).ok());
    texts.into_iter().any(|t| t == text)
        || draft.fields.iter().any(|f| f.name == text || value_holds(&f.value, text, &escaped))
        || time_ms.is_some_and(|ms| ms == draft.created_at_ms)
}

fn value_holds(value: &secret::SecretText, text: &str, escaped: &str) -> bool {
    value.expose() == text || value.expose().contains(escaped)
}

/// Any JSON, not too large.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0u32..8).prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        text(),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn text() -> BoxedStrategy<Value> {
    "[a-zA-Z0-9 äß€\"\\\\\n{}:@/]{0,14}".prop_map(Value::from).boxed()
}

/// Mostly what belongs there, sometimes anything.
fn mostly(valid: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![8 => valid, 1 => Just(Value::Null), 1 => any_json()].boxed()
}

/// An object with some of these members, and now and then one that nobody knows.
fn object(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let known: Vec<_> = members
        .into_iter()
        .map(|(key, value)| (Just(key.to_owned()), prop::option::weighted(0.8, mostly(value))))
        .collect();
    let unknown = prop::collection::vec(("z[a-z]{1,5}", any_json()), 0..2);
    (known, unknown)
        .prop_map(|(known, unknown)| {
            let present = known.into_iter().filter_map(|(key, value)| Some((key, value?)));
            Value::Object(present.chain(unknown).collect::<Map<_, _>>())
        })
        .boxed()
}

fn texts(keys: &[&'static str]) -> Vec<(&'static str, BoxedStrategy<Value>)> {
    keys.iter().map(|key| (*key, text())).collect()
}

fn list(inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop::collection::vec(inner, 0..3).prop_map(Value::from).boxed()
}

fn one_of(values: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::sample::select(values).prop_map(Value::from).boxed()
}

fn number(below: u64) -> BoxedStrategy<Value> {
    (0..below).prop_map(Value::from).boxed()
}

const IDS: &[&str] = &["id-1", "id-2", "id-3"];
const TIMES: &[&str] =
    &["2024-05-01T10:00:00.123Z", "1969-01-01T00:00:00Z", "not a time", "2025-02-03T04:05:06+02:00"];
const URLS: &[&str] =
    &["https://a.example/x", "https://u:pw@b.example:8443/p?q", "androidapp://c.example", "d"];

fn item() -> BoxedStrategy<Value> {
    let uri = object(vec![("uri", one_of(URLS)), ("match", number(8))]);
    let passkey = object(texts(&["credentialId", "keyValue", "rpId", "userHandle", "counter"]));
    let mut login = texts(&["username", "password", "totp"]);
    login.extend([("uris", list(uri)), ("fido2Credentials", list(passkey))]);
    let mut field = texts(&["name", "value"]);
    field.extend([("type", number(6)), ("linkedId", number(500))]);
    let mut item = texts(&["name", "notes"]);
    item.extend([
        ("id", one_of(IDS)),
        ("folderId", one_of(IDS)),
        ("organizationId", text()),
        ("collectionIds", list(one_of(IDS))),
        ("type", number(9)),
        ("reprompt", number(3)),
        ("favorite", any::<bool>().prop_map(Value::from).boxed()),
        ("fields", list(object(field))),
        ("passwordHistory", list(object(texts(&["lastUsedDate", "password"])))),
        ("creationDate", one_of(TIMES)),
        ("revisionDate", one_of(TIMES)),
        ("login", object(login)),
        ("card", object(texts(&["cardholderName", "brand", "number", "expMonth", "expYear", "code"]))),
        ("identity", object(texts(&["firstName", "address3", "email", "ssn", "passportNumber", "username"]))),
        ("sshKey", object(texts(&["privateKey", "publicKey", "keyFingerprint"]))),
        ("secureNote", object(vec![("type", number(2))])),
    ]);
    object(item)
}

fn export() -> BoxedStrategy<Value> {
    let group = || object(vec![("id", one_of(IDS)), ("name", text()), ("externalId", text())]);
    let items = prop::collection::vec(prop_oneof![12 => item(), 1 => any_json()], 0..5);
    let deleted = prop::collection::vec(prop::bool::weighted(0.15), 5);
    (list(group()), list(group()), items, deleted, prop::option::of(any_json()))
        .prop_map(|(folders, collections, mut items, deleted, unknown)| {
            for (item, _) in items.iter_mut().zip(deleted).filter(|(_, deleted)| *deleted) {
                if let Some(item) = item.as_object_mut() {
                    item.insert("deletedDate".to_owned(), json!("2026-01-01T00:00:00Z"));
                }
            }
            let mut top = json!({"encrypted": false, "folders": folders, "items": items});
            if let Some(unknown) = unknown {
                top["collections"] = collections;
                top["zzz"] = unknown;
            }
            top
        })
        .boxed()
}

/// Makes every text differ from every other, so that none is taken for another; what has a fixed form stays.
fn make_unique(value: &mut Value, count: &mut usize) {
    match value {
        Value::String(text) if !text.is_empty() => {
            let fixed = IDS.iter().chain(TIMES).chain(URLS).any(|known| known == text);
            if !fixed && text != "2026-01-01T00:00:00Z" {
                *count += 1;
                text.push_str(&format!("~{count}~"));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| make_unique(inner, count)),
        Value::Object(members) => members.values_mut().for_each(|inner| make_unique(inner, count)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_in_silence(mut source in export(), with_trash in any::<bool>()) {
        make_unique(&mut source, &mut 0);
        let bytes = serde_json::to_vec(&source).unwrap();
        let import = bitwarden::read(&bytes, Options { with_trash }).unwrap();
        assert_complete(&source, &import);
        let skipped = import.report.count(clavitor_import::Level::Skipped);
        prop_assert_eq!(import.entries.len() + skipped, import.report.items_seen);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = bitwarden::read(&bytes, Options::default());
        let mut inside = b"{\"items\":[".to_vec();
        inside.extend(bytes);
        let _ = bitwarden::read(&inside, Options::default());
    }
}

#[test]
fn the_rule_notices_a_loss() {
    let source = json!({"items": [{"type": 1, "name": "a", "notes": "precious"}]});
    let mut import = bitwarden::read(&serde_json::to_vec(&source).unwrap(), Options::default()).unwrap();
    assert_complete(&source, &import);
    import.entries[0].draft.fields.clear();
    assert!(std::panic::catch_unwind(|| assert_complete(&source, &import)).is_err());
}
