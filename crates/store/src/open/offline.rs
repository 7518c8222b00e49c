//! What is done to a database while no node uses it. The caller holds the folder lock.

use std::path::Path;

use clavitor_core::ids::{CellId, RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::order::{Chain, Digest, Epoch, Seq};
use clavitor_core::record::Record;
use clavitor_core::replica::Role;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Transaction, params};

use crate::columns;
use crate::error::OpenError;
use crate::meta;
use crate::open::{connection, file, load, migrate};
use crate::writer::insert_lookups;

/// Takes the node out of its cell: log, history, lineage and cursors go, and so does all that names the cell or its
/// members: its id, the `pop` records, node-local values. The other records, audit rows and what lies in quarantine
/// stay. Afterwards it is a primary by itself, in any edition; nobody's pin is left on it.
///
/// The greatest epoch seen is kept, so that a later history of this file stands above all that it knew. The records
/// keep their order; the gaps in it close when a later history numbers them anew.
///
/// - `cell`: a new id. Two nodes that name the same cell would take each other for members.
/// - `kept_local`: the prefix of the node-local values that have nothing to do with a cell, and stay.
/// - returns: whether there was a cell to leave; if not, nothing was changed.
///
/// # Errors
/// [`OpenError`]; the file is as it was.
pub fn leave_replication(path: &Path, cell: CellId, kept_local: &str) -> Result<bool, OpenError> {
    let mut db = open_existing(path)?;
    let state = load(&db, path)?;
    if state.place.history == Epoch::NONE && state.place.pop.is_none() {
        return Ok(false);
    }
    leave(&mut db, state, cell, kept_local).map_err(|e| OpenError::sqlite(path, e))?;
    Ok(true)
}

fn leave(db: &mut Connection, before: meta::State, cell: CellId, kept_local: &str) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    tx.execute_batch("DELETE FROM log; DELETE FROM peers;")?;
    tx.execute(
        "DELETE FROM lookups WHERE record_id IN (SELECT id FROM records WHERE kind = ?1)",
        params![Kind::POP.0],
    )?;
    tx.execute("DELETE FROM records WHERE kind = ?1", params![Kind::POP.0])?;
    tx.execute("DELETE FROM local WHERE substr(key, 1, length(?1)) <> ?1", params![kept_local])?;
    let mut state = before.clone();
    state.heads.chain = Chain::ZERO;
    state.heads.digest = Digest::ZERO;
    let place = state.place_mut();
    place.cell = cell;
    place.pop = None;
    place.role = Role::Primary;
    place.history = Epoch::NONE;
    place.log_floor = Seq::ZERO;
    place.halted = None;
    place.lineage = Vec::new();
    meta::save(&tx, &before, &state)?;
    tx.commit()
}

/// Derives the blind indexes anew from the records.
///
/// # Errors
/// [`OpenError`]; the file is as it was.
pub fn rebuild_lookups(path: &Path) -> Result<(), OpenError> {
    let mut db = open_existing(path)?;
    let rebuilt = db.transaction().and_then(|tx| {
        derive_lookups(&tx)?;
        tx.commit()
    });
    rebuilt.map_err(|e| OpenError::sqlite(path, e))
}

fn derive_lookups(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM lookups", [])?;
    let mut statement = tx.prepare("SELECT id, vault_id, bytes FROM records WHERE deleted = 0")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, vault_id) = (RecordId::from_bytes(row.get(0)?), VaultId::from_bytes(row.get(1)?));
        let bytes: Vec<u8> = row.get(2)?;
        let record =
            Record::decode(&bytes).map_err(|e| columns::broken(2, FromSqlError::Other(Box::new(e))))?;
        insert_lookups(tx, &vault_id, &id, &record.lookups)?;
    }
    Ok(())
}

fn open_existing(path: &Path) -> Result<Connection, OpenError> {
    connection::check_version()?;
    if !file::exists(path)? {
        return Err(OpenError::Missing { path: path.to_path_buf() });
    }
    file::inspect(path)?;
    let mut db = connection::open_writer(path).map_err(|e| OpenError::sqlite(path, e))?;
    migrate::migrate(&mut db, path, migrate::MIGRATIONS)?;
    Ok(db)
}
