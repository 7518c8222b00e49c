//! Single entries and lists of them. Whatever is opened has passed its manifest.

use clavitor_core::api::{EntryAnswer, EntryPage, EntrySummary, WriteAnswer};
use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::Entry;
use clavitor_core::ids::{ImportId, RecordId};
use clavitor_core::limits;
use clavitor_core::order::Version;
use clavitor_crypto::entry::{self, Place};
use clavitor_crypto::random;
use reqwest::Method;
use reqwest::header::{IF_MATCH, IF_NONE_MATCH};

use crate::error::ClientError;
use crate::http::Call;
use crate::login::now_ms;
use crate::vault::OpenVault;

/// An entry, opened.
#[derive(Debug)]
pub struct OpenEntry {
    /// Its id.
    pub id: RecordId,
    /// Its version.
    pub version: Version,
    /// When it last changed, by the primary's wall clock.
    pub updated_at_ms: u64,
    /// Its content; change it and give it to [`OpenVault::update`].
    pub draft: EntryDraft,
    /// As it is stored: the next version continues from it.
    stored: Entry,
}

impl OpenEntry {
    /// The import that wrote it.
    pub fn import_id(&self) -> Option<ImportId> {
        self.stored.import_id
    }
}

/// Which rows of a list.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// How many, at most [`limits::PAGE_ITEMS_MAX`], which is also the default.
    pub limit: Option<usize>,
    /// The page before's `next_cursor`.
    pub cursor: Option<String>,
    /// Only entries of exactly this title (trimmed, without case).
    pub title: Option<String>,
    /// Only entries with a URL of this host.
    pub host: Option<String>,
}

impl OpenVault {
    /// Creates an entry under a new id.
    ///
    /// # Errors
    /// [`ClientError::Seal`] before anything is sent; [`ClientError::ReadOnly`]; others as the node refuses.
    pub async fn create(&self, draft: &EntryDraft) -> Result<WriteAnswer, ClientError> {
        self.create_as(random::record_id(now_ms()), draft).await
    }

    /// Creates an entry under an id chosen before, so that a try whose answer was lost can be repeated.
    ///
    /// # Errors
    /// As [`Self::create`]; [`ClientError::Refused`] with `exists` where the id is taken.
    pub async fn create_as(&self, id: RecordId, draft: &EntryDraft) -> Result<WriteAnswer, ClientError> {
        let entry = self.seal_new(id, draft, None)?;
        let answer =
            self.json(|| self.entry_call(Method::PUT, id).header(IF_NONE_MATCH, "*").body(&entry)).await?;
        self.check_write(id, Version::FIRST, answer)
    }

    /// Replaces an entry that was opened before by its (changed) draft.
    ///
    /// # Errors
    /// [`ClientError::Changed`]: someone else was faster, nothing was written; otherwise as [`Self::create`].
    pub async fn update(&self, entry: &OpenEntry) -> Result<WriteAnswer, ClientError> {
        let sealed = self.seal_next(entry, entry.import_id())?;
        let tag = tag(entry.version);
        let call = || self.entry_call(Method::PUT, entry.id).header(IF_MATCH, &tag).body(&sealed);
        let answer = self.json(call).await?;
        self.check_write(entry.id, entry.version.next(), answer)
    }

    /// Replaces an entry that is known by id and version; reads it first, since the next version continues from it.
    ///
    /// # Errors
    /// As [`Self::get`] and [`Self::update`].
    pub async fn put(
        &self,
        id: RecordId,
        version: Version,
        draft: EntryDraft,
    ) -> Result<WriteAnswer, ClientError> {
        let stored = self.get(id).await?;
        if stored.version != version {
            return Err(ClientError::Changed { current: Some(stored.version), problem: None });
        }
        self.update(&OpenEntry { draft, ..stored }).await
    }

    /// Reads and opens an entry.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; [`ClientError::Tampered`]: it is not what its owner sealed.
    pub async fn get(&self, id: RecordId) -> Result<OpenEntry, ClientError> {
        let answer: EntryAnswer = self.json(|| self.entry_call(Method::GET, id)).await?;
        if answer.id != id {
            return Err(ClientError::Tampered { what: "another entry than the one asked for".to_owned() });
        }
        let draft = entry::open(&self.key(), self.place(id, answer.version), &answer.entry)?;
        let EntryAnswer { version, updated_at_ms, entry: stored, .. } = answer;
        Ok(OpenEntry { id, version, updated_at_ms, draft, stored })
    }

    /// Deletes an entry: a tombstone stays.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::Changed`], [`ClientError::ReadOnly`].
    pub async fn delete(&self, id: RecordId, version: Version) -> Result<WriteAnswer, ClientError> {
        let call = || self.entry_call(Method::DELETE, id).header(IF_MATCH, &tag(version));
        let answer = self.json(call).await?;
        self.check_write(id, version.next(), answer)
    }

    /// One page of the list. Titles here are unproved: open an entry before trusting it.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::Refused`].
    pub async fn list(&self, request: &ListRequest) -> Result<EntryPage, ClientError> {
        let limit = request.limit.unwrap_or(limits::PAGE_ITEMS_MAX).to_string();
        let call = || {
            let mut call = self.call(Method::GET, &["entries"]).query("limit", &limit);
            let filters = [("cursor", &request.cursor), ("title", &request.title), ("host", &request.host)];
            for (name, value) in filters {
                if let Some(value) = value {
                    call = call.query(name, value);
                }
            }
            call
        };
        self.json(call).await
    }

    /// The whole list, in the order of ids.
    ///
    /// # Errors
    /// As [`Self::list`]; [`ClientError::BadAnswer`] where the pages do not go forward.
    pub async fn list_all(&self) -> Result<Vec<EntrySummary>, ClientError> {
        self.list_matching(ListRequest::default()).await
    }

    /// All rows that a request selects, page by page.
    pub(crate) async fn list_matching(
        &self,
        mut request: ListRequest,
    ) -> Result<Vec<EntrySummary>, ClientError> {
        let mut rows: Vec<EntrySummary> = Vec::new();
        loop {
            let page = self.list(&request).await?;
            let last = rows.last().map(|row| row.id);
            if page.items.first().is_some_and(|row| last.is_some_and(|last| row.id <= last)) {
                return Err(self.http.bad_answer("a list that does not go forward"));
            }
            let ended = page.items.is_empty() || page.next_cursor.is_none();
            rows.extend(page.items);
            if ended {
                return Ok(rows);
            }
            request.cursor = page.next_cursor;
        }
    }

    /// Seals a draft as the first version of an entry.
    pub(crate) fn seal_new(
        &self,
        id: RecordId,
        draft: &EntryDraft,
        import_id: Option<ImportId>,
    ) -> Result<Entry, ClientError> {
        Ok(entry::seal(&self.key(), self.place(id, Version::FIRST), None, draft, import_id)?)
    }

    /// Seals the next version of an opened entry.
    pub(crate) fn seal_next(
        &self,
        entry: &OpenEntry,
        import_id: Option<ImportId>,
    ) -> Result<Entry, ClientError> {
        let place = self.place(entry.id, entry.version.next());
        Ok(entry::seal(&self.key(), place, Some(&entry.stored), &entry.draft, import_id)?)
    }

    fn place(&self, entry_id: RecordId, version: Version) -> Place {
        Place { vault_id: self.vault_id(), entry_id, version }
    }

    fn entry_call(&self, method: Method, id: RecordId) -> Call {
        self.call(method, &["entries", &id.to_string()])
    }

    /// The version that was sealed must be the one that was stored: otherwise nobody could open it.
    fn check_write(
        &self,
        id: RecordId,
        version: Version,
        answer: WriteAnswer,
    ) -> Result<WriteAnswer, ClientError> {
        if answer.id != id || answer.version != version {
            return Err(self.http.bad_answer("another entry or version than the one written"));
        }
        Ok(answer)
    }
}

/// The `ETag` of a version.
fn tag(version: Version) -> String {
    format!("\"{version}\"")
}
