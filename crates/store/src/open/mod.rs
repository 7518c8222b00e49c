//! From a path to a database that may be written: what is there is looked at read-only first, and left as it is when
//! it cannot be used; then migrated, checked, and its start counted.

mod connection;
mod file;
mod migrate;
pub(crate) mod offline;
mod takeover;

pub(crate) use connection::open_reader;
#[cfg(test)]
pub(crate) use migrate::{MIGRATIONS, Migration, migrate};

use std::path::Path;

use clavitor_core::ids::CellId;
use clavitor_core::order::{Chain, Epoch, Seq};
use clavitor_crypto::chain;
use rusqlite::{Connection, OptionalExtension, params};

use crate::columns;
use crate::error::OpenError;
use crate::meta::{self, State};
use crate::writer::Log;

/// Opens the database for the writer, creating it where there is none.
///
/// - `log`: [`Log::Kept`] turns the file of a node that did not replicate into one that does, in one transaction.
/// - `epoch_nonce`: of the history that is then minted.
pub(crate) fn open_for_writer(
    path: &Path,
    log: Log,
    cell: CellId,
    epoch_nonce: u64,
) -> Result<(Connection, State), OpenError> {
    connection::check_version()?;
    if !file::exists(path)? {
        file::create(path, cell)?;
    }
    let existing = file::inspect(path)?;
    if log == Log::None && existing.in_a_cell {
        return Err(OpenError::HasHistory { path: path.to_path_buf() });
    }
    let sqlite = |e| OpenError::sqlite(path, e);
    let mut db = connection::open_writer(path).map_err(sqlite)?;
    migrate::migrate(&mut db, path, migrate::MIGRATIONS)?;
    let mut state = load(&db, path)?;
    if log == Log::Kept && state.place.history == Epoch::NONE && state.heads.seq != Seq::ZERO {
        takeover::take_over(&mut db, path, &mut state, epoch_nonce)?;
    }
    check_log(&db, path, &state)?;
    count_start(&mut db, &mut state).map_err(sqlite)?;
    Ok((db, state))
}

/// Reads where the node stands.
pub(crate) fn load(db: &Connection, path: &Path) -> Result<State, OpenError> {
    let state = meta::load(db).map_err(|e| OpenError::sqlite(path, e))?;
    state.ok_or_else(|| no_meta(path))
}

fn no_meta(path: &Path) -> OpenError {
    let what = "the row that says where the node stands is gone".to_owned();
    OpenError::Damaged { path: path.to_path_buf(), what }
}

/// Checks that the last row of the log recomputes and is what `meta` says.
fn check_log(db: &Connection, path: &Path, state: &State) -> Result<(), OpenError> {
    let heads = &state.heads;
    let damaged = |what: &str| OpenError::log(path, heads.seq, what);
    let sqlite = |e| OpenError::sqlite(path, e);
    let last: Option<u64> = db
        .query_row("SELECT max(seq) FROM log", [], |row| {
            row.get::<_, Option<i64>>(0).map(|seq| seq.and_then(|seq| u64::try_from(seq).ok()))
        })
        .map_err(sqlite)?;
    let expected = if state.place.history == Epoch::NONE { 0 } else { heads.seq.0 };
    if last.unwrap_or(0) != expected {
        return Err(damaged(&format!("its last row is {}, not {expected}", last.unwrap_or(0))));
    }
    if expected == 0 {
        return Ok(());
    }
    let row = db
        .query_row(
            "SELECT bytes, operation_end, digest, chain FROM log WHERE seq = ?1",
            [expected_int(heads.seq)],
            |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, bool>(1)?,
                    columns::digest(row, 2)?,
                    columns::chain(row, 3)?,
                ))
            },
        )
        .map_err(sqlite)?;
    let (bytes, operation_end, digest, chain) = row;
    let before = chain_at(db, Seq(heads.seq.0 - 1)).map_err(sqlite)?;
    let before = before.ok_or_else(|| damaged("the row before it is gone"))?;
    if chain::chain_next(&before, heads.seq, &chain::record_hash(&bytes)) != chain {
        return Err(damaged("its last row does not recompute"));
    }
    if chain != heads.chain || digest != heads.digest {
        return Err(damaged("its last row is not where the node says it stands"));
    }
    if !operation_end {
        return Err(damaged("it ends inside an operation"));
    }
    Ok(())
}

fn expected_int(seq: Seq) -> i64 {
    columns::int(seq.0).expect("it was read from a column")
}

/// The chain value at a seq, while the log knows it.
pub(crate) fn chain_at(db: &Connection, seq: Seq) -> rusqlite::Result<Option<Chain>> {
    if seq == Seq::ZERO {
        return Ok(Some(Chain::ZERO));
    }
    db.prepare_cached("SELECT chain FROM log WHERE seq = ?1")?
        .query_row(params![columns::int(seq.0)?], |row| columns::chain(row, 0))
        .optional()
}

fn count_start(db: &mut Connection, state: &mut State) -> rusqlite::Result<()> {
    let before = state.clone();
    state.place_mut().starts += 1;
    let tx = db.transaction()?;
    meta::save(&tx, &before, state)?;
    tx.commit()
}
