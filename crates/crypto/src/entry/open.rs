//! Opening: unwrap the data key, check all against the manifest, and only then release values.

use clavitor_core::draft::{DraftField, EntryDraft};
use clavitor_core::entry::{Entry, FieldInfo, Tier, WrappedKey};
use clavitor_core::secret::{SecretBytes, SecretText};
use thiserror::Error;
use zeroize::Zeroizing;

use super::manifest::Manifest;
use super::place::{Place, field_binding, identity_key, manifest_binding, wrap_binding};
use crate::keys::Root;
use crate::sealed::{self, Unopened};
use crate::vault_key::VaultKey;

/// Why an entry did not open. Nothing of it may be shown, filled or sealed again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// It is not what its owner sealed.
    #[error("the entry is not what was sealed: its {what} does not match")]
    Tampered {
        /// The part that does not match.
        what: &'static str,
    },
    /// Its data key is wrapped under another generation of the vault key.
    #[error("the entry is sealed for generation {found} of the vault key, and this is generation {have}")]
    OtherGeneration {
        /// The generation of the wrap.
        found: u32,
        /// The generation of the key at hand.
        have: u32,
    },
    /// A newer version sealed it.
    #[error("the entry is sealed in format {found}, which this version does not know")]
    Newer {
        /// The format.
        found: u8,
    },
}

/// Opens an entry, after checking all of it against its manifest.
///
/// - `place.version`: the version that the server answered.
///
/// # Errors
/// [`OpenError`]; then no value has been released.
pub fn open(key: &VaultKey, place: Place, entry: &Entry) -> Result<EntryDraft, OpenError> {
    let data_key = unwrap_data_key(key, place, &entry.keys)?;
    verify(&data_key, place, entry)?;
    let mut fields = Vec::with_capacity(entry.vault.fields.len());
    for info in &entry.vault.fields {
        let value = match &info.value {
            Some(value) => SecretText::new(value.clone()),
            None => open_field(key, &data_key, place, info, entry)?,
        };
        let (name, kind, tier) = (info.name.clone(), info.kind, info.tier);
        fields.push(DraftField { id: Some(info.id), name, kind, tier, value });
    }
    let vault = entry.vault.clone();
    Ok(EntryDraft {
        entry_type: entry.entry_type,
        title: vault.title,
        urls: vault.urls,
        username: vault.username,
        tags: vault.tags,
        folder: vault.folder,
        favorite: vault.favorite,
        created_at_ms: vault.created_at_ms,
        fields,
    })
}

/// Checks shape, tiers and manifest.
pub(super) fn verify(data_key: &Root, place: Place, entry: &Entry) -> Result<Manifest, OpenError> {
    entry.check().map_err(|_| OpenError::Tampered { what: "shape" })?;
    let plain = sealed::open(data_key, &manifest_binding(place), &entry.manifest)
        .map_err(|e| open_error(e, "manifest"))?;
    let manifest: Manifest =
        minicbor::decode(&plain).map_err(|_| OpenError::Tampered { what: "manifest" })?;
    let computed = Manifest::of(place.entry_id, place.version, entry, manifest.next_field)
        .ok_or(OpenError::Tampered { what: "fields" })?;
    match manifest.difference(&computed) {
        Some(what) => Err(OpenError::Tampered { what }),
        None => Ok(manifest),
    }
}

fn open_field(
    key: &VaultKey,
    data_key: &Root,
    place: Place,
    info: &FieldInfo,
    entry: &Entry,
) -> Result<SecretText, OpenError> {
    let tampered = OpenError::Tampered { what: "fields" };
    let Some(field) = entry.sealed.iter().find(|field| field.id == info.id) else {
        return Err(tampered);
    };
    let binding = field_binding(place, info.id, info.tier, field.sealed_at);
    let opened = match info.tier {
        Tier::Vault => return Err(tampered),
        Tier::Credential => sealed::open(data_key, &binding, &field.ciphertext),
        Tier::Identity => sealed::open(&identity_key(key, place), &binding, &field.ciphertext),
    };
    let mut plain: Zeroizing<Vec<u8>> = opened.map_err(|e| open_error(e, "sealed value"))?;
    match String::from_utf8(std::mem::take(&mut *plain)) {
        Ok(text) => Ok(SecretText::new(text)),
        Err(e) => {
            drop(SecretBytes::new(e.into_bytes()));
            Err(OpenError::Tampered { what: "sealed value" })
        }
    }
}

pub(super) fn unwrap_data_key(key: &VaultKey, place: Place, keys: &[WrappedKey]) -> Result<Root, OpenError> {
    let mut owners = keys.iter().filter(|wrap| wrap.scope.is_none());
    let (Some(wrap), None) = (owners.next(), owners.next()) else {
        return Err(OpenError::Tampered { what: "wrapped key" });
    };
    if wrap.generation != key.generation() {
        return Err(OpenError::OtherGeneration { found: wrap.generation, have: key.generation() });
    }
    let mut bytes = sealed::open(key.owner(), &wrap_binding(place, wrap.generation), &wrap.wrapped)
        .map_err(|e| open_error(e, "wrapped key"))?;
    Root::from_bytes(SecretBytes::new(std::mem::take(&mut *bytes)))
        .ok_or(OpenError::Tampered { what: "wrapped key" })
}

fn open_error(unopened: Unopened, what: &'static str) -> OpenError {
    match unopened {
        Unopened::Format(found) => OpenError::Newer { found },
        Unopened::OtherKey | Unopened::Altered => OpenError::Tampered { what },
    }
}
