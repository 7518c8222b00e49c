//! That an entry opens as it was sealed, and that nothing in it can be changed, moved or replayed unnoticed.

use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::{Entry, EntryType, FieldId, FieldKind, Tier};
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::order::Version;
use clavitor_core::secret::SecretText;
use serde_json::Value;

use super::manifest::Manifest;
use super::open::unwrap_data_key;
use super::place::{field_binding, manifest_binding};
use super::*;
use crate::sealed;
use crate::vault_key::VaultKey;

const VAULT: VaultId = VaultId::from_bytes([1; 16]);
const ENTRY: RecordId = RecordId::from_bytes([2; 16]);
const OTHER: RecordId = RecordId::from_bytes([3; 16]);

fn place(entry_id: RecordId, version: u64) -> Place {
    Place { vault_id: VAULT, entry_id, version: Version(version) }
}

fn draft() -> EntryDraft {
    let mut draft = EntryDraft::new(EntryType::Login, "Bank");
    draft.urls = vec!["https://bank.example".into(), "https://www.bank.example".into()];
    draft.username = "ada".into();
    draft.tags = vec!["money".into()];
    draft.folder = "home/finance".into();
    draft.favorite = true;
    draft.created_at_ms = 1_000;
    draft.push("branch", FieldKind::Text, "main street".into());
    draft.push("password", FieldKind::Password, "hunter2".into());
    draft.push("totp", FieldKind::Totp, "JBSWY3DPEHPK3PXP".into());
    draft.push("pin", FieldKind::Pin, "1234".into());
    draft.push("card code", FieldKind::CardCode, "987".into());
    draft
}

fn create(key: &VaultKey, entry_id: RecordId) -> Entry {
    seal(key, place(entry_id, 1), None, &draft(), None).unwrap()
}

fn values(draft: &EntryDraft) -> Vec<(Option<FieldId>, &str, &str)> {
    draft.fields.iter().map(|f| (f.id, f.name.as_str(), f.value.expose())).collect()
}

#[track_caller]
fn refused(key: &VaultKey, place: Place, entry: &Entry) -> OpenError {
    open(key, place, entry).expect_err("an altered entry must not open")
}

#[test]
fn an_entry_opens_as_it_was_sealed() {
    let key = VaultKey::generate();
    let entry = create(&key, ENTRY);
    let opened = open(&key, place(ENTRY, 1), &entry).unwrap();
    let sealed = draft();
    assert_eq!(
        values(&opened),
        [
            (Some(FieldId(1)), "branch", "main street"),
            (Some(FieldId(2)), "password", "hunter2"),
            (Some(FieldId(3)), "totp", "JBSWY3DPEHPK3PXP"),
            (Some(FieldId(4)), "pin", "1234"),
            (Some(FieldId(5)), "card code", "987"),
        ]
    );
    assert_eq!(
        (opened.entry_type, opened.title, opened.urls),
        (sealed.entry_type, sealed.title, sealed.urls)
    );
    assert_eq!((opened.username, opened.tags, opened.folder), (sealed.username, sealed.tags, sealed.folder));
    assert_eq!((opened.favorite, opened.created_at_ms), (true, 1_000));
    let json = serde_json::to_string(&entry).unwrap();
    for secret in ["hunter2", "JBSWY3DPEHPK3PXP", "1234", "987"] {
        assert!(!json.contains(&format!("\"{secret}\"")), "a secret value lies open");
    }
}

#[test]
fn an_update_keeps_numbers_and_the_data_key_and_seals_anew() {
    let key = VaultKey::generate();
    let first = create(&key, ENTRY);
    let mut changed = open(&key, place(ENTRY, 1), &first).unwrap();
    changed.fields.retain(|f| f.name != "card code");
    changed.fields[1].value = SecretText::new("correct".into());
    changed.push("api", FieldKind::ApiKey, "k-1".into());
    let second = seal(&key, place(ENTRY, 2), Some(&first), &changed, None).unwrap();
    assert_eq!(second.keys, first.keys);
    assert!(second.sealed.iter().all(|s| s.sealed_at == Version(2)));
    let opened = open(&key, place(ENTRY, 2), &second).unwrap();
    assert_eq!(opened.field("password").unwrap().value.expose(), "correct");
    assert_eq!(opened.field("api").unwrap().id, Some(FieldId(6)), "the number 5 is never reused");

    let mut third = open(&key, place(ENTRY, 2), &second).unwrap();
    third.fields.retain(|f| f.name != "api");
    let third = seal(&key, place(ENTRY, 3), Some(&second), &third, None).unwrap();
    let mut fourth = open(&key, place(ENTRY, 3), &third).unwrap();
    fourth.push("again", FieldKind::ApiKey, "k-2".into());
    let fourth = seal(&key, place(ENTRY, 4), Some(&third), &fourth, None).unwrap();
    let opened = open(&key, place(ENTRY, 4), &fourth).unwrap();
    assert_eq!(
        opened.field("again").unwrap().id,
        Some(FieldId(7)),
        "nor the number of a field since removed"
    );
}

#[test]
fn a_draft_is_refused_where_it_would_leak_or_break() {
    let key = VaultKey::generate();
    let sealed = |change: &dyn Fn(&mut EntryDraft), stored: Option<&Entry>| {
        let mut draft = draft();
        change(&mut draft);
        let version = if stored.is_some() { 2 } else { 1 };
        seal(&key, place(ENTRY, version), stored, &draft, None)
    };
    let low = sealed(&|d| d.fields[1].tier = Tier::Vault, None).unwrap_err();
    assert!(matches!(low, SealError::TierTooLow { needed: Tier::Credential, .. }), "{low}");
    assert!(!low.to_string().contains("hunter2"));
    let low = sealed(&|d| d.fields[3].tier = Tier::Credential, None).unwrap_err();
    assert!(matches!(low, SealError::TierTooLow { needed: Tier::Identity, .. }), "{low}");
    assert!(matches!(sealed(&|d| d.title = " ".into(), None), Err(SealError::Invalid(_))));
    let stored = create(&key, ENTRY);
    let unknown = sealed(&|d| d.fields[0].id = Some(FieldId(77)), Some(&stored)).unwrap_err();
    assert_eq!(unknown, SealError::UnknownField(FieldId(77)));
    let twice = |d: &mut EntryDraft| d.fields[..2].iter_mut().for_each(|f| f.id = Some(FieldId(2)));
    assert!(matches!(sealed(&twice, Some(&stored)), Err(SealError::Invalid(_))));
    let copy = sealed(&|d| d.fields[0].id = Some(FieldId(77)), None).unwrap();
    assert_eq!(copy.vault.fields[0].id, FieldId(1), "a copy numbers its fields anew");
    let higher = sealed(&|d| d.fields[0].tier = Tier::Identity, None).unwrap();
    let opened = open(&key, place(ENTRY, 1), &higher).unwrap();
    assert_eq!(opened.fields[0].value.expose(), "main street");
}

#[test]
fn no_byte_of_any_sealed_part_can_be_changed() {
    let key = VaultKey::generate();
    let entry = create(&key, ENTRY);
    let at = place(ENTRY, 1);
    let mut flips = 0;
    let mut flip = |part: &dyn Fn(&mut Entry) -> &mut Vec<u8>| {
        let length = part(&mut entry.clone()).len();
        for i in 0..length {
            let mut altered = entry.clone();
            part(&mut altered)[i] ^= 1;
            refused(&key, at, &altered);
            flips += 1;
        }
        let mut cut = entry.clone();
        part(&mut cut).pop();
        refused(&key, at, &cut);
    };
    flip(&|e| &mut e.manifest);
    flip(&|e| &mut e.keys[0].wrapped);
    for i in 0..entry.sealed.len() {
        flip(&|e| &mut e.sealed[i].ciphertext);
    }
    assert!(flips > 500, "{flips}");
}

/// Every change of one value, every removal, doubling and exchange of list items, in a JSON document.
fn mutations(value: &Value, out: &mut Vec<Value>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let mut changed = Vec::new();
                mutations(inner, &mut changed);
                for change in changed {
                    let mut map = map.clone();
                    map.insert(name.clone(), change);
                    out.push(Value::Object(map));
                }
                let mut without = map.clone();
                without.remove(name);
                out.push(Value::Object(without));
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let mut changed = Vec::new();
                mutations(item, &mut changed);
                for change in changed {
                    let mut items = items.clone();
                    items[i] = change;
                    out.push(Value::Array(items));
                }
                let (mut fewer, mut more) = (items.clone(), items.clone());
                fewer.remove(i);
                more.push(item.clone());
                out.extend([Value::Array(fewer), Value::Array(more)]);
                let mut turned = items.clone();
                turned.swap(i, (i + 1) % items.len());
                out.push(Value::Array(turned));
            }
        }
        Value::String(text) => {
            out.push(Value::String(format!("{text}x")));
            for name in
                ["", "login", "note", "text", "password", "concealed", "vault", "credential", "identity"]
            {
                out.push(Value::String(name.to_owned()));
            }
        }
        Value::Number(number) => out.push((number.as_u64().unwrap() + 1).into()),
        Value::Bool(flag) => out.push((!flag).into()),
        Value::Null => {}
    }
}

#[test]
fn nothing_that_a_server_can_say_of_an_entry_can_be_changed() {
    let key = VaultKey::generate();
    let entry = create(&key, ENTRY);
    let mut changed = Vec::new();
    mutations(&serde_json::to_value(&entry).unwrap(), &mut changed);
    let mut tried = 0;
    for json in changed {
        let Ok(altered) = serde_json::from_value::<Entry>(json) else { continue };
        let reordered = {
            let (mut a, mut b) = (altered.clone(), entry.clone());
            a.sealed.sort_by_key(|s| s.id);
            b.sealed.sort_by_key(|s| s.id);
            a == b
        };
        if reordered {
            continue; // the same parts; the order of sealed values says nothing
        }
        refused(&key, place(ENTRY, 1), &altered);
        tried += 1;
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn parts_cannot_move_between_entries_fields_or_tiers() {
    let key = VaultKey::generate();
    let (one, two) = (create(&key, ENTRY), create(&key, OTHER));
    let at = place(ENTRY, 1);
    assert_eq!(refused(&key, at, &two), OpenError::Tampered { what: "wrapped key" });
    assert_eq!(
        refused(&key, at, &Entry { keys: two.keys.clone(), ..one.clone() }),
        OpenError::Tampered { what: "wrapped key" }
    );
    assert_eq!(
        refused(&key, at, &Entry { manifest: two.manifest.clone(), ..one.clone() }),
        OpenError::Tampered { what: "manifest" }
    );
    refused(&key, at, &Entry { sealed: two.sealed.clone(), ..one.clone() });
    for i in 0..one.sealed.len() {
        let mut moved = one.clone();
        moved.sealed[i] = two.sealed[i].clone();
        assert_eq!(refused(&key, at, &moved), OpenError::Tampered { what: "fields" }, "from the other entry");
        for j in 0..i {
            let mut swapped = one.clone();
            let ciphertext = swapped.sealed[i].ciphertext.clone();
            swapped.sealed[i].ciphertext = std::mem::replace(&mut swapped.sealed[j].ciphertext, ciphertext);
            assert_eq!(refused(&key, at, &swapped), OpenError::Tampered { what: "fields" }, "{i} and {j}");
        }
    }
    let elsewhere = Place { vault_id: VaultId::NIL, ..at };
    assert_eq!(refused(&key, elsewhere, &one), OpenError::Tampered { what: "wrapped key" });
    assert_eq!(
        refused(&VaultKey::generate(), at, &one),
        OpenError::Tampered { what: "wrapped key" },
        "another vault key"
    );
}

#[test]
fn an_older_version_cannot_be_replayed_into_a_newer_one() {
    let key = VaultKey::generate();
    let first = create(&key, ENTRY);
    let draft = open(&key, place(ENTRY, 1), &first).unwrap();
    let second = seal(&key, place(ENTRY, 2), Some(&first), &draft, None).unwrap();
    let at = place(ENTRY, 2);
    assert_eq!(refused(&key, at, &first), OpenError::Tampered { what: "manifest" });
    assert_eq!(refused(&key, place(ENTRY, 1), &second), OpenError::Tampered { what: "manifest" });
    let old_manifest = Entry { manifest: first.manifest.clone(), ..second.clone() };
    assert_eq!(refused(&key, at, &old_manifest), OpenError::Tampered { what: "manifest" });
    for i in 0..second.sealed.len() {
        let mut replayed = second.clone();
        replayed.sealed[i] = first.sealed[i].clone();
        assert_eq!(refused(&key, at, &replayed), OpenError::Tampered { what: "fields" });
        let mut replayed = second.clone();
        replayed.sealed[i].ciphertext = first.sealed[i].ciphertext.clone();
        assert_eq!(refused(&key, at, &replayed), OpenError::Tampered { what: "fields" });
    }
    let refused = seal(&key, place(ENTRY, 3), Some(&first), &draft, None);
    assert_eq!(refused, Err(SealError::Stored(OpenError::Tampered { what: "manifest" })), "nor sealed again");
}

#[test]
fn the_seals_hold_without_the_manifest() {
    // Whoever has the data key can make a manifest for whatever they like; identity fields must hold all the same.
    let key = VaultKey::generate();
    let (one, two) = (create(&key, ENTRY), create(&key, OTHER));
    let at = place(ENTRY, 1);
    let data_key = unwrap_data_key(&key, at, &one.keys).unwrap();
    let forged = |change: &dyn Fn(&mut Entry)| {
        let mut entry = one.clone();
        change(&mut entry);
        let manifest = Manifest::of(ENTRY, Version(1), &entry, 9).unwrap();
        entry.manifest =
            sealed::seal(&data_key, &manifest_binding(at), &minicbor::to_vec(&manifest).unwrap());
        entry
    };
    open(&key, at, &forged(&|_| {})).expect("a manifest made so is a good one");
    let value = OpenError::Tampered { what: "sealed value" };
    for i in 0..one.sealed.len() {
        let moved = forged(&|e| e.sealed[i].ciphertext = two.sealed[i].ciphertext.clone());
        assert_eq!(refused(&key, at, &moved), value, "field {i} of another entry");
        let aged = forged(&|e| e.sealed[i].sealed_at = Version(7));
        assert_eq!(refused(&key, at, &aged), value, "field {i} under another version");
    }
    let swapped = forged(&|e| {
        let (a, b) = (e.sealed[2].ciphertext.clone(), e.sealed[3].ciphertext.clone());
        (e.sealed[2].ciphertext, e.sealed[3].ciphertext) = (b, a);
    });
    assert_eq!(refused(&key, at, &swapped), value, "two identity fields exchanged");
    let made = forged(&|e| {
        let binding = field_binding(at, e.sealed[2].id, Tier::Identity, Version(1));
        e.sealed[2].ciphertext = sealed::seal(&data_key, &binding, b"0000");
    });
    assert_eq!(refused(&key, at, &made), value, "an identity field sealed under the data key");
}

#[test]
fn another_generation_is_named() {
    let key = VaultKey::generate();
    let mut entry = create(&key, ENTRY);
    entry.keys[0].generation = 2;
    assert_eq!(refused(&key, place(ENTRY, 1), &entry), OpenError::OtherGeneration { found: 2, have: 1 });
    entry.keys.clear();
    assert_eq!(refused(&key, place(ENTRY, 1), &entry), OpenError::Tampered { what: "wrapped key" });
}
