//! The manifest: what an entry must consist of, sealed under its data key. Whoever opens an entry recomputes it.

use clavitor_core::entry::{Entry, EntryType, FieldId, FieldKind, Tier};
use clavitor_core::ids::RecordId;
use clavitor_core::order::Version;
use minicbor::{Decode, Encode};

use crate::sha256;

/// What the parts of an entry hash to.
#[derive(Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Manifest {
    #[n(0)]
    pub(super) id: RecordId,
    #[n(1)]
    pub(super) version: Version,
    #[n(2)]
    pub(super) entry_type: EntryType,
    #[cbor(n(3), with = "minicbor::bytes")]
    title: [u8; 32],
    #[cbor(n(4), with = "minicbor::bytes")]
    urls: [u8; 32],
    #[cbor(n(5), with = "minicbor::bytes")]
    username: [u8; 32],
    #[cbor(n(6), with = "minicbor::bytes")]
    tags: [u8; 32],
    #[cbor(n(7), with = "minicbor::bytes")]
    folder: [u8; 32],
    #[cbor(n(8), with = "minicbor::bytes")]
    favorite: [u8; 32],
    #[cbor(n(9), with = "minicbor::bytes")]
    created_at: [u8; 32],
    #[n(10)]
    fields: Vec<ManifestField>,
    /// The least number that no field of this entry has ever had.
    #[n(11)]
    pub(super) next_field: u32,
}

/// One field, in the order in which people see them.
#[derive(Debug, PartialEq, Eq, Encode, Decode)]
struct ManifestField {
    #[n(0)]
    id: FieldId,
    #[n(1)]
    name: String,
    #[n(2)]
    kind: FieldKind,
    #[n(3)]
    tier: Tier,
    /// The entry's version at which the value was sealed.
    #[n(4)]
    sealed_at: Version,
    /// SHA-256 of the ciphertext; in the vault tier, of the value.
    #[cbor(n(5), with = "minicbor::bytes")]
    hash: [u8; 32],
}

impl Manifest {
    /// What an entry's manifest must be. `None` where a field has no value to hash.
    pub(super) fn of(id: RecordId, version: Version, entry: &Entry, next_field: u32) -> Option<Self> {
        let vault = &entry.vault;
        let mut fields = Vec::with_capacity(vault.fields.len());
        for field in &vault.fields {
            let (sealed_at, hash) = match field.tier {
                Tier::Vault => (version, sha256(field.value.as_ref()?.as_bytes())),
                Tier::Credential | Tier::Identity => {
                    let sealed = entry.sealed.iter().find(|s| s.id == field.id && s.tier == field.tier)?;
                    (sealed.sealed_at, sha256(&sealed.ciphertext))
                }
            };
            let name = field.name.clone();
            fields.push(ManifestField {
                id: field.id,
                name,
                kind: field.kind,
                tier: field.tier,
                sealed_at,
                hash,
            });
        }
        Some(Self {
            id,
            version,
            entry_type: entry.entry_type,
            title: sha256(vault.title.as_bytes()),
            urls: list_hash(&vault.urls),
            username: sha256(vault.username.as_bytes()),
            tags: list_hash(&vault.tags),
            folder: sha256(vault.folder.as_bytes()),
            favorite: sha256(&[u8::from(vault.favorite)]),
            created_at: sha256(&vault.created_at_ms.to_be_bytes()),
            fields,
            next_field,
        })
    }

    /// The first part in which two manifests differ.
    pub(super) fn difference(&self, other: &Self) -> Option<&'static str> {
        let parts = [
            ("id", self.id == other.id),
            ("version", self.version == other.version),
            ("type", self.entry_type == other.entry_type),
            ("title", self.title == other.title),
            ("URLs", self.urls == other.urls),
            ("user name", self.username == other.username),
            ("tags", self.tags == other.tags),
            ("folder", self.folder == other.folder),
            ("favourite mark", self.favorite == other.favorite),
            ("creation time", self.created_at == other.created_at),
            ("fields", self.fields == other.fields),
            ("manifest", self == other),
        ];
        parts.into_iter().find_map(|(what, equal)| (!equal).then_some(what))
    }

    /// Whether a field of this number is part of the entry.
    pub(super) fn names(&self, id: FieldId) -> bool {
        self.fields.iter().any(|field| field.id == id)
    }
}

/// The most bytes that an encoded manifest takes, by the lengths of the names of its fields.
pub(super) fn encoded_bytes_max(names: impl Iterator<Item = usize>) -> usize {
    // Twelve members with their heads: an id, three numbers, seven hashes; per field a name, four numbers, a hash.
    const HEAD: usize = 2 + 17 + 3 * 9 + 7 * 34 + 9;
    const FIELD: usize = 2 + 5 + 9 + 4 * 9 + 34;
    HEAD + names.map(|length| FIELD + length).sum::<usize>()
}

/// SHA-256 over the items of a list, each preceded by its length as 8 bytes big-endian.
fn list_hash(items: &[String]) -> [u8; 32] {
    let mut bytes = Vec::new();
    for item in items {
        bytes.extend((item.len() as u64).to_be_bytes());
        bytes.extend(item.as_bytes());
    }
    sha256(&bytes)
}
