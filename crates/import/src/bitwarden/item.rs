//! One item: what all types share.

use std::cell::RefCell;
use std::collections::BTreeSet;

use clavitor_core::entry::{EntryType, FieldKind, Tier};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::{Groups, ID_ONLY, fields, kinds};
use crate::builder::Builder;
use crate::json::Json;
use crate::model::{ImportedEntry, Options};
use crate::report::{Collector, Level};
use crate::walk::{Object, Scope, reason};

const PATH: &str = "items[]";
const TYPE_ONLY: &str = "the type of the item is the type of the entry";
const TRASHED: &str = "it lies in the source's trash";
const TRASHED_KEPT: &str = "it lay in the source's trash; imported with the tag \"trash\"";
const NOT_AN_ITEM: &str = "not an object, so not an item";
const SAME_ID: &str = "another item has the same id; both are imported";
const NO_NAME: &str = "the item has no name; the entry got one of ours";
const NO_FOLDER: &str = "no folder or collection has this id";
const SECOND_COLLECTION: &str = "an entry lies in one folder; this collection became a tag";
const ASK_AGAIN: &str = "kept as a field; asking again before a value is shown is not enforced";
const UNKNOWN_TYPE: &str = "a type of item unknown to this version; imported as an entry of type \"other\"";

/// Reads one item; `None` where it is skipped, which is then reported.
pub(super) fn read(
    number: usize,
    json: Json,
    options: Options,
    groups: &mut Groups,
    seen: &mut BTreeSet<String>,
    collector: &RefCell<Collector>,
) -> Option<ImportedEntry> {
    let scope = Scope::new(collector, Some(number));
    if !matches!(json, Json::Object(_)) {
        scope.note(Level::Skipped, PATH, NOT_AN_ITEM);
        return None;
    }
    let mut item = Object::open(&scope, PATH.to_owned(), json)?;
    let deleted = item.text("deletedDate");
    if deleted.is_some() && !options.with_trash {
        item.discard();
        scope.note(Level::Skipped, PATH, TRASHED);
        return None;
    }
    let mut entry = Builder::new(&scope, entry_type(&mut item, &scope));
    ids(&mut item, &scope, seen);
    title(&mut item, &mut entry, number);
    if item.bool("favorite") == Some(true) {
        entry.favorite();
    }
    kinds::read_all(&mut item, &mut entry);
    fields::notes(&mut item, &mut entry);
    fields::custom(&mut item, &mut entry);
    fields::history(&mut item, &mut entry);
    place(&mut item, &mut entry, groups);
    let revised_at_ms = dates(&mut item, &mut entry, deleted);
    drop(item);
    entry.keep_leftovers("items[].");
    Some(ImportedEntry { draft: entry.finish(), source: format!("item {number}"), revised_at_ms })
}

fn entry_type(item: &mut Object<'_, '_>, scope: &Scope<'_>) -> EntryType {
    let known = match item.number("type") {
        Some(1) => EntryType::Login,
        Some(2) => EntryType::Note,
        Some(3) => EntryType::Card,
        Some(4) => EntryType::Identity,
        Some(5) => EntryType::SshKey,
        Some(_) => {
            scope.note(Level::Moved, "items[].type", UNKNOWN_TYPE);
            return EntryType::Other;
        }
        None => return EntryType::Other,
    };
    scope.note(Level::Internal, "items[].type", TYPE_ONLY);
    known
}

fn ids(item: &mut Object<'_, '_>, scope: &Scope<'_>, seen: &mut BTreeSet<String>) {
    if let Some(id) = item.text("id") {
        let repeated = !seen.insert(id.to_string());
        let (level, why) = if repeated { (Level::Moved, SAME_ID) } else { (Level::Internal, ID_ONLY) };
        scope.note(level, "items[].id", why);
    }
    item.internal("organizationId", ID_ONLY);
}

fn title(item: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>, number: usize) {
    let path = item.at("name");
    match item.text("name") {
        Some(name) if !name.trim().is_empty() => entry.title(&path, name),
        _ => {
            entry.scope.note(Level::Moved, &path, NO_NAME);
            entry.title(&path, Zeroizing::new(format!("Unnamed item {number}")));
        }
    }
}

/// Milliseconds since 1970 of an RFC 3339 time.
fn time_ms(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Takes the times; answers when the source says that the item last changed.
fn dates(
    item: &mut Object<'_, '_>,
    entry: &mut Builder<'_, '_>,
    deleted: Option<Zeroizing<String>>,
) -> Option<u64> {
    if let Some(created) = item.text("creationDate") {
        match time_ms(&created) {
            Some(ms) => entry.created_at_ms(ms),
            None => entry.scope.leave(item.at("creationDate"), reason::UNEXPECTED, Json::Text(created)),
        }
    }
    if let Some(deleted) = deleted {
        let path = item.at("deletedDate");
        entry.scope.note(Level::Moved, &path, TRASHED_KEPT);
        entry.tag(&path, Zeroizing::new("trash".to_owned()));
        entry.field(&path, "deleted in Bitwarden", FieldKind::Date, Tier::Vault, deleted);
    }
    let revised = item.text("revisionDate")?;
    let ms = time_ms(&revised);
    let path = item.at("revisionDate");
    entry.field(&path, "last changed in Bitwarden", FieldKind::Date, Tier::Vault, revised);
    ms
}

/// Folder, collections, and asking again.
fn place(item: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>, groups: &mut Groups) {
    let mut placed = false;
    if let Some(id) = item.text("folderId") {
        let path = item.at("folderId");
        match groups.name(&id) {
            Some(name) => {
                entry.folder(&path, name);
                entry.scope.note(Level::Internal, &path, ID_ONLY);
                placed = true;
            }
            None => entry.scope.leave(path, NO_FOLDER, Json::Text(id)),
        }
    }
    let path = item.at("collectionIds");
    for json in item.list("collectionIds") {
        let Json::Text(id) = json else {
            entry.scope.leave(path.clone(), reason::UNEXPECTED, json);
            continue;
        };
        match groups.name(&id) {
            Some(name) if placed => {
                entry.tag(&path, name);
                entry.scope.note(Level::Moved, &path, SECOND_COLLECTION);
            }
            Some(name) => {
                entry.folder(&path, name);
                entry.scope.note(Level::Internal, &path, ID_ONLY);
                placed = true;
            }
            None => entry.scope.leave(path.clone(), NO_FOLDER, Json::Text(id)),
        }
    }
    match item.number("reprompt") {
        None | Some(0) => {}
        Some(mode) => {
            let value = if mode == 1 { "true".to_owned() } else { mode.to_string() };
            let path = item.at("reprompt");
            entry.scope.note(Level::Moved, &path, ASK_AGAIN);
            entry.field(&path, "ask again", FieldKind::Boolean, Tier::Vault, Zeroizing::new(value));
        }
    }
}
