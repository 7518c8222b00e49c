//! What every type of item may have beside its own block: notes, custom fields, earlier passwords.

use clavitor_core::entry::{FieldKind, Tier};
use zeroize::Zeroizing;

use crate::builder::Builder;
use crate::json::Json;
use crate::report::Level;
use crate::walk::{Object, reason};

const LINKED: &str = "a linked field is kept as a text that says what it is linked to";
const UNKNOWN_KIND: &str = "a type of custom field unknown to this version; kept concealed";

/// The notes.
pub(super) fn notes(item: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>) {
    if let Some(notes) = item.text("notes") {
        entry.field(&item.at("notes"), "notes", FieldKind::Note, Tier::Credential, notes);
    }
}

/// Custom fields, in their order.
pub(super) fn custom(item: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>) {
    let path = format!("{}[]", item.at("fields"));
    for (number, json) in (1..).zip(item.list("fields")) {
        if let Some(mut field) = Object::open(entry.scope, path.clone(), json) {
            custom_field(&mut field, entry, number);
        }
    }
}

fn custom_field(field: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>, number: usize) {
    let name = match field.text("name") {
        Some(name) => entry.short(&field.at("name"), name),
        None => format!("field {number}"),
    };
    let value = field.text("value");
    let kind = match field.number("type") {
        None | Some(0) => FieldKind::Text,
        Some(1) => FieldKind::Concealed,
        Some(2) if value.as_deref().is_none_or(|v| matches!(v.as_str(), "true" | "false")) => {
            FieldKind::Boolean
        }
        Some(2) => FieldKind::Text,
        Some(3) => return linked(field, entry, &name, value),
        Some(_) => {
            entry.scope.note(Level::Moved, &field.at("type"), UNKNOWN_KIND);
            FieldKind::Concealed
        }
    };
    // A field without a value still is something that a person made: it lands empty.
    entry.field(field.path(), &name, kind, Tier::Credential, value.unwrap_or_default());
}

fn linked(
    field: &mut Object<'_, '_>,
    entry: &mut Builder<'_, '_>,
    name: &str,
    value: Option<Zeroizing<String>>,
) {
    let path = field.at("linkedId");
    let target = match field.number("linkedId") {
        Some(id) => linked_name(id).map_or_else(|| format!("field {id}"), str::to_owned),
        None => "nothing".to_owned(),
    };
    entry.scope.note(Level::Moved, &path, LINKED);
    entry.field(
        field.path(),
        name,
        FieldKind::Text,
        Tier::Vault,
        Zeroizing::new(format!("linked to {target}")),
    );
    if let Some(value) = value {
        entry.scope.leave(field.at("value"), reason::UNEXPECTED, Json::Text(value));
    }
}

/// What a linked field points at. Source: Bitwarden's `LinkedIdType`.
fn linked_name(id: u64) -> Option<&'static str> {
    Some(match id {
        100 => "username",
        101 => "password",
        300 => "cardholder",
        301 => "expiry month",
        302 => "expiry year",
        303 => "security code",
        304 => "brand",
        305 => "card number",
        400 => "title",
        401 => "middle name",
        402 => "address 1",
        403 => "address 2",
        404 => "address 3",
        405 => "city",
        406 => "state",
        407 => "postal code",
        408 => "country",
        409 => "company",
        410 => "e-mail",
        411 => "phone",
        412 => "social security number",
        413 => "username",
        414 => "passport number",
        415 => "licence number",
        416 => "first name",
        417 => "last name",
        418 => "full name",
        _ => return None,
    })
}

/// Earlier passwords, whole, as JSON in the credential tier.
pub(super) fn history(item: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>) {
    let path = item.at("passwordHistory");
    let Some(history) = item.take("passwordHistory") else { return };
    if history.is_empty() {
        return;
    }
    if matches!(history, Json::List(_)) {
        let line = history.to_line();
        entry.field(&path, "password history", FieldKind::Json, Tier::Credential, line);
    } else {
        entry.scope.leave(path, reason::UNEXPECTED, history);
    }
}
