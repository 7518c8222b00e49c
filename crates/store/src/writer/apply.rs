//! A batch from the primary: one savepoint, all or nothing, chained and applied in order; what cannot be stored is
//! set aside with its bytes, and the chain goes on.

use clavitor_core::order::{Chain, Seq};
use clavitor_core::replica::{Applied, ApplyError, Role};
use clavitor_crypto::chain;
use rusqlite::{Connection, OptionalExtension, params};

use crate::columns;
use crate::prepare::{PreparedBatch, PreparedEntry, Row};
use crate::writer::group::Refusal;
use crate::writer::{Log, Previous, Writer, previous};

impl Writer {
    /// Applies one batch. What lies at or below our position is compared, what lies above is applied.
    pub(crate) fn apply(&mut self, batch: PreparedBatch) -> Result<Applied, Refusal> {
        self.check_sender(&batch)?;
        self.check_overlap(&batch)?;
        let have = self.state.heads.seq;
        for entry in batch.entries.iter().filter(|entry| entry.seq > have) {
            assert!(entry.seq == self.state.heads.seq.next(), "a checked batch is dense above our position");
            self.apply_entry(entry)?;
        }
        let place = &self.state.place;
        if place.history != batch.epoch || place.epoch_seen != batch.epoch || place.lineage != batch.lineage {
            let place = self.state.place_mut();
            place.history = batch.epoch;
            place.epoch_seen = batch.epoch;
            place.lineage = batch.lineage;
        }
        Ok(Applied::Batch {
            position: self.state.position(),
            digest: self.state.heads.digest,
            quarantined: quarantined(&self.db)?,
        })
    }

    /// Epoch, role and history. An empty node takes the history of the first batch that it is sent,
    /// at whatever epoch its pinned primary is.
    fn check_sender(&self, batch: &PreparedBatch) -> Result<(), ApplyError> {
        let place = &self.state.place;
        if batch.epoch < place.epoch_seen {
            return Err(ApplyError::Fenced { sent: batch.epoch, seen: place.epoch_seen });
        }
        if place.role != Role::Backup || self.log == Log::None {
            return Err(ApplyError::WrongRole);
        }
        if self.state.heads.seq != Seq::ZERO && batch.epoch != place.history {
            return Err(ApplyError::Malformed(format!(
                "it continues {}, not {}",
                batch.epoch, place.history
            )));
        }
        Ok(())
    }

    /// Compares the batch with our own log by chain values, from its base up to our position.
    fn check_overlap(&self, batch: &PreparedBatch) -> Result<(), Refusal> {
        let have = self.state.heads.seq;
        if batch.base.seq > have {
            return Err(ApplyError::Gap { have: self.state.position() }.into());
        }
        let mut chain = self.own_chain(batch.base.seq)?;
        if chain != batch.base.chain {
            return Err(ApplyError::Fork { at: batch.base.seq }.into());
        }
        for entry in batch.entries.iter().take_while(|entry| entry.seq <= have) {
            chain = chain::chain_next(&chain, entry.seq, &entry.sealed.hash);
            if chain != self.own_chain(entry.seq)? {
                return Err(ApplyError::Fork { at: entry.seq }.into());
            }
        }
        Ok(())
    }

    /// Our chain value at a seq that we have.
    fn own_chain(&self, at: Seq) -> Result<Chain, Refusal> {
        if at == Seq::ZERO {
            return Ok(Chain::ZERO);
        }
        if at == self.state.heads.seq {
            return Ok(self.state.heads.chain);
        }
        let found = self
            .db
            .prepare_cached("SELECT chain FROM log WHERE seq = ?1")?
            .query_row(params![columns::int(at.0)?], |row| columns::chain(row, 0))
            .optional()?;
        found.ok_or_else(|| ApplyError::Damaged { at }.into())
    }

    fn apply_entry(&mut self, entry: &PreparedEntry) -> Result<(), Refusal> {
        let reason = match &entry.row {
            Err(error) => error.to_string(),
            Ok(row) => {
                let previous = previous(&self.db, &row.id)?;
                match obstacle(row, previous.as_ref()) {
                    Some(reason) => reason.to_owned(),
                    None => {
                        self.store(row, &entry.sealed, previous.as_ref(), entry.operation_end)?;
                        return Ok(());
                    }
                }
            }
        };
        tracing::error!(event = "record_quarantined", seq = entry.seq.0, reason, "a record was set aside");
        self.db
            .prepare_cached("INSERT INTO quarantine (seq, record, reason) VALUES (?1, ?2, ?3)")?
            .execute(params![columns::int(entry.seq.0)?, entry.sealed.bytes, reason])?;
        self.advance(&entry.sealed, entry.operation_end)?;
        Ok(())
    }
}

/// Why a record that decodes cannot be stored.
fn obstacle(row: &Row, previous: Option<&Previous>) -> Option<&'static str> {
    if columns::int(row.version.0).is_err() || columns::int(row.updated_at_ms).is_err() {
        return Some("a number is beyond what the database holds");
    }
    let moved = previous.is_some_and(|p| p.vault_id != row.vault_id || p.kind != row.kind);
    moved.then_some("it would move a record to another vault or kind")
}

/// How many records are set aside.
pub(crate) fn quarantined(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT count(*) FROM quarantine")?.query_row([], |row| columns::uint(row, 0))
}
