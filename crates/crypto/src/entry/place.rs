//! Where a seal belongs: the bindings of every sealed part of an entry.

use clavitor_core::entry::{FieldId, Tier};
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::order::Version;

use crate::keys::Root;
use crate::sealed::{Binding, Purpose};
use crate::vault_key::VaultKey;

/// Which entry, at which version: what seals are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The vault.
    pub vault_id: VaultId,
    /// The entry.
    pub entry_id: RecordId,
    /// The version: of the write to come when sealing, as answered when opening.
    pub version: Version,
}

/// The key of an entry's identity fields.
pub(super) fn identity_key(key: &VaultKey, place: Place) -> Root {
    key.identity().child("identity-entry", place.entry_id.as_bytes())
}

pub(super) fn wrap_binding(place: Place, generation: u32) -> Binding<'static> {
    Binding { generation, ..Binding::new(Purpose::EntryKey, place.vault_id, place.entry_id) }
}

pub(super) fn manifest_binding(place: Place) -> Binding<'static> {
    Binding { version: place.version, ..Binding::new(Purpose::Manifest, place.vault_id, place.entry_id) }
}

pub(super) fn field_binding(
    place: Place,
    field: FieldId,
    tier: Tier,
    sealed_at: Version,
) -> Binding<'static> {
    let purpose = if tier == Tier::Identity { Purpose::IdentityField } else { Purpose::CredentialField };
    let version = sealed_at;
    Binding { field, tier: Some(tier), version, ..Binding::new(purpose, place.vault_id, place.entry_id) }
}
