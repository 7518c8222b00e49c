//! How large entries are as records and as JSON, and cutting many drafts into operations that a node accepts.

use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::{
    Entry, EntryAtRest, FieldId, FieldInfo, SealedField, Tier, VaultTier, WrappedKey,
};
use clavitor_core::limits;
use clavitor_core::order::Version;
use clavitor_crypto::entry::{SEAL_BYTES, manifest_bytes_max};

/// A record around its payload and lookups, at the most: ids, versions, time and the lengths of its parts.
pub(crate) const CHANGE_BYTES: usize = 96;
/// A lookup in a record.
const LOOKUP_BYTES: usize = 40;
/// The JSON around one entry of an operation.
const CHANGE_JSON_BYTES: usize = 160;

/// Cuts drafts into operations, in order: each within the limits of count, record bytes and body bytes.
///
/// A draft that is too large by itself becomes an operation of its own; sending it says so.
pub fn chunk_drafts(drafts: Vec<EntryDraft>) -> Vec<Vec<EntryDraft>> {
    let mut chunks: Vec<Vec<EntryDraft>> = Vec::new();
    let (mut record_sum, mut json_sum) = (0, 0);
    for draft in drafts {
        let (record, json) = sizes(&draft);
        record_sum += record;
        json_sum += json;
        match chunks.last_mut() {
            Some(chunk)
                if chunk.len() < limits::OPERATION_RECORDS_MAX
                    && record_sum <= limits::OPERATION_BYTES_MAX
                    && json_sum <= limits::OPERATION_BODY_BYTES_MAX - CHANGE_JSON_BYTES =>
            {
                chunk.push(draft);
            }
            _ => {
                chunks.push(vec![draft]);
                (record_sum, json_sum) = (record, json);
            }
        }
    }
    chunks
}

/// The most bytes that an entry takes as an encoded record.
pub(crate) fn record_bytes(entry: &Entry) -> usize {
    let at_rest = EntryAtRest {
        entry_type: entry.entry_type,
        vault_sealed: vec![0; encoded(&entry.vault) + SEAL_BYTES],
        sealed: entry.sealed.clone(),
        keys: entry.keys.clone(),
        manifest: entry.manifest.clone(),
        import_id: entry.import_id,
    };
    // A lookup each for the title, the import and the host of every URL.
    encoded(&at_rest) + CHANGE_BYTES + LOOKUP_BYTES * (2 + entry.vault.urls.len())
}

/// The most bytes that a draft takes as a record, and as JSON in an operation.
fn sizes(draft: &EntryDraft) -> (usize, usize) {
    let entry = shape(draft);
    let json = serde_json::to_vec(&entry).expect("an entry has text keys").len() + CHANGE_JSON_BYTES;
    (record_bytes(&entry), json)
}

/// An entry of the draft's size, with zeros for everything that would be sealed.
fn shape(draft: &EntryDraft) -> Entry {
    let (mut fields, mut sealed) = (Vec::new(), Vec::new());
    for field in &draft.fields {
        let (id, name, kind, tier) = (FieldId(u32::MAX), field.name.clone(), field.kind, field.tier);
        let length = field.value.expose().len();
        let value = (tier == Tier::Vault).then(|| field.value.expose().to_owned());
        if value.is_none() {
            let ciphertext = vec![0; length + SEAL_BYTES];
            sealed.push(SealedField { id, tier, sealed_at: Version(1 << 32), ciphertext });
        }
        fields.push(FieldInfo { id, name, kind, tier, value });
    }
    let vault = VaultTier {
        title: draft.title.clone(),
        urls: draft.urls.clone(),
        username: draft.username.clone(),
        tags: draft.tags.clone(),
        folder: draft.folder.clone(),
        favorite: draft.favorite,
        created_at_ms: draft.created_at_ms,
        fields,
    };
    let keys = vec![WrappedKey { scope: None, generation: u32::MAX, wrapped: vec![0; 32 + SEAL_BYTES] }];
    let manifest = vec![0; manifest_bytes_max(draft)];
    let import_id = Some(clavitor_core::ids::ImportId::NIL);
    Entry { entry_type: draft.entry_type, vault, sealed, keys, manifest, import_id }
}

fn encoded<T: minicbor::Encode<()>>(value: &T) -> usize {
    minicbor::to_vec(value).expect("encoding into a Vec cannot fail").len()
}

#[cfg(test)]
mod tests {
    use clavitor_core::entry::{EntryType, FieldKind};
    use clavitor_core::ids::{ImportId, RecordId, VaultId};
    use clavitor_core::kind::Kind;
    use clavitor_core::record::{Lookup, Record, purpose};
    use clavitor_crypto::entry::{Place, seal};
    use clavitor_crypto::keyring::NodeKeyring;
    use clavitor_crypto::vault_key::VaultKey;

    use super::*;

    fn draft(fields: usize, bytes: usize) -> EntryDraft {
        let mut draft = EntryDraft::new(EntryType::Login, "a \"title\" \u{1}");
        draft.urls = vec!["https://a.example".into(); fields.min(limits::URLS_MAX)];
        for n in 0..fields {
            let kind = [FieldKind::Text, FieldKind::Password, FieldKind::Pin][n % 3];
            draft.push(format!("field {n}"), kind, "\n".repeat(bytes));
        }
        draft
    }

    /// What the node would store.
    fn stored_bytes(entry: &Entry, place: Place) -> usize {
        let vault_sealed = NodeKeyring::generate().seal_vault_tier(
            place.vault_id,
            place.entry_id,
            place.version,
            &entry.vault,
        );
        let entry = entry.clone();
        let lookups = vec![Lookup { purpose: purpose::HOST, hash: [9; 32] }; 2 + entry.vault.urls.len()];
        let at_rest = EntryAtRest {
            entry_type: entry.entry_type,
            vault_sealed,
            sealed: entry.sealed,
            keys: entry.keys,
            manifest: entry.manifest,
            import_id: entry.import_id,
        };
        let record = Record {
            id: place.entry_id,
            vault_id: place.vault_id,
            kind: Kind::ENTRY,
            version: place.version,
            deleted: false,
            lookups,
            payload: minicbor::to_vec(&at_rest).unwrap(),
            updated_at_ms: u64::MAX,
        };
        record.encode().unwrap().len()
    }

    #[test]
    fn no_entry_is_larger_than_estimated() {
        let key = VaultKey::generate();
        let (vault_id, entry_id) = (VaultId::from_bytes([255; 16]), RecordId::from_bytes([255; 16]));
        let place = Place { vault_id, entry_id, version: Version(1) };
        for (fields, bytes) in [(0, 0), (1, 0), (3, 10), (9, 300), (3, 16_000), (200, 1)] {
            let draft = draft(fields, bytes);
            let (record, json) = sizes(&draft);
            let import_id = Some(ImportId::from_bytes([255; 16]));
            let entry = seal(&key, place, None, &draft, import_id).unwrap();
            let real_json = serde_json::to_vec(&entry).unwrap().len();
            let real_record = stored_bytes(&entry, place);
            assert!(real_record <= record_bytes(&entry), "{real_record} > {}", record_bytes(&entry));
            assert!(record_bytes(&entry) <= record, "{fields} fields of {bytes}: estimated {record}");
            assert!(real_json + 100 <= json, "{fields} fields of {bytes}: {real_json}, estimated {json}");
            let slack = 400 + 80 * fields;
            assert!(
                record <= real_record + slack,
                "{fields} fields of {bytes}: {real_record}, estimated {record}"
            );
        }
    }

    #[test]
    fn chunks_keep_order_and_limits() {
        let small = chunk_drafts((0..600).map(|_| draft(1, 10)).collect());
        assert_eq!(small.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 88]);
        let mixed: Vec<_> = (0..40).map(|n| draft(3, if n % 7 == 0 { 15_000 } else { 1_000 * n })).collect();
        let names: Vec<usize> = mixed.iter().map(|d| d.fields[0].value.expose().len()).collect();
        let chunks = chunk_drafts(mixed);
        let after = chunks.iter().flatten().map(|d| d.fields[0].value.expose().len());
        assert_eq!(after.collect::<Vec<_>>(), names, "nothing lost, nothing moved");
        for chunk in &chunks {
            let sums = chunk.iter().map(sizes).fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
            assert!(chunk.len() == 1 || sums.0 <= limits::OPERATION_BYTES_MAX, "{sums:?}");
            assert!(chunk.len() == 1 || sums.1 <= limits::OPERATION_BODY_BYTES_MAX, "{sums:?}");
        }
        assert!(chunks.len() > 3);
        let huge = || draft(3, 200_000);
        assert_eq!(chunk_drafts(vec![huge(), draft(1, 1), huge()]).iter().map(Vec::len).max(), Some(1));
        assert_eq!(chunk_drafts(Vec::new()).len(), 0);
    }
}
