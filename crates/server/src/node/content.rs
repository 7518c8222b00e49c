//! What an entry looks like at rest: the vault tier sealed under the node keyring, its look-ups hashed, the rest kept as
//! the client sealed it.

use std::collections::BTreeSet;

use clavitor_core::change::Content;
use clavitor_core::entry::{Entry, EntryAtRest, VaultTier};
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::order::Version;
use clavitor_core::record::{Lookup, Record, purpose};
use clavitor_crypto::keyring::{NodeKeyring, normalise_host, normalise_title};

use super::Refusal;

/// Seals an entry for the disk, as the `version` that it will have.
pub(super) fn seal(
    keys: &NodeKeyring,
    vault_id: VaultId,
    id: RecordId,
    version: Version,
    entry: Entry,
) -> Content {
    let lookups = lookups(keys, vault_id, &entry);
    let at_rest = EntryAtRest {
        entry_type: entry.entry_type,
        vault_sealed: keys.seal_vault_tier(vault_id, id, version, &entry.vault),
        sealed: entry.sealed,
        keys: entry.keys,
        manifest: entry.manifest,
        import_id: entry.import_id,
    };
    Content { lookups, payload: minicbor::to_vec(&at_rest).expect("encoding into a Vec cannot fail") }
}

/// Opens an entry from the disk.
pub(super) fn open(keys: &NodeKeyring, record: &Record) -> Result<Entry, Refusal> {
    let (at_rest, vault) = open_tier(keys, record)?;
    Ok(Entry {
        entry_type: at_rest.entry_type,
        vault,
        sealed: at_rest.sealed,
        keys: at_rest.keys,
        manifest: at_rest.manifest,
        import_id: at_rest.import_id,
    })
}

/// Opens the vault tier of an entry from the disk.
pub(super) fn open_tier(keys: &NodeKeyring, record: &Record) -> Result<(EntryAtRest, VaultTier), Refusal> {
    let at_rest: EntryAtRest = minicbor::decode(&record.payload).map_err(|error| {
        tracing::error!(record = %record.id, %error, "an entry record does not decode");
        Refusal::Damaged
    })?;
    let opened = keys.open_vault_tier(record.vault_id, record.id, record.version, &at_rest.vault_sealed);
    let vault = opened.map_err(|error| {
        tracing::error!(record = %record.id, %error, "an entry's vault tier could not be opened");
        Refusal::Damaged
    })?;
    Ok((at_rest, vault))
}

fn lookups(keys: &NodeKeyring, vault_id: VaultId, entry: &Entry) -> Vec<Lookup> {
    let hash = |purpose, text: &str| keys.lookup(vault_id, purpose, text);
    let mut lookups = BTreeSet::from([hash(purpose::TITLE, &normalise_title(&entry.vault.title))]);
    for host in entry.vault.urls.iter().filter_map(|url| normalise_host(url)) {
        lookups.insert(hash(purpose::HOST, &host));
    }
    if let Some(import_id) = entry.import_id {
        lookups.insert(hash(purpose::IMPORT, &import_id.to_string()));
    }
    lookups.into_iter().collect()
}
