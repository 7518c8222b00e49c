//! Bitwarden's plain JSON, of a person or of an organisation. Encrypted exports and CSV are recognised and refused.
//!
//! Where things go: title, URLs, user name, folder, favourite and notes about matching lie in the vault tier; every
//! other value that was encrypted in the source lies in the credential tier or above, numbers of cards and documents in
//! the identity tier. What no rule takes is kept as JSON in the identity tier and reported.
//!
//! Source: <https://bitwarden.com/help/condition-bitwarden-import/>

mod fields;
mod item;
mod kinds;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use clavitor_core::limits;
use zeroize::Zeroizing;

use crate::error::ImportError;
use crate::json::{self, Json};
use crate::model::{Import, ImportedEntry, Options};
use crate::report::{Collector, Level};
use crate::walk::{Object, Scope, reason};

/// The name of the format.
pub const FORMAT: &str = "bitwarden-json";

const ID_ONLY: &str = "an id that means something only inside Bitwarden";
const EMPTY_FOLDER: &str = "no entry lies in it, and folders exist only through their entries";
const SAME_ID: &str = "another folder has the same id; the first one counts";

/// Reads an export.
///
/// - `bytes`: the whole file, at most `limits::IMPORT_BYTES_MAX`; a UTF-8 byte order mark is skipped.
/// - returns: at most `limits::IMPORT_ENTRIES_MAX` entries, in the order of the file, and the report.
///
/// # Errors
/// The file as a whole is not readable; one odd value never is a reason.
pub fn read(bytes: &[u8], options: Options) -> Result<Import, ImportError> {
    let Json::Object(mut top) = json::parse(text_of(bytes)?)? else {
        return Err(ImportError::NotBitwarden { missing: "the top is not an object" });
    };
    refuse_encrypted(&top)?;
    let Some(index) = top.iter().rposition(|(key, _)| key == "items") else {
        return Err(ImportError::NotBitwarden { missing: "there is no list \"items\"" });
    };
    let (_, Json::List(items)) = top.remove(index) else {
        return Err(ImportError::WrongType { path: "items", expected: "a list" });
    };
    if items.len() > limits::IMPORT_ENTRIES_MAX {
        return Err(ImportError::TooManyEntries { count: items.len() });
    }
    let collector = RefCell::default();
    let (entries, items_seen) = read_parts(top, items, options, &collector);
    Ok(Import { format: FORMAT, entries, report: collector.into_inner().finish(items_seen) })
}

fn read_parts(
    top: Vec<(String, Json)>,
    items: Vec<Json>,
    options: Options,
    collector: &RefCell<Collector>,
) -> (Vec<ImportedEntry>, usize) {
    let scope = Scope::new(collector, None);
    let mut groups = Groups::default();
    if let Some(mut file) = Object::open(&scope, String::new(), Json::Object(top)) {
        // Both are false here; anything but a truth value is left over and reported.
        file.bool("encrypted");
        file.bool("passwordProtected");
        for json in file.list("folders") {
            groups.read(&scope, "folders[]", json);
        }
        for json in file.list("collections") {
            groups.read(&scope, "collections[]", json);
        }
    }
    let items_seen = items.len();
    let mut seen = BTreeSet::new();
    let mut entries = Vec::with_capacity(items_seen);
    for (number, json) in (1..).zip(items) {
        entries.extend(item::read(number, json, options, &mut groups, &mut seen, collector));
    }
    for unused in groups.names.values().filter(|group| !group.used) {
        scope.note(Level::Dropped, unused.path, EMPTY_FOLDER);
    }
    for leftover in scope.take_leftovers() {
        scope.note(Level::Dropped, &leftover.path, reason::NOWHERE);
    }
    (entries, items_seen)
}

/// The text of a file, or what it is instead.
fn text_of(bytes: &[u8]) -> Result<&str, ImportError> {
    if bytes.len() > limits::IMPORT_BYTES_MAX {
        return Err(ImportError::TooLarge { bytes: bytes.len() });
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Err(ImportError::Zip);
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(ImportError::Utf16);
    }
    let mark = if bytes.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 };
    let text = std::str::from_utf8(&bytes[mark..])
        .map_err(|error| ImportError::NotUtf8 { at: mark + error.valid_up_to() })?;
    match text.trim_start().chars().next() {
        None => Err(ImportError::Empty),
        Some('{' | '[') => Ok(text),
        Some(_) => Err(not_json(text)),
    }
}

/// What a text is that does not start like JSON. Only its first line is looked at.
fn not_json(text: &str) -> ImportError {
    let header = text.trim_start().lines().next().unwrap_or_default().to_ascii_lowercase();
    let columns: Vec<&str> = header.split([',', ';', '\t']).map(|c| c.trim().trim_matches('"')).collect();
    let known = ["login_uri", "login_password", "username", "password", "url", "name", "title", "folder"];
    let hits = columns.iter().filter(|column| known.contains(column)).count();
    if columns.len() >= 3 && hits >= 2 { ImportError::Csv } else { ImportError::Unknown }
}

/// Refuses what is encrypted, by what the file says of itself.
fn refuse_encrypted(top: &[(String, Json)]) -> Result<(), ImportError> {
    let says = |key: &str| top.iter().any(|(k, value)| k == key && matches!(value, Json::Bool(true)));
    match (says("encrypted"), says("passwordProtected")) {
        (_, true) => Err(ImportError::EncryptedWithPassword),
        (true, false) => Err(ImportError::AccountRestricted),
        (false, false) => Ok(()),
    }
}

/// A folder or collection.
struct Group {
    name: String,
    path: &'static str,
    used: bool,
}

/// Folders and collections by their ids.
#[derive(Default)]
struct Groups {
    names: BTreeMap<String, Group>,
}

impl Groups {
    fn read(&mut self, scope: &Scope<'_>, path: &'static str, json: Json) {
        let Some(mut group) = Object::open(scope, path.to_owned(), json) else { return };
        group.internal("organizationId", ID_ONLY);
        group.internal("externalId", ID_ONLY);
        let (id, name) = (group.text("id"), group.text("name"));
        let path = if path.starts_with("folders") { "folders[].name" } else { "collections[].name" };
        if id.is_some() {
            scope.note(Level::Internal, &group.at("id"), ID_ONLY);
        }
        let Some(mut name) = name else { return };
        let Some(id) = id else {
            scope.note(Level::Dropped, path, EMPTY_FOLDER);
            return;
        };
        if self.names.contains_key(id.as_str()) {
            scope.note(Level::Dropped, path, SAME_ID);
        } else {
            let group = Group { name: std::mem::take(&mut *name), path, used: false };
            self.names.insert(id.to_string(), group);
        }
    }

    /// The name of a group that an entry lies in.
    fn name(&mut self, id: &str) -> Option<Zeroizing<String>> {
        let group = self.names.get_mut(id)?;
        group.used = true;
        Some(Zeroizing::new(group.name.clone()))
    }
}
