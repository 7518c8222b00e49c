//! Whole files: the sample that ships with the project, and a real one where it is present.

use std::path::Path;

use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::{EntryType, FieldKind, Tier};
use clavitor_import::{Import, Level, Options, bitwarden};
use serde_json::{Value, json};

use crate::complete::assert_complete;

const SAMPLE: &[u8] = include_bytes!("../../samples/bitwarden.json");

fn read(source: &Value) -> Import {
    bitwarden::read(&serde_json::to_vec(source).unwrap(), Options::default()).unwrap()
}

fn value<'d>(draft: &'d EntryDraft, name: &str) -> (&'d str, FieldKind, Tier) {
    let field = draft.field(name).unwrap_or_else(|| panic!("no field {name}"));
    (field.value.expose(), field.kind, field.tier)
}

#[test]
fn the_sample_lands_whole() {
    for with_trash in [false, true] {
        let import = bitwarden::read(SAMPLE, Options { with_trash }).unwrap();
        assert_complete(&serde_json::from_slice(SAMPLE).unwrap(), &import);
        assert_eq!(import.entries.len(), if with_trash { 25 } else { 24 });
        assert_eq!(import.report.count(Level::Dropped), 0);
        assert_eq!(import.report.has_loss(), !with_trash, "only the trash is left behind");
    }
}

#[test]
fn the_report_of_the_sample() {
    let import = bitwarden::read(SAMPLE, Options::default()).unwrap();
    insta::assert_json_snapshot!(import.report);
}

#[test]
fn the_real_export_lands_whole() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures/bitwarden/keepassxc_bitwarden_export.json");
    let Ok(bytes) = std::fs::read(&path) else {
        println!("SKIPPED the_real_export_lands_whole: fixture not present at {}", path.display());
        return;
    };
    let import = bitwarden::read(&bytes, Options::default()).unwrap();
    assert_complete(&serde_json::from_slice(&bytes).unwrap(), &import);
    assert_eq!(import.entries.len(), import.report.items_seen);
    assert!(!import.report.has_loss(), "{:?}", import.report);
    let types: Vec<EntryType> = import.entries.iter().map(|entry| entry.draft.entry_type).collect();
    assert_eq!(types, [EntryType::Note, EntryType::Card, EntryType::Identity, EntryType::Login]);
}

#[test]
fn a_login_goes_to_its_places() {
    let import = read(&json!({"encrypted": false, "folders": [{"id": "f", "name": "A/B"}], "items": [{
        "id": "1", "folderId": "f", "type": 1, "name": "Site", "favorite": true, "reprompt": 1, "notes": "n",
        "creationDate": "2024-01-01T00:00:00.500Z", "revisionDate": "2024-01-02T00:00:00Z",
        "login": {"username": "ann", "password": "pw", "totp": "SEED",
            "uris": [{"uri": "https://x.example", "match": null}, {"uri": "https://y.example", "match": 3}],
            "fido2Credentials": [{"credentialId": "c", "keyValue": "k", "unheardOf": [1]}]},
        "passwordHistory": [{"lastUsedDate": "2023-01-01T00:00:00Z", "password": "old"}],
        "fields": [{"name": "t", "value": "v", "type": 0}, {"name": "h", "value": "s", "type": 1},
            {"name": "b", "value": "true", "type": 2}, {"name": "l", "value": null, "type": 3, "linkedId": 101}]
    }]}));
    let entry = &import.entries[0];
    let draft = &entry.draft;
    assert_eq!(
        (draft.title.as_str(), draft.username.as_str(), draft.folder.as_str()),
        ("Site", "ann", "A/B")
    );
    assert_eq!((draft.urls.len(), draft.favorite, draft.created_at_ms), (2, true, 1_704_067_200_500));
    assert_eq!((entry.source.as_str(), entry.revised_at_ms), ("item 1", Some(1_704_153_600_000)));
    let expected = [
        ("password", ("pw", FieldKind::Password, Tier::Credential)),
        ("totp", ("SEED", FieldKind::Totp, Tier::Credential)),
        ("notes", ("n", FieldKind::Note, Tier::Credential)),
        ("t", ("v", FieldKind::Text, Tier::Credential)),
        ("h", ("s", FieldKind::Concealed, Tier::Credential)),
        ("b", ("true", FieldKind::Boolean, Tier::Credential)),
        ("l", ("linked to password", FieldKind::Text, Tier::Vault)),
        ("match of url 2", ("exact", FieldKind::Text, Tier::Vault)),
        ("ask again", ("true", FieldKind::Boolean, Tier::Vault)),
    ];
    for (name, expected) in expected {
        assert_eq!(value(draft, name), expected, "{name}");
    }
    let (history, kind, tier) = value(draft, "password history");
    assert!(history.contains("\"old\"") && kind == FieldKind::Json && tier == Tier::Credential);
    let (passkey, kind, tier) = value(draft, "passkey");
    assert!(passkey.contains("unheardOf") && kind == FieldKind::Passkey && tier == Tier::Credential);
}

#[test]
fn numbers_of_cards_and_documents_are_for_the_owner_alone() {
    let import = read(&json!({"items": [
        {"type": 3, "name": "c", "card": {"number": "4111", "code": "123", "brand": "Visa", "expMonth": 4}},
        {"type": 4, "name": "i", "identity": {"ssn": "1", "passportNumber": "2", "licenseNumber": "3", "email": "e",
            "username": "u"}},
        {"type": 5, "name": "k", "sshKey": {"privateKey": "P", "publicKey": "Q", "keyFingerprint": "F"}},
    ]}));
    let [card, identity, key] = [0, 1, 2].map(|i| &import.entries[i].draft);
    assert_eq!(value(card, "card number"), ("4111", FieldKind::CardNumber, Tier::Identity));
    assert_eq!(value(card, "security code"), ("123", FieldKind::CardCode, Tier::Identity));
    assert_eq!(
        value(card, "expiry month"),
        ("4", FieldKind::Text, Tier::Credential),
        "a number is taken as its text"
    );
    for name in ["social security number", "passport number", "licence number"] {
        let (_, kind, tier) = value(identity, name);
        assert_eq!((kind, tier), (FieldKind::GovernmentId, Tier::Identity), "{name}");
    }
    assert_eq!(identity.username, "u");
    assert_eq!(value(key, "private key"), ("P", FieldKind::PrivateKey, Tier::Credential));
    assert_eq!(value(key, "public key").2, Tier::Vault);
}

#[test]
fn an_organisation_has_collections_instead_of_folders() {
    let import = read(&json!({"encrypted": false,
        "collections": [{"id": "a", "organizationId": "o", "name": "Team/Ops", "externalId": "x"},
            {"id": "b", "organizationId": "o", "name": "All", "externalId": null},
            {"id": "c", "organizationId": "o", "name": "Nobody", "externalId": null}],
        "items": [{"type": 2, "name": "n", "collectionIds": ["a", "b", "gone"], "organizationId": "o"}]}));
    let draft = &import.entries[0].draft;
    assert_eq!((draft.folder.as_str(), draft.tags.as_slice()), ("Team/Ops", ["All".to_owned()].as_slice()));
    let named = |path: &str, level| import.report.lines.iter().any(|l| l.path == path && l.level == level);
    assert!(named("collections[].name", Level::Dropped), "the empty collection");
    assert!(named("items[].collectionIds", Level::Moved), "the further one and the unknown id");
}

#[test]
fn a_url_with_a_log_in_is_not_left_to_the_server() {
    let import = read(&json!({"items": [{"type": 1, "name": "n",
        "login": {"uris": [{"uri": "https://ann:hunter2@x.example/p"}]}}]}));
    let draft = &import.entries[0].draft;
    assert_eq!(draft.urls, ["https://x.example/p"]);
    assert_eq!(value(draft, "url with log-in").2, Tier::Credential);
}

#[test]
fn the_trash_is_left_behind_unless_asked_for() {
    let source = json!({"items": [{"type": 2, "name": "n", "deletedDate": "2026-01-01T00:00:00Z"}]});
    let import = read(&source);
    assert_eq!((import.entries.len(), import.report.count(Level::Skipped)), (0, 1));
    assert!(import.report.has_loss());
    let bytes = serde_json::to_vec(&source).unwrap();
    let import = bitwarden::read(&bytes, Options { with_trash: true }).unwrap();
    assert_eq!(import.entries[0].draft.tags, ["trash"]);
    assert!(!import.report.has_loss());
}
