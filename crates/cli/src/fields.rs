//! Names of fields and kinds as people type them.

use clavitor_core::draft::{DraftField, EntryDraft};
use clavitor_core::entry::{EntryType, FieldKind};

/// The stable name of a kind, as in JSON.
pub(crate) const fn kind_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
        FieldKind::Password => "password",
        FieldKind::Totp => "totp",
        FieldKind::Note => "note",
        FieldKind::Url => "url",
        FieldKind::Email => "email",
        FieldKind::Phone => "phone",
        FieldKind::Date => "date",
        FieldKind::Boolean => "boolean",
        FieldKind::ApiKey => "api-key",
        FieldKind::PrivateKey => "private-key",
        FieldKind::PublicKey => "public-key",
        FieldKind::CardNumber => "card-number",
        FieldKind::CardCode => "card-code",
        FieldKind::Pin => "pin",
        FieldKind::GovernmentId => "government-id",
        FieldKind::RecoveryCode => "recovery-code",
        FieldKind::Passkey => "passkey",
        FieldKind::Json => "json",
        FieldKind::Concealed => "concealed",
    }
}

/// The field that `put` writes and `get` prints where none is named.
pub(crate) const fn main_field(entry_type: EntryType) -> (&'static str, FieldKind) {
    match entry_type {
        EntryType::Login | EntryType::Database | EntryType::Wifi => ("password", FieldKind::Password),
        EntryType::Card => ("card number", FieldKind::CardNumber),
        EntryType::Note => ("notes", FieldKind::Note),
        EntryType::SshKey => ("private key", FieldKind::PrivateKey),
        EntryType::ApiKey => ("api key", FieldKind::ApiKey),
        EntryType::Identity | EntryType::Other => ("value", FieldKind::Concealed),
    }
}

/// The kind that a name suggests; a name that says nothing is taken as a secret.
pub(crate) fn kind_of_name(name: &str) -> FieldKind {
    match name.to_ascii_lowercase().as_str() {
        "password" | "passphrase" => FieldKind::Password,
        "totp" | "otp" | "one-time code" => FieldKind::Totp,
        "notes" | "note" => FieldKind::Note,
        "email" | "e-mail" => FieldKind::Email,
        "phone" => FieldKind::Phone,
        "api key" | "api-key" | "token" => FieldKind::ApiKey,
        "private key" => FieldKind::PrivateKey,
        "public key" => FieldKind::PublicKey,
        "card number" => FieldKind::CardNumber,
        "security code" | "cvv" | "cvc" => FieldKind::CardCode,
        "pin" => FieldKind::Pin,
        "recovery code" | "recovery codes" | "seed phrase" => FieldKind::RecoveryCode,
        "passport number" | "licence number" | "social security number" => FieldKind::GovernmentId,
        _ => FieldKind::Concealed,
    }
}

/// The field that is meant where none is named: the main one of the type, else the only one there is.
pub(crate) fn main_of(draft: &EntryDraft) -> Option<&DraftField> {
    let (name, kind) = main_field(draft.entry_type);
    let only = || match draft.fields.as_slice() {
        [field] => Some(field),
        _ => None,
    };
    draft.field(name).or_else(|| draft.field_of(kind)).or_else(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for number in 0..20 {
            let kind = FieldKind::from_number(number);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind_name(kind));
        }
    }

    #[test]
    fn the_main_field_is_found() {
        let mut draft = EntryDraft::new(EntryType::Login, "t");
        assert!(main_of(&draft).is_none());
        draft.push("seed", FieldKind::Totp, "x".into());
        assert_eq!(main_of(&draft).unwrap().name, "seed", "the only one");
        draft.push("old", FieldKind::Concealed, "y".into());
        assert!(main_of(&draft).is_none(), "two, and neither is the main one");
        draft.push("Password", FieldKind::Password, "z".into());
        assert_eq!(main_of(&draft).unwrap().value.expose(), "z");
    }

    #[test]
    fn an_unknown_name_is_a_secret() {
        assert_eq!(kind_of_name("PIN"), FieldKind::Pin);
        assert_eq!(kind_of_name("whatever"), FieldKind::Concealed);
    }
}
