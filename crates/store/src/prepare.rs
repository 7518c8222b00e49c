//! What is done before a write is queued, on the caller's thread: encoding, hashing, checks of form and size.
//! The writer thread then only compares, chains and inserts.

use clavitor_core::audit::SealedAudit;
use clavitor_core::change::{Change, Expect, Guard, LocalChange, Operation, WriteError};
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::{Epoch, Position, Seq, Version};
use clavitor_core::record::{Lookup, Record, RecordError};
use clavitor_core::replica::{Adopt, ApplyBatch, ApplyError, LineageEntry, LogEntry, ReplicaWrite};
use clavitor_crypto::chain;

/// One record, ready to be inserted.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: RecordId,
    pub(crate) vault_id: VaultId,
    pub(crate) kind: Kind,
    pub(crate) version: Version,
    pub(crate) deleted: bool,
    pub(crate) updated_at_ms: u64,
    pub(crate) lookups: Vec<Lookup>,
}

/// The bytes of a record with their hash.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: [u8; 32],
}

/// One change of an operation.
#[derive(Debug)]
pub(crate) struct PreparedChange {
    pub(crate) expect: Expect,
    pub(crate) row: Row,
    pub(crate) sealed: Sealed,
}

/// An operation, ready for the writer.
#[derive(Debug)]
pub(crate) struct PreparedOperation {
    pub(crate) guards: Vec<Guard>,
    pub(crate) changes: Vec<PreparedChange>,
    pub(crate) local: Vec<LocalChange>,
    pub(crate) audit: Vec<SealedAudit>,
}

/// One entry of a batch; `row` is the reason for quarantine where the bytes are no record.
#[derive(Debug)]
pub(crate) struct PreparedEntry {
    pub(crate) seq: Seq,
    pub(crate) operation_end: bool,
    pub(crate) sealed: Sealed,
    pub(crate) row: Result<Row, RecordError>,
}

/// A well-formed batch, ready for the writer.
#[derive(Debug)]
pub(crate) struct PreparedBatch {
    pub(crate) epoch: Epoch,
    pub(crate) base: Position,
    pub(crate) entries: Vec<PreparedEntry>,
    pub(crate) lineage: Vec<LineageEntry>,
}

/// A write, ready for the writer.
#[derive(Debug)]
pub(crate) enum Work {
    /// An operation of the node.
    Operation(PreparedOperation),
    /// A batch from the primary.
    Apply(PreparedBatch),
    /// The node's place in a cell.
    Adopt(Adopt),
    /// Only the cursors.
    FlushCursors,
}

impl Row {
    fn of(record: Record) -> Self {
        let Record { id, vault_id, kind, version, deleted, lookups, updated_at_ms, payload: _ } = record;
        Self { id, vault_id, kind, version, deleted, updated_at_ms, lookups }
    }
}

impl Sealed {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let hash = chain::record_hash(&bytes);
        Self { bytes, hash }
    }
}

impl Work {
    /// Prepares what replication asks for.
    pub(crate) fn from_replica(write: ReplicaWrite, now_ms: u64) -> Result<Self, ApplyError> {
        Ok(match write {
            ReplicaWrite::Apply(batch) => Self::Apply(prepare_batch(*batch)?),
            ReplicaWrite::Commit(operation) => Self::Operation(prepare_operation(*operation, now_ms)?),
            ReplicaWrite::Adopt(adopt) => Self::Adopt(*adopt),
            ReplicaWrite::FlushCursors => Self::FlushCursors,
        })
    }
}

/// Encodes the changes of an operation as they will stand if their expectations hold, and checks the limits.
///
/// # Errors
/// [`WriteError::TooLarge`].
pub(crate) fn prepare_operation(operation: Operation, now_ms: u64) -> Result<PreparedOperation, WriteError> {
    let Operation { guards, changes, local, audit } = operation;
    if changes.len() > limits::OPERATION_RECORDS_MAX {
        return Err(WriteError::TooLarge { what: "records", max: limits::OPERATION_RECORDS_MAX });
    }
    let mut bytes_total = 0;
    let mut prepared = Vec::with_capacity(changes.len());
    for change in changes {
        let change = prepare_change(change, now_ms)?;
        bytes_total += change.sealed.bytes.len();
        if bytes_total > limits::OPERATION_BYTES_MAX {
            return Err(WriteError::TooLarge { what: "bytes", max: limits::OPERATION_BYTES_MAX });
        }
        prepared.push(change);
    }
    Ok(PreparedOperation { guards, changes: prepared, local, audit })
}

fn prepare_change(change: Change, now_ms: u64) -> Result<PreparedChange, WriteError> {
    let Change { id, vault_id, kind, expect, content } = change;
    let version = match expect {
        Expect::Absent => Version::FIRST,
        // No record lives at the greatest number, so a saturated one never gets past the comparison.
        Expect::Version(Version(now)) => Version(now.saturating_add(1)),
    };
    let deleted = content.is_none();
    let content = content.unwrap_or_default();
    let record = Record {
        id,
        vault_id,
        kind,
        version,
        deleted,
        lookups: content.lookups,
        payload: content.payload,
        updated_at_ms: now_ms,
    };
    let bytes = record.encode().map_err(|e| match e {
        RecordError::TooLarge { max, .. } => WriteError::TooLarge { what: "bytes of one record", max },
        RecordError::Malformed(_) | RecordError::TombstoneWithPayload => {
            unreachable!("a tombstone is built without content")
        }
    })?;
    Ok(PreparedChange { expect, row: Row::of(record), sealed: Sealed::new(bytes) })
}

/// Checks the form of a batch and reads its records.
///
/// # Errors
/// [`ApplyError::Malformed`].
pub(crate) fn prepare_batch(batch: ApplyBatch) -> Result<PreparedBatch, ApplyError> {
    let ApplyBatch { epoch, base, entries, lineage } = batch;
    let malformed = |what: &str| Err(ApplyError::Malformed(what.to_owned()));
    if epoch == Epoch::NONE {
        return malformed("it names no history");
    }
    if base.seq != Seq::ZERO && base.history != epoch {
        return malformed("its base lies in another history than its entries");
    }
    if entries.len() > limits::BATCH_RECORDS_MAX {
        return malformed("too many records");
    }
    if entries.iter().map(|entry| entry.record.len()).sum::<usize>() > limits::BATCH_BYTES_MAX {
        return malformed("too many bytes");
    }
    if lineage.len() > limits::LINEAGE_MAX {
        return malformed("its lineage is too long");
    }
    let follows = |(entry, place): (&LogEntry, u64)| entry.seq.0.checked_sub(base.seq.0) == Some(place);
    if !entries.iter().zip(1..).all(follows) {
        return malformed("its entries do not follow each other from its base");
    }
    if entries.last().is_some_and(|last| !last.operation_end) {
        return malformed("it ends inside an operation");
    }
    let entries = entries
        .into_iter()
        .map(|entry| PreparedEntry {
            seq: entry.seq,
            operation_end: entry.operation_end,
            row: Record::decode(&entry.record).map(Row::of),
            sealed: Sealed::new(entry.record),
        })
        .collect();
    Ok(PreparedBatch { epoch, base, entries, lineage })
}
