//! Records: everything that a backup must have, and the one encoding in which it is stored, hashed and sent.

use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::ids::{RecordId, VaultId};
use crate::kind::Kind;
use crate::limits;
use crate::order::{Seq, Version};

/// A keyed blind index of one value, for exact look-ups without plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct Lookup {
    /// What the value is for: one of [`purpose`].
    #[n(0)]
    pub purpose: u16,
    /// HMAC-SHA-256 over the normalised value, under a sub-key per vault and purpose.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: [u8; 32],
}

/// The purposes of look-ups. Fixed for ever.
pub mod purpose {
    /// The name of a vault (in vault records, under the node's own sub-key).
    pub const VAULT_NAME: u16 = 1;
    /// The exact title of an entry, trimmed and lower-cased.
    pub const TITLE: u16 = 2;
    /// The host of one of an entry's URLs, lower-cased, without port.
    pub const HOST: u16 = 3;
    /// The import that wrote an entry.
    pub const IMPORT: u16 = 4;
    /// The name of a POP (in pop records; its plain SHA-256, since POP names are not secret).
    pub const POP_NAME: u16 = 5;
}

/// One record: the unit of storage, of versions and of replication.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Record {
    /// UUIDv7, chosen by whoever seals the record.
    #[n(0)]
    pub id: RecordId,
    /// The vault it belongs to, nil for records of the node.
    #[n(1)]
    pub vault_id: VaultId,
    /// What it is.
    #[n(2)]
    pub kind: Kind,
    /// From 1, one more with each change.
    #[n(3)]
    pub version: Version,
    /// Whether this is a tombstone: then `lookups` and `payload` are empty.
    #[n(4)]
    pub deleted: bool,
    /// Blind indexes, derived into a table of their own by the store.
    #[n(5)]
    pub lookups: Vec<Lookup>,
    /// What the kind needs; secret fields are already sealed.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub payload: Vec<u8>,
    /// Wall-clock time of the change in milliseconds; information, never an order.
    #[n(7)]
    pub updated_at_ms: u64,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The bytes do not decode.
    #[error("record bytes do not decode: {0}")]
    Malformed(String),
    /// The record is larger than one record may be.
    #[error("a record of {bytes} bytes is over the limit of {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A tombstone must be empty.
    #[error("a tombstone carries a payload")]
    TombstoneWithPayload,
}

impl Record {
    /// The wire encoding: what is stored, hashed and forwarded as received.
    ///
    /// # Errors
    /// - [`RecordError::TooLarge`]: over [`limits::RECORD_BYTES_MAX`].
    /// - [`RecordError::TombstoneWithPayload`]: a deletion with content.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        let bytes = minicbor::to_vec(self).expect("encoding into a Vec cannot fail");
        check_size(bytes.len())?;
        Ok(bytes)
    }

    /// Reads a record; fields that a newer version added are ignored here, so keep the bytes to forward them.
    ///
    /// # Errors
    /// As [`Record::encode`], and [`RecordError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        check_size(bytes.len())?;
        let mut decoder = minicbor::Decoder::new(bytes);
        let record: Self = decoder.decode().map_err(|e| RecordError::Malformed(e.to_string()))?;
        if decoder.position() != bytes.len() {
            return Err(RecordError::Malformed("bytes after the record".to_owned()));
        }
        record.check()?;
        Ok(record)
    }

    fn check(&self) -> Result<(), RecordError> {
        if self.deleted && !(self.payload.is_empty() && self.lookups.is_empty()) {
            return Err(RecordError::TombstoneWithPayload);
        }
        Ok(())
    }
}

fn check_size(bytes: usize) -> Result<(), RecordError> {
    if bytes > limits::RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge { bytes, max: limits::RECORD_BYTES_MAX });
    }
    Ok(())
}

/// A record as it lies in the store, with its place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place in the order.
    pub seq: Seq,
    /// The record.
    pub record: Record,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record {
        Record {
            id: RecordId::from_bytes([1; 16]),
            vault_id: VaultId::from_bytes([2; 16]),
            kind: Kind::ENTRY,
            version: Version(3),
            deleted: false,
            lookups: vec![Lookup { purpose: purpose::TITLE, hash: [9; 32] }],
            payload: vec![1, 2, 3],
            updated_at_ms: 4,
        }
    }

    #[test]
    fn a_record_reads_back() {
        let bytes = sample().encode().unwrap();
        assert_eq!(Record::decode(&bytes).unwrap(), sample());
    }

    #[test]
    fn bad_records_are_refused() {
        let mut bytes = sample().encode().unwrap();
        bytes.push(0);
        assert!(matches!(Record::decode(&bytes), Err(RecordError::Malformed(_))));
        assert!(matches!(Record::decode(&bytes[..bytes.len() - 5]), Err(RecordError::Malformed(_))));
        let tombstone = Record { deleted: true, ..sample() };
        assert_eq!(tombstone.encode(), Err(RecordError::TombstoneWithPayload));
        let huge = Record { payload: vec![0; limits::RECORD_BYTES_MAX], ..sample() };
        assert!(matches!(huge.encode(), Err(RecordError::TooLarge { .. })));
    }

    #[test]
    fn a_field_of_a_newer_version_is_ignored() {
        #[derive(Encode)]
        struct Newer {
            #[n(0)]
            id: RecordId,
            #[n(1)]
            vault_id: VaultId,
            #[n(2)]
            kind: Kind,
            #[n(3)]
            version: Version,
            #[n(4)]
            deleted: bool,
            #[n(5)]
            lookups: Vec<Lookup>,
            #[cbor(n(6), with = "minicbor::bytes")]
            payload: Vec<u8>,
            #[n(7)]
            updated_at_ms: u64,
            #[n(8)]
            new: u8,
        }
        let old = sample();
        let bytes = minicbor::to_vec(Newer {
            id: old.id,
            vault_id: old.vault_id,
            kind: old.kind,
            version: old.version,
            deleted: old.deleted,
            lookups: old.lookups.clone(),
            payload: old.payload.clone(),
            updated_at_ms: old.updated_at_ms,
            new: 7,
        })
        .unwrap();
        assert_eq!(Record::decode(&bytes).unwrap(), old);
    }
}
