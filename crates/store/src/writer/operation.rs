//! An operation of the node: guards first, then each change against what it expects, then local values and audit rows.

use clavitor_core::change::{Committed, Expect, Guard, LocalChange, WriteError};
use clavitor_core::order::Version;
use clavitor_core::replica::Role;
use rusqlite::{Connection, OptionalExtension, params};

use crate::audit;
use crate::prepare::{PreparedChange, PreparedOperation};
use crate::writer::group::Refusal;
use crate::writer::{Previous, Writer, previous};

impl Writer {
    /// Carries out one operation inside its savepoint.
    pub(crate) fn operate(&mut self, operation: PreparedOperation) -> Result<Committed, Refusal> {
        let place = &self.state.place;
        if !operation.changes.is_empty() {
            if place.role != Role::Primary || place.halted.is_some() {
                return Err(WriteError::ReadOnly.into());
            }
            self.mint_history()?;
        }
        for (index, guard) in operation.guards.iter().enumerate() {
            if !holds(&self.db, guard)? {
                return Err(WriteError::Guard { index }.into());
            }
        }
        let last = operation.changes.len();
        let mut versions = Vec::with_capacity(last);
        for (index, change) in operation.changes.iter().enumerate() {
            let previous = previous(&self.db, &change.row.id)?;
            check(index, change, previous.as_ref())?;
            self.store(&change.row, &change.sealed, previous.as_ref(), index + 1 == last)?;
            versions.push(change.row.version);
        }
        set_local(&self.db, &operation.local)?;
        for event in &operation.audit {
            audit::append(&self.db, &mut self.state.heads, event)?;
        }
        Ok(Committed { head: self.state.heads.seq, versions })
    }
}

/// Sets and removes node-local values.
pub(crate) fn set_local(db: &Connection, changes: &[LocalChange]) -> rusqlite::Result<()> {
    for LocalChange { key, value } in changes {
        match value {
            Some(value) => db
                .prepare_cached(
                    "INSERT INTO local (key, value) VALUES (?1, ?2) \
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![key, value])?,
            None => db.prepare_cached("DELETE FROM local WHERE key = ?1")?.execute(params![key])?,
        };
    }
    Ok(())
}

fn holds(db: &Connection, guard: &Guard) -> rusqlite::Result<bool> {
    match guard {
        Guard::NoRecordOfKind(kind) => db
            .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM records WHERE kind = ?1 AND deleted = 0)")?
            .query_row(params![kind.0], |row| row.get(0)),
        Guard::LookupAbsent { vault_id, lookup } => db
            .prepare_cached(
                "SELECT NOT EXISTS (SELECT 1 FROM lookups WHERE vault_id = ?1 AND purpose = ?2 AND hash = ?3)",
            )?
            .query_row(params![vault_id.as_bytes(), lookup.purpose, lookup.hash], |row| row.get(0)),
        Guard::LocalIs { key, value } => {
            let now: Option<Vec<u8>> = db
                .prepare_cached("SELECT value FROM local WHERE key = ?1")?
                .query_row(params![key], |row| row.get(0))
                .optional()?;
            Ok(now == *value)
        }
    }
}

/// Compares what a change expects with what is there.
fn check(index: usize, change: &PreparedChange, previous: Option<&Previous>) -> Result<(), WriteError> {
    let Some(previous) = previous else {
        // A tombstone of what never was would only be noise in the order.
        let creates = change.expect == Expect::Absent && !change.row.deleted;
        return if creates { Ok(()) } else { Err(WriteError::NotFound { index }) };
    };
    if previous.vault_id != change.row.vault_id || previous.kind != change.row.kind {
        return Err(WriteError::Foreign { index });
    }
    let current: Option<Version> = (!previous.deleted).then_some(previous.version);
    match (change.expect, current) {
        (Expect::Version(expected), Some(current)) if expected == current => Ok(()),
        _ => Err(WriteError::Conflict { index, current, deleted: previous.deleted }),
    }
}
