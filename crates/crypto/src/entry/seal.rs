//! Sealing: a data key, every secret value, and the manifest over all of it.

use clavitor_core::draft::{DraftField, EntryDraft};
use clavitor_core::entry::{
    Entry, FieldId, FieldInfo, FieldKind, InvalidEntry, SealedField, Tier, VaultTier, WrappedKey,
};
use clavitor_core::ids::ImportId;
use clavitor_core::order::Version;
use thiserror::Error;

use super::manifest::{self, Manifest};
use super::open::{OpenError, unwrap_data_key, verify};
use super::place::{Place, field_binding, identity_key, manifest_binding, wrap_binding};
use crate::keys::Root;
use crate::sealed;
use crate::vault_key::VaultKey;

/// How much longer a sealed value is than the value, in bytes.
pub const SEAL_BYTES: usize = sealed::OVERHEAD;

/// The most bytes that the sealed manifest of a draft takes.
pub fn manifest_bytes_max(draft: &EntryDraft) -> usize {
    SEAL_BYTES + manifest::encoded_bytes_max(draft.fields.iter().map(|field| field.name.len()))
}

/// Why a draft was not sealed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SealError {
    /// A value of this kind needs a higher tier.
    #[error("the field {name:?} holds a {kind:?}, which belongs into the {needed:?} tier or above")]
    TierTooLow {
        /// The field's name.
        name: String,
        /// What it holds.
        kind: FieldKind,
        /// The least tier.
        needed: Tier,
    },
    /// A field has a number that the stored entry does not know.
    #[error("the entry has no field number {}", .0.0)]
    UnknownField(FieldId),
    /// Its shape or a limit.
    #[error("the entry cannot be stored: {} ({})", .0[0].detail, .0[0].pointer)]
    Invalid(Vec<InvalidEntry>),
    /// The stored entry does not open, so it is not sealed again.
    #[error("the stored entry is not sealed again")]
    Stored(#[source] OpenError),
}

/// Seals a draft.
///
/// - `place.version`: 1 to create; the stored version and one more to update.
/// - `stored`: when updating, the entry as it is stored at the version before; it is checked as when opening.
/// - `draft`: a field keeps its number when updating, where it has one; new fields get numbers never used before.
/// - returns: the entry to send; it passes [`Entry::check`].
///
/// # Errors
/// [`SealError`].
pub fn seal(
    key: &VaultKey,
    place: Place,
    stored: Option<&Entry>,
    draft: &EntryDraft,
    import_id: Option<ImportId>,
) -> Result<Entry, SealError> {
    let before = match stored {
        Some(entry) => Some(check_stored(key, place, entry)?),
        None => None,
    };
    let (data_key, keys, mut next_field) = match (before, stored) {
        (Some((data_key, manifest)), Some(entry)) => {
            check_field_ids(draft, &manifest)?;
            (data_key, entry.keys.clone(), manifest.next_field)
        }
        _ => {
            let data_key = Root::generate();
            let wrap = wrap_data_key(key, place, &data_key);
            (data_key, vec![wrap], 1)
        }
    };
    let mut vault = vault_tier(draft);
    let mut sealed = Vec::new();
    for field in &draft.fields {
        let id = field.id.filter(|_| stored.is_some()).unwrap_or(FieldId(next_field));
        next_field = next_field.max(id.0.saturating_add(1));
        seal_field(key, &data_key, place, id, field, &mut vault, &mut sealed)?;
    }
    let mut entry =
        Entry { entry_type: draft.entry_type, vault, sealed, keys, manifest: Vec::new(), import_id };
    entry.check().map_err(SealError::Invalid)?;
    let manifest = Manifest::of(place.entry_id, place.version, &entry, next_field)
        .expect("an entry that passed its check has a value for each field");
    let plain = minicbor::to_vec(&manifest).expect("encoding into a Vec cannot fail");
    entry.manifest = sealed::seal(&data_key, &manifest_binding(place), &plain);
    Ok(entry)
}

/// Opens what the next version continues from: its data key and manifest.
fn check_stored(key: &VaultKey, place: Place, entry: &Entry) -> Result<(Root, Manifest), SealError> {
    let stored = Place { version: Version(place.version.0.saturating_sub(1)), ..place };
    let data_key = unwrap_data_key(key, stored, &entry.keys).map_err(SealError::Stored)?;
    let manifest = verify(&data_key, stored, entry).map_err(SealError::Stored)?;
    Ok((data_key, manifest))
}

/// A number that a draft names must be one of the stored entry's.
fn check_field_ids(draft: &EntryDraft, manifest: &Manifest) -> Result<(), SealError> {
    match draft.fields.iter().filter_map(|field| field.id).find(|id| !manifest.names(*id)) {
        Some(unknown) => Err(SealError::UnknownField(unknown)),
        None => Ok(()),
    }
}

fn vault_tier(draft: &EntryDraft) -> VaultTier {
    VaultTier {
        title: draft.title.clone(),
        urls: draft.urls.clone(),
        username: draft.username.clone(),
        tags: draft.tags.clone(),
        folder: draft.folder.clone(),
        favorite: draft.favorite,
        created_at_ms: draft.created_at_ms,
        fields: Vec::with_capacity(draft.fields.len()),
    }
}

/// Adds one field to both parts of an entry.
fn seal_field(
    key: &VaultKey,
    data_key: &Root,
    place: Place,
    id: FieldId,
    field: &DraftField,
    vault: &mut VaultTier,
    sealed: &mut Vec<SealedField>,
) -> Result<(), SealError> {
    let (kind, tier, name) = (field.kind, field.tier, field.name.clone());
    if tier < kind.tier_min() {
        return Err(SealError::TierTooLow { name, kind, needed: kind.tier_min() });
    }
    let binding = field_binding(place, id, tier, place.version);
    let value = field.value.expose();
    let ciphertext = match tier {
        Tier::Vault => None,
        Tier::Credential => Some(sealed::seal(data_key, &binding, value.as_bytes())),
        Tier::Identity => Some(sealed::seal(&identity_key(key, place), &binding, value.as_bytes())),
    };
    let open_value = ciphertext.is_none().then(|| value.to_owned());
    vault.fields.push(FieldInfo { id, name, kind, tier, value: open_value });
    sealed.extend(ciphertext.map(|ciphertext| SealedField {
        id,
        tier,
        sealed_at: place.version,
        ciphertext,
    }));
    Ok(())
}

fn wrap_data_key(key: &VaultKey, place: Place, data_key: &Root) -> WrappedKey {
    let generation = key.generation();
    let wrapped = sealed::seal(key.owner(), &wrap_binding(place, generation), data_key.expose());
    WrappedKey { scope: None, generation, wrapped }
}
