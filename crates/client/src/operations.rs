//! Operations: several changes that happen together or not at all.

use clavitor_core::api::{OperationAnswer, OperationChange, OperationRequest};
use clavitor_core::draft::EntryDraft;
use clavitor_core::ids::{ImportId, RecordId};
use clavitor_core::limits;
use clavitor_core::order::{Seq, Version};
use clavitor_crypto::random;
use reqwest::Method;

use crate::chunk::{CHANGE_BYTES, record_bytes};
use crate::entries::OpenEntry;
use crate::error::ClientError;
use crate::http::encode;
use crate::login::now_ms;
use crate::vault::OpenVault;

/// One change of an operation.
#[derive(Debug)]
pub enum Change {
    /// Creates an entry; without an id under a new one.
    Create {
        /// The id, chosen before where a lost answer must be repeatable.
        id: Option<RecordId>,
        /// The entry.
        draft: EntryDraft,
    },
    /// Replaces an opened entry by its changed draft.
    Update(Box<OpenEntry>),
    /// Deletes an entry.
    Delete {
        /// Its id.
        id: RecordId,
        /// The version that it must have.
        version: Version,
    },
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationDone {
    /// The entry of each change, in order, with its version now.
    pub entries: Vec<(RecordId, Version)>,
    /// The node's head after the operation.
    pub seq: Seq,
}

impl OpenVault {
    /// Carries out 1 to 256 changes, all or none.
    ///
    /// - `import_id`: the import that they are part of; it is noted in each entry.
    ///
    /// # Errors
    /// [`ClientError::OperationSize`] before anything is sent (see [`crate::chunk_drafts`]); otherwise nothing was
    /// written, and the problem's `failed_index` names the change.
    pub async fn operations(
        &self,
        changes: Vec<Change>,
        import_id: Option<ImportId>,
    ) -> Result<OperationDone, ClientError> {
        let mut expected = Vec::with_capacity(changes.len());
        let mut sealed = Vec::with_capacity(changes.len());
        let mut bytes = 0;
        for change in changes {
            let (id, version, change) = self.seal_change(change, import_id)?;
            bytes += match &change {
                OperationChange::Create { entry, .. } | OperationChange::Update { entry, .. } => {
                    record_bytes(entry)
                }
                OperationChange::Delete { .. } => CHANGE_BYTES,
            };
            expected.push((id, version));
            sealed.push(change);
        }
        let (max_changes, max_bytes) = (limits::OPERATION_RECORDS_MAX, limits::OPERATION_BYTES_MAX);
        let changes = sealed.len();
        if changes == 0 || changes > max_changes || bytes > max_bytes {
            return Err(ClientError::OperationSize { changes, bytes, max_changes, max_bytes });
        }
        let body = encode(&OperationRequest { changes: sealed, import_id });
        if body.len() > limits::OPERATION_BODY_BYTES_MAX {
            let (bytes, max_bytes) = (body.len(), limits::OPERATION_BODY_BYTES_MAX);
            return Err(ClientError::OperationSize { changes, bytes, max_changes, max_bytes });
        }
        let call = || self.call(Method::POST, &["operations"]).encoded_body(body.clone());
        let answer: OperationAnswer = self.json(call).await?;
        let versions = expected.iter().map(|(_, version)| version);
        if !versions.eq(&answer.versions) {
            return Err(self.http.bad_answer("other versions than the ones written"));
        }
        Ok(OperationDone { entries: expected, seq: answer.seq })
    }

    fn seal_change(
        &self,
        change: Change,
        import_id: Option<ImportId>,
    ) -> Result<(RecordId, Version, OperationChange), ClientError> {
        Ok(match change {
            Change::Create { id, draft } => {
                let id = id.unwrap_or_else(|| random::record_id(now_ms()));
                let entry = Box::new(self.seal_new(id, &draft, import_id)?);
                (id, Version::FIRST, OperationChange::Create { id, entry })
            }
            Change::Update(open) => {
                let (id, if_version) = (open.id, open.version);
                let entry = Box::new(self.seal_next(&open, import_id.or(open.import_id()))?);
                (id, if_version.next(), OperationChange::Update { id, if_version, entry })
            }
            Change::Delete { id, version } => {
                (id, version.next(), OperationChange::Delete { id, if_version: version })
            }
        })
    }
}
