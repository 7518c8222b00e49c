//! Pages of entries: titles and user names for the owner, no ciphertext.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clavitor_core::api::{EntryPage, EntrySummary};
use clavitor_core::ids::RecordId;
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::record::{Record, purpose};
use clavitor_crypto::keyring::{NodeKeyring, normalise_host, normalise_title};

use super::{Node, Owner, Refusal, content};

/// Which entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// All.
    All,
    /// Those of this exact title, compared without case.
    Title(String),
    /// Those with a URL of this host.
    Host(String),
}

/// One page.
#[derive(Debug, Clone)]
pub(crate) struct ListQuery {
    /// Which entries.
    pub(crate) filter: Filter,
    /// The cursor of the page before.
    pub(crate) cursor: Option<String>,
    /// How many, at most.
    pub(crate) limit: usize,
}

impl Node {
    /// One page, in the order of the ids.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a cursor of another making or a limit out of range.
    pub(crate) async fn list_entries(
        self: &Arc<Self>,
        owner: Owner,
        query: ListQuery,
    ) -> Result<EntryPage, Refusal> {
        if !(1..=limits::PAGE_ITEMS_MAX).contains(&query.limit) {
            return Err(Refusal::invalid("?limit", format!("1 to {}", limits::PAGE_ITEMS_MAX)));
        }
        let after = query.cursor.as_deref().map(read_cursor).transpose()?;
        if query.limit <= limits::INLINE_ROWS_MAX {
            // What an agent asks by title or host is a point read: shorter than the way to another thread and back.
            return self.page(owner, &query.filter, after, query.limit);
        }
        let node = Arc::clone(self);
        super::blocking(move || node.page(owner, &query.filter, after, query.limit)).await?
    }

    fn page(
        &self,
        owner: Owner,
        filter: &Filter,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<EntryPage, Refusal> {
        let keys = self.keys.get();
        let (vault, one_more) = (owner.vault_id, limit + 1);
        let mut found = match filter {
            Filter::All => self.store.list(vault, Kind::ENTRY, after, one_more)?,
            Filter::Title(title) => {
                let lookup = keys.lookup(vault, purpose::TITLE, &normalise_title(title));
                self.store.find(vault, &lookup, after, one_more)?
            }
            Filter::Host(host) => {
                let Some(host) = normalise_host(host) else {
                    return Err(Refusal::invalid("?host", "a host, or a URL with one"));
                };
                self.store.find(vault, &keys.lookup(vault, purpose::HOST, &host), after, one_more)?
            }
        };
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| more).map(|last| write_cursor(last.record.id));
        // A look-up may find a kind of a newer version too: then this page is shorter.
        let entries = found.iter().filter(|stored| stored.record.kind == Kind::ENTRY);
        let items = entries.map(|stored| summary(&keys, &stored.record)).collect::<Result<_, _>>()?;
        Ok(EntryPage { items, next_cursor })
    }
}

fn summary(keys: &NodeKeyring, record: &Record) -> Result<EntrySummary, Refusal> {
    let (at_rest, vault) = content::open_tier(keys, record)?;
    Ok(EntrySummary {
        id: record.id,
        version: record.version,
        entry_type: at_rest.entry_type,
        title: vault.title,
        username: vault.username,
        urls: vault.urls,
        folder: vault.folder,
        tags: vault.tags,
        favorite: vault.favorite,
        updated_at_ms: record.updated_at_ms,
    })
}

fn write_cursor(last: RecordId) -> String {
    URL_SAFE_NO_PAD.encode(last.as_bytes())
}

fn read_cursor(cursor: &str) -> Result<RecordId, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    bytes.map(RecordId::from_bytes).ok_or_else(|| Refusal::invalid("?cursor", "the next_cursor of a page"))
}
