//! The first start of a replicating edition on the file of a node that did not replicate: one migration that mints a
//! history, numbers all records anew from 1 in their old order, and writes the log.

use std::path::Path;

use clavitor_core::ids::RecordId;
use clavitor_core::order::{Chain, Digest, Seq};
use clavitor_crypto::chain;
use rusqlite::{Connection, Transaction, params};

use crate::columns;
use crate::error::OpenError;
use crate::meta::{self, State};
use crate::open::migrate;
use crate::writer::{NO_EPOCH_LEFT, append_log, mint};

/// Takes the file over, in one transaction, after a copy of the whole was made beside it.
pub(crate) fn take_over(
    db: &mut Connection,
    path: &Path,
    state: &mut State,
    epoch_nonce: u64,
) -> Result<(), OpenError> {
    let mut minted = state.clone();
    mint(&mut minted, epoch_nonce)
        .ok_or_else(|| OpenError::Damaged { path: path.to_path_buf(), what: NO_EPOCH_LEFT.to_owned() })?;
    let copy = migrate::copy_before(db, path, ".before-replication")?;
    let taken = renumber(db, state, minted).map_err(|e| OpenError::sqlite(path, e))?;
    tracing::info!(
        event = "history_minted",
        history = %taken.place.history,
        head = taken.heads.seq.0,
        copy = %copy.display()
    );
    *state = taken;
    Ok(())
}

fn renumber(db: &mut Connection, old: &State, mut state: State) -> rusqlite::Result<State> {
    let tx = db.transaction()?;
    state.heads.seq = Seq::ZERO;
    state.heads.chain = Chain::ZERO;
    state.heads.digest = Digest::ZERO;
    for id in in_old_order(&tx)? {
        number_next(&tx, &mut state, &id)?;
    }
    meta::save(&tx, old, &state)?;
    tx.commit()?;
    Ok(state)
}

/// The ids alone: the records themselves are read one by one.
fn in_old_order(tx: &Transaction<'_>) -> rusqlite::Result<Vec<RecordId>> {
    let mut statement = tx.prepare("SELECT id FROM records ORDER BY seq")?;
    let ids = statement.query_map([], |row| row.get(0).map(RecordId::from_bytes))?;
    ids.collect()
}

/// Each record is an operation of its own: where operations ended was not kept.
fn number_next(tx: &Transaction<'_>, state: &mut State, id: &RecordId) -> rusqlite::Result<()> {
    let bytes: Vec<u8> = tx
        .prepare_cached("SELECT bytes FROM records WHERE id = ?1")?
        .query_row(params![id.as_bytes()], |row| row.get(0))?;
    let heads = &mut state.heads;
    let seq = heads.seq.next();
    let hash = chain::record_hash(&bytes);
    heads.seq = seq;
    heads.chain = chain::chain_next(&heads.chain, seq, &hash);
    heads.digest = heads.digest.plus(&chain::digest_term(seq, &hash));
    append_log(tx, heads, seq, &bytes, true)?;
    tx.prepare_cached("UPDATE records SET seq = ?2 WHERE id = ?1")?
        .execute(params![id.as_bytes(), columns::int(seq.0)?])?;
    Ok(())
}
