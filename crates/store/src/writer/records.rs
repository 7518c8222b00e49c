//! Rows of `records`, `lookups` and `log`, and what each does to chain and digest.

use clavitor_core::change::WriteError;
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::order::{Epoch, Seq, Version};
use clavitor_core::record::{Lookup, Record, RecordError};
use clavitor_crypto::chain;
use rusqlite::{Connection, OptionalExtension, params};

use crate::columns;
use crate::meta::{Heads, State};
use crate::prepare::{Row, Sealed};
use crate::writer::Writer;

/// Whether a node keeps the log that its backups are fed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// It replicates.
    Kept,
    /// It does not; chain and digest stay zero.
    None,
}

/// The record that a write replaces.
#[derive(Debug)]
pub(crate) struct Previous {
    pub(crate) vault_id: VaultId,
    pub(crate) kind: Kind,
    pub(crate) seq: Seq,
    pub(crate) version: Version,
    pub(crate) deleted: bool,
    pub(crate) bytes: Vec<u8>,
}

/// Reads the record, or tombstone, under an id.
pub(crate) fn previous(db: &Connection, id: &RecordId) -> rusqlite::Result<Option<Previous>> {
    db.prepare_cached("SELECT vault_id, kind, seq, version, deleted, bytes FROM records WHERE id = ?1")?
        .query_row(params![id.as_bytes()], |row| {
            Ok(Previous {
                vault_id: VaultId::from_bytes(row.get(0)?),
                kind: Kind(row.get(1)?),
                seq: columns::seq(row, 2)?,
                version: columns::version(row, 3)?,
                deleted: row.get(4)?,
                bytes: row.get(5)?,
            })
        })
        .optional()
}

impl Writer {
    /// Gives a record the next place in the order and stores it in place of `previous`; appends to the log.
    pub(crate) fn store(
        &mut self,
        row: &Row,
        sealed: &Sealed,
        previous: Option<&Previous>,
        operation_end: bool,
    ) -> rusqlite::Result<()> {
        let seq = self.state.heads.seq.next();
        match previous {
            None => insert(&self.db, row, &sealed.bytes, seq)?,
            Some(previous) => {
                replace(&self.db, row, &sealed.bytes, seq)?;
                remove_lookups(&self.db, row, previous)?;
            }
        }
        insert_lookups(&self.db, &row.vault_id, &row.id, &row.lookups)?;
        if self.log == Log::Kept {
            let digest = &mut self.state.heads.digest;
            if let Some(previous) = previous {
                let old = chain::record_hash(&previous.bytes);
                *digest = digest.minus(&chain::digest_term(previous.seq, &old));
            }
            *digest = digest.plus(&chain::digest_term(seq, &sealed.hash));
        }
        self.advance(sealed, operation_end)
    }

    /// Takes the next place in the order for these bytes: head, chain and log row. The digest is already that after it.
    pub(crate) fn advance(&mut self, sealed: &Sealed, operation_end: bool) -> rusqlite::Result<()> {
        let heads = &mut self.state.heads;
        let seq = heads.seq.next();
        if self.log == Log::Kept {
            heads.chain = chain::chain_next(&heads.chain, seq, &sealed.hash);
            append_log(&self.db, heads, seq, &sealed.bytes, operation_end)?;
        }
        heads.seq = seq;
        Ok(())
    }

    /// Names the history in which this node numbers its changes, where it has none yet.
    ///
    /// # Errors
    /// [`WriteError::Disk`] where no epoch is left: the file is damaged.
    pub(crate) fn mint_history(&mut self) -> Result<(), WriteError> {
        if self.log == Log::Kept && self.state.place.history == Epoch::NONE {
            mint(&mut self.state, self.epoch_nonce)
                .ok_or_else(|| WriteError::Disk(NO_EPOCH_LEFT.to_owned()))?;
        }
        Ok(())
    }
}

/// What is told where [`mint`] cannot.
pub(crate) const NO_EPOCH_LEFT: &str = "it has seen the last epoch that there is, and none is above it";

/// Mints a history above every epoch that this node has seen; `None`, and nothing changed, where none is.
#[must_use]
pub(crate) fn mint(state: &mut State, nonce: u64) -> Option<()> {
    let number = state.place.epoch_seen.number.checked_add(1)?;
    let place = state.place_mut();
    place.history = Epoch { number, nonce };
    place.epoch_seen = place.history;
    Some(())
}

/// Appends one row to the log; `heads` carry chain and digest as they are at `seq`.
pub(crate) fn append_log(
    db: &Connection,
    heads: &Heads,
    seq: Seq,
    bytes: &[u8],
    operation_end: bool,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO log (seq, bytes, operation_end, digest, chain) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![columns::int(seq.0)?, bytes, operation_end, heads.digest.0, heads.chain.0])?;
    Ok(())
}

fn insert(db: &Connection, row: &Row, bytes: &[u8], seq: Seq) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO records (id, vault_id, kind, seq, version, deleted, updated_at_ms, bytes) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        row.id.as_bytes(),
        row.vault_id.as_bytes(),
        row.kind.0,
        columns::int(seq.0)?,
        columns::int(row.version.0)?,
        row.deleted,
        columns::int(row.updated_at_ms)?,
        bytes
    ])?;
    Ok(())
}

/// A living record that stays alive leaves the index of living records alone; that is the common case.
fn replace(db: &Connection, row: &Row, bytes: &[u8], seq: Seq) -> rusqlite::Result<()> {
    let changed = db
        .prepare_cached(
            "UPDATE records SET seq = ?2, version = ?3, updated_at_ms = ?4, bytes = ?5 WHERE id = ?1 AND deleted = ?6",
        )?
        .execute(params![
            row.id.as_bytes(),
            columns::int(seq.0)?,
            columns::int(row.version.0)?,
            columns::int(row.updated_at_ms)?,
            bytes,
            row.deleted
        ])?;
    if changed == 1 {
        return Ok(());
    }
    db.prepare_cached(
        "UPDATE records SET seq = ?2, version = ?3, updated_at_ms = ?4, bytes = ?5, deleted = ?6 WHERE id = ?1",
    )?
    .execute(params![
        row.id.as_bytes(),
        columns::int(seq.0)?,
        columns::int(row.version.0)?,
        columns::int(row.updated_at_ms)?,
        bytes,
        row.deleted
    ])?;
    Ok(())
}

fn remove_lookups(db: &Connection, row: &Row, previous: &Previous) -> rusqlite::Result<()> {
    if previous.deleted {
        return Ok(());
    }
    let old = Record::decode(&previous.bytes).map_err(not_a_record)?;
    let mut statement = db.prepare_cached(
        "DELETE FROM lookups WHERE vault_id = ?1 AND purpose = ?2 AND hash = ?3 AND record_id = ?4",
    )?;
    for lookup in old.lookups.iter().filter(|old| !row.lookups.contains(old)) {
        statement.execute(params![
            row.vault_id.as_bytes(),
            lookup.purpose,
            lookup.hash,
            row.id.as_bytes()
        ])?;
    }
    Ok(())
}

/// Derives the rows of `lookups` of one record.
pub(crate) fn insert_lookups(
    db: &Connection,
    vault_id: &VaultId,
    id: &RecordId,
    lookups: &[Lookup],
) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT OR IGNORE INTO lookups (vault_id, purpose, hash, record_id) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for lookup in lookups {
        statement.execute(params![vault_id.as_bytes(), lookup.purpose, lookup.hash, id.as_bytes()])?;
    }
    Ok(())
}

/// Stored bytes that are no record: the file is damaged.
fn not_a_record(error: RecordError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error))
}
