//! Entries: three tiers of fields, the parts that only a client opens, and what the server keeps of each.
//!
//! The same types travel as JSON and, encoded by number, rest in records; both forms are fixed by tests.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::{ImportId, RecordId};
use crate::limits;
use crate::order::Version;

/// What an entry is about. Stored by number; a number of a newer version reads as [`EntryType::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each name says what it is")]
pub enum EntryType {
    Other,
    Login,
    Card,
    Identity,
    Note,
    SshKey,
    ApiKey,
    Database,
    Wifi,
}

impl EntryType {
    const ALL: [Self; 9] = [
        Self::Other,
        Self::Login,
        Self::Card,
        Self::Identity,
        Self::Note,
        Self::SshKey,
        Self::ApiKey,
        Self::Database,
        Self::Wifi,
    ];

    /// The fixed number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The type of a number.
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Other)
    }

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Login => "login",
            Self::Card => "card",
            Self::Identity => "identity",
            Self::Note => "note",
            Self::SshKey => "ssh-key",
            Self::ApiKey => "api-key",
            Self::Database => "database",
            Self::Wifi => "wifi",
        }
    }
}

/// Who can open a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The server while it serves a request; sealed at rest.
    Vault,
    /// The owner, and agents granted the entry's scope; never the server.
    Credential,
    /// The owner only.
    Identity,
}

impl Tier {
    /// The fixed number: part of what seals are bound to.
    pub const fn number(self) -> u8 {
        match self {
            Self::Vault => 1,
            Self::Credential => 2,
            Self::Identity => 3,
        }
    }

    /// The tier of a number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Vault),
            2 => Some(Self::Credential),
            3 => Some(Self::Identity),
            _ => None,
        }
    }
}

/// What a field's value is, for display and for the tier it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each name says what it is")]
pub enum FieldKind {
    Text,
    Password,
    Totp,
    Note,
    Url,
    Email,
    Phone,
    Date,
    Boolean,
    ApiKey,
    PrivateKey,
    PublicKey,
    CardNumber,
    CardCode,
    Pin,
    GovernmentId,
    RecoveryCode,
    Passkey,
    Json,
    Concealed,
}

impl FieldKind {
    const ALL: [Self; 20] = [
        Self::Text,
        Self::Password,
        Self::Totp,
        Self::Note,
        Self::Url,
        Self::Email,
        Self::Phone,
        Self::Date,
        Self::Boolean,
        Self::ApiKey,
        Self::PrivateKey,
        Self::PublicKey,
        Self::CardNumber,
        Self::CardCode,
        Self::Pin,
        Self::GovernmentId,
        Self::RecoveryCode,
        Self::Passkey,
        Self::Json,
        Self::Concealed,
    ];

    /// The fixed number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number; one of a newer version is treated as a secret.
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Concealed)
    }

    /// The least tier in which such a value may lie: the client's type table, never the server's word.
    pub const fn tier_min(self) -> Tier {
        match self {
            Self::Text
            | Self::Url
            | Self::Email
            | Self::Phone
            | Self::Date
            | Self::Boolean
            | Self::PublicKey => Tier::Vault,
            Self::Password
            | Self::Totp
            | Self::Note
            | Self::ApiKey
            | Self::PrivateKey
            | Self::Passkey
            | Self::Json
            | Self::Concealed => Tier::Credential,
            Self::CardNumber | Self::CardCode | Self::Pin | Self::GovernmentId | Self::RecoveryCode => {
                Tier::Identity
            }
        }
    }
}

macro_rules! by_number {
    ($name:ident, |$n:ident| $from:expr) => {
        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.u8(self.number())?;
                Ok(())
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(
                decoder: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let $n = decoder.u8()?;
                $from
            }
        }
    };
}

by_number!(EntryType, |n| Ok(EntryType::from_number(n)));
by_number!(FieldKind, |n| Ok(FieldKind::from_number(n)));
by_number!(Tier, |n| Tier::from_number(n)
    .ok_or_else(|| minicbor::decode::Error::message("a tier that this version does not know")));

/// The number of a field inside its entry: chosen by the client, unique there, never reused for another field.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct FieldId(#[n(0)] pub u32);

/// What is said of a field in the vault tier: everything but a secret value.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldInfo {
    /// Its number.
    #[n(0)]
    pub id: FieldId,
    /// Its name as people read it.
    #[n(1)]
    pub name: String,
    /// What its value is.
    #[n(2)]
    pub kind: FieldKind,
    /// Who can open it.
    #[n(3)]
    pub tier: Tier,
    /// The value, for the vault tier only.
    #[n(4)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// The vault tier of an entry: what the server sees while it serves a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultTier {
    /// The title.
    #[n(0)]
    pub title: String,
    /// URLs; the hosts among them can be looked up.
    #[n(1)]
    #[serde(default)]
    pub urls: Vec<String>,
    /// The user name.
    #[n(2)]
    #[serde(default)]
    pub username: String,
    /// Tags.
    #[n(3)]
    #[serde(default)]
    pub tags: Vec<String>,
    /// The folder, nested by `/`; empty for none.
    #[n(4)]
    #[serde(default)]
    pub folder: String,
    /// Whether it is a favourite.
    #[n(5)]
    #[serde(default)]
    pub favorite: bool,
    /// When it was created, by the source's clock, in milliseconds.
    #[n(6)]
    #[serde(default)]
    pub created_at_ms: u64,
    /// Its fields, in the order in which people see them.
    #[n(7)]
    #[serde(default)]
    pub fields: Vec<FieldInfo>,
}

/// The sealed value of one credential or identity field.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedField {
    /// Which field.
    #[n(0)]
    pub id: FieldId,
    /// Who can open it.
    #[n(1)]
    pub tier: Tier,
    /// The entry's version at which it was sealed.
    #[n(2)]
    pub sealed_at: Version,
    /// Nonce, ciphertext and tag.
    #[cbor(n(3), with = "minicbor::bytes")]
    #[serde(with = "base64_bytes")]
    pub ciphertext: Vec<u8>,
}

/// The entry's data key, wrapped once for each scope, and for the owner where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// The scope whose key wraps it; `None` for the owner's wrapping key.
    #[n(0)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<RecordId>,
    /// The generation of the wrapping key.
    #[n(1)]
    pub generation: u32,
    /// Nonce, ciphertext and tag.
    #[cbor(n(2), with = "minicbor::bytes")]
    #[serde(with = "base64_bytes")]
    pub wrapped: Vec<u8>,
}

/// An entry as it travels between client and server: the vault tier open, the rest sealed by the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it is about.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// The vault tier.
    pub vault: VaultTier,
    /// The sealed fields.
    #[serde(default)]
    pub sealed: Vec<SealedField>,
    /// The data key, wrapped.
    pub keys: Vec<WrappedKey>,
    /// The manifest, sealed under the data key: what a client checks the rest against.
    #[serde(with = "base64_bytes")]
    pub manifest: Vec<u8>,
    /// The import that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_id: Option<ImportId>,
}

/// The payload of an `entry` record: the vault tier sealed under the node keyring, the rest as the client sealed it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct EntryAtRest {
    /// What it is about.
    #[n(0)]
    pub entry_type: EntryType,
    /// [`VaultTier`], encoded and sealed.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub vault_sealed: Vec<u8>,
    /// The sealed fields.
    #[n(2)]
    pub sealed: Vec<SealedField>,
    /// The data key, wrapped.
    #[n(3)]
    pub keys: Vec<WrappedKey>,
    /// The manifest.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub manifest: Vec<u8>,
    /// The import that wrote it.
    #[n(5)]
    pub import_id: Option<ImportId>,
}

/// What is wrong with an entry. The pointer is a JSON pointer into the entry; no submitted value is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct InvalidEntry {
    /// Where.
    pub pointer: String,
    /// What.
    pub detail: String,
}

impl Entry {
    /// Checks shape and limits: what a server can know without opening anything.
    ///
    /// # Errors
    /// Every problem found, in the order of the fields.
    pub fn check(&self) -> Result<(), Vec<InvalidEntry>> {
        let mut problems = Vec::new();
        let mut bad = |pointer: String, detail: String| problems.push(InvalidEntry { pointer, detail });
        let vault = &self.vault;
        if vault.title.trim().is_empty() {
            bad("/vault/title".into(), "a title is needed".into());
        }
        let limited = [
            ("/vault/title", vault.title.len(), limits::TITLE_BYTES_MAX),
            ("/vault/username", vault.username.len(), limits::VAULT_VALUE_BYTES_MAX),
            ("/vault/folder", vault.folder.len(), limits::TITLE_BYTES_MAX),
        ];
        for (pointer, bytes, max) in limited {
            if bytes > max {
                bad(pointer.into(), format!("at most {max} bytes"));
            }
        }
        let counted = [
            ("/vault/urls", vault.urls.len(), limits::URLS_MAX),
            ("/vault/tags", vault.tags.len(), limits::TAGS_MAX),
            ("/vault/fields", vault.fields.len(), limits::FIELDS_MAX),
            ("/sealed", self.sealed.len(), limits::FIELDS_MAX),
            ("/keys", self.keys.len(), limits::FIELDS_MAX),
        ];
        for (pointer, count, max) in counted {
            if count > max {
                bad(pointer.into(), format!("at most {max} items"));
            }
        }
        for (list, values) in [("urls", &vault.urls), ("tags", &vault.tags)] {
            for (i, value) in values.iter().enumerate() {
                if value.len() > limits::VAULT_VALUE_BYTES_MAX {
                    bad(
                        format!("/vault/{list}/{i}"),
                        format!("at most {} bytes", limits::VAULT_VALUE_BYTES_MAX),
                    );
                }
            }
        }
        let mut ids = std::collections::BTreeSet::new();
        for (i, field) in vault.fields.iter().enumerate() {
            let at = |part: &str| format!("/vault/fields/{i}/{part}");
            if !ids.insert(field.id) {
                bad(at("id"), "two fields have this id".into());
            }
            if field.name.len() > limits::TITLE_BYTES_MAX {
                bad(at("name"), format!("at most {} bytes", limits::TITLE_BYTES_MAX));
            }
            if field.tier < field.kind.tier_min() {
                bad(at("tier"), "a value of this kind belongs into a higher tier".into());
            }
            let sealed = self.sealed.iter().filter(|s| s.id == field.id).count();
            match (field.tier, &field.value) {
                (Tier::Vault, None) => bad(at("value"), "a field of the vault tier needs its value".into()),
                (Tier::Vault, Some(value)) if value.len() > limits::VAULT_VALUE_BYTES_MAX => {
                    bad(at("value"), format!("at most {} bytes", limits::VAULT_VALUE_BYTES_MAX));
                }
                (Tier::Credential | Tier::Identity, Some(_)) => {
                    bad(at("value"), "a value of this tier must be sealed".into());
                }
                (Tier::Credential | Tier::Identity, None) if sealed != 1 => {
                    bad(at("id"), "exactly one sealed value belongs to this field".into());
                }
                _ => {}
            }
        }
        for (i, sealed) in self.sealed.iter().enumerate() {
            let named = vault.fields.iter().find(|f| f.id == sealed.id);
            if named.is_none_or(|f| f.tier != sealed.tier) {
                bad(
                    format!("/sealed/{i}"),
                    "no field with this id and tier is named in the vault tier".into(),
                );
            }
            if sealed.ciphertext.len() > limits::FIELD_BYTES_MAX {
                bad(format!("/sealed/{i}/ciphertext"), format!("at most {} bytes", limits::FIELD_BYTES_MAX));
            }
        }
        if self.keys.is_empty() {
            bad("/keys".into(), "a wrapped data key is needed".into());
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// Bytes as standard base64 in JSON.
pub mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes base64.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    /// Reads base64; never repeats what it could not read.
    ///
    /// # Errors
    /// The deserializer's own, or "not base64".
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map_err(|_| serde::de::Error::custom("not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_fixed() {
        for (number, kind) in (0u8..).zip(FieldKind::ALL) {
            assert_eq!((kind.number(), FieldKind::from_number(number)), (number, kind));
        }
        for (number, kind) in (0u8..).zip(EntryType::ALL) {
            assert_eq!((kind.number(), EntryType::from_number(number)), (number, kind));
        }
        assert_eq!(FieldKind::from_number(250), FieldKind::Concealed, "unknown is treated as secret");
        assert_eq!((FieldKind::Password.number(), EntryType::Wifi.number()), (1, 8));
    }

    fn entry() -> Entry {
        Entry {
            entry_type: EntryType::Login,
            vault: VaultTier {
                title: "Example".into(),
                fields: vec![FieldInfo {
                    id: FieldId(1),
                    name: "password".into(),
                    kind: FieldKind::Password,
                    tier: Tier::Credential,
                    value: None,
                }],
                ..VaultTier::default()
            },
            sealed: vec![SealedField {
                id: FieldId(1),
                tier: Tier::Credential,
                sealed_at: Version(1),
                ciphertext: vec![0; 40],
            }],
            keys: vec![WrappedKey { scope: None, generation: 1, wrapped: vec![0; 60] }],
            manifest: vec![0; 50],
            import_id: None,
        }
    }

    #[test]
    fn a_secret_in_the_open_is_refused() {
        assert_eq!(entry().check(), Ok(()));
        let mut leaked = entry();
        leaked.vault.fields[0].value = Some("hunter2".into());
        let problems = leaked.check().unwrap_err();
        assert_eq!(problems[0].pointer, "/vault/fields/0/value");
        assert!(!problems[0].detail.contains("hunter2"));
        let mut lowered = entry();
        lowered.vault.fields[0].tier = Tier::Vault;
        lowered.vault.fields[0].value = Some("x".into());
        assert!(lowered.check().is_err());
        let mut unnamed = entry();
        unnamed.sealed[0].id = FieldId(2);
        assert_eq!(unnamed.check().unwrap_err().len(), 2);
    }

    #[test]
    fn unknown_fields_are_refused() {
        let mut json = serde_json::to_value(entry()).unwrap();
        assert_eq!(serde_json::from_value::<Entry>(json.clone()).unwrap(), entry());
        json["surprise"] = 1.into();
        assert!(serde_json::from_value::<Entry>(json).is_err());
    }
}
