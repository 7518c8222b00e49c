//! Reads: two connections that cannot write, each behind a short lock, and the queries that run on them.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::order::{Chain, Digest, Position, Seq};
use clavitor_core::record::{Lookup, Record};
use clavitor_core::replica::{Batch, BatchLimits, LogEntry, ReadError};
use clavitor_crypto::chain;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, Row, params};

use clavitor_core::record::StoredRecord;

use crate::columns;
use crate::open::{chain_at, open_reader};

/// What a recomputation over all records found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recomputed {
    /// Where the node stood.
    pub seq: Seq,
    /// The digest that the records add up to.
    pub digest: Digest,
    /// The digest that the node keeps; zero on a node without a log.
    pub kept: Digest,
}

/// The connections: one that point reads prefer, one that long reads prefer.
pub(crate) struct Readers {
    path: PathBuf,
    point: Mutex<Connection>,
    long: Mutex<Connection>,
}

impl Readers {
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let (point, long) = (open_reader(path)?, open_reader(path)?);
        Ok(Self { path: path.to_path_buf(), point: Mutex::new(point), long: Mutex::new(long) })
    }

    /// A short read: some microseconds, fit for an async thread.
    pub(crate) fn point<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        run(&either(&self.point, &self.long), read)
    }

    /// A read that may take longer.
    pub(crate) fn long<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        run(&lock(&self.long), read)
    }

    /// A read of everything, in one state, on a connection of its own: nobody else waits for it.
    pub(crate) fn whole<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let mut db = open_reader(&self.path).map_err(|e| ReadError(e.to_string()))?;
        let tx = db.transaction().map_err(|e| ReadError(e.to_string()))?;
        run(&tx, read)
    }
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first that is free; if neither is, the preferred one is waited for.
fn either<'a>(preferred: &'a Mutex<Connection>, other: &'a Mutex<Connection>) -> MutexGuard<'a, Connection> {
    for connection in [preferred, other] {
        match connection.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
    }
    lock(preferred)
}

fn run<T>(db: &Connection, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ReadError> {
    read(db).map_err(|e| ReadError(e.to_string()))
}

/// Reads `seq, bytes`.
fn stored(row: &Row<'_>) -> rusqlite::Result<StoredRecord> {
    let bytes = row.get_ref(1)?.as_blob()?;
    let record = Record::decode(bytes).map_err(|e| columns::broken(1, FromSqlError::Other(Box::new(e))))?;
    Ok(StoredRecord { seq: columns::seq(row, 0)?, record })
}

pub(crate) fn get(
    db: &Connection,
    vault_id: &VaultId,
    id: &RecordId,
) -> rusqlite::Result<Option<StoredRecord>> {
    db.prepare_cached("SELECT seq, bytes FROM records WHERE id = ?1 AND vault_id = ?2")?
        .query_row(params![id.as_bytes(), vault_id.as_bytes()], stored)
        .optional()
}

pub(crate) fn find(
    db: &Connection,
    vault_id: &VaultId,
    lookup: &Lookup,
    after: Option<RecordId>,
    limit: usize,
) -> rusqlite::Result<Vec<StoredRecord>> {
    let after = above(after.as_ref());
    db.prepare_cached(
        "SELECT r.seq, r.bytes FROM lookups l JOIN records r ON r.id = l.record_id \
         WHERE l.vault_id = ?1 AND l.purpose = ?2 AND l.hash = ?3 AND l.record_id > ?4 ORDER BY l.record_id LIMIT ?5",
    )?
    .query_map(
        params![vault_id.as_bytes(), lookup.purpose, lookup.hash, after, columns::limit(limit)],
        stored,
    )?
    .collect()
}

/// What ids are compared with: the empty blob sorts before every id.
fn above(after: Option<&RecordId>) -> &[u8] {
    after.map_or(&[], |id| id.as_bytes())
}

pub(crate) fn list(
    db: &Connection,
    vault_id: &VaultId,
    kind: Kind,
    after: Option<RecordId>,
    limit: usize,
) -> rusqlite::Result<Vec<StoredRecord>> {
    let after = above(after.as_ref());
    db.prepare_cached(
        "SELECT seq, bytes FROM records WHERE kind = ?1 AND vault_id = ?2 AND deleted = 0 AND id > ?3 \
         ORDER BY id LIMIT ?4",
    )?
    .query_map(params![kind.0, vault_id.as_bytes(), after, columns::limit(limit)], stored)?
    .collect()
}

pub(crate) fn of_kind(db: &Connection, kind: Kind) -> rusqlite::Result<Vec<StoredRecord>> {
    db.prepare_cached("SELECT seq, bytes FROM records WHERE kind = ?1 AND deleted = 0 ORDER BY id")?
        .query_map(params![kind.0], stored)?
        .collect()
}

pub(crate) fn count(db: &Connection, vault_id: Option<&VaultId>, kind: Kind) -> rusqlite::Result<u64> {
    let number = |row: &Row<'_>| columns::uint(row, 0);
    match vault_id {
        Some(vault_id) => db
            .prepare_cached("SELECT count(*) FROM records WHERE kind = ?1 AND vault_id = ?2 AND deleted = 0")?
            .query_row(params![kind.0, vault_id.as_bytes()], number),
        None => db
            .prepare_cached("SELECT count(*) FROM records WHERE kind = ?1 AND deleted = 0")?
            .query_row(params![kind.0], number),
    }
}

pub(crate) fn local(db: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT value FROM local WHERE key = ?1")?
        .query_row(params![key], |row| row.get(0))
        .optional()
}

pub(crate) fn local_with_prefix(db: &Connection, prefix: &str) -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
    let mut statement = db.prepare_cached("SELECT key, value FROM local WHERE key >= ?1 ORDER BY key")?;
    let mut rows = statement.query(params![prefix])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        found.push((key, row.get(1)?));
    }
    Ok(found)
}

pub(crate) fn points(db: &Connection, seqs: &[Seq]) -> rusqlite::Result<Vec<Option<(Chain, Digest)>>> {
    let mut statement = db.prepare_cached("SELECT chain, digest FROM log WHERE seq = ?1")?;
    let mut point = |seq: &Seq| {
        if *seq == Seq::ZERO {
            return Ok(Some((Chain::ZERO, Digest::ZERO)));
        }
        let Ok(seq) = columns::int(seq.0) else {
            return Ok(None);
        };
        statement
            .query_row(params![seq], |row| Ok((columns::chain(row, 0)?, columns::digest(row, 1)?)))
            .optional()
    };
    seqs.iter().map(&mut point).collect()
}

/// Reads entries above `after`; see [`clavitor_core::replica::ReplicaStore::read_log`].
///
/// - `node`: where the node stood when the read began; its history names the positions.
pub(crate) fn read_log(
    db: &Connection,
    after: Seq,
    limits: BatchLimits,
    node: Position,
) -> rusqlite::Result<Batch> {
    let Some(base_chain) = columns::int(after.0).ok().map(|_| chain_at(db, after)).transpose()?.flatten()
    else {
        return Ok(Batch { base: node, entries: Vec::new(), end: node, digest: digest_at(db, node.seq)? });
    };
    let base = Position { history: node.history, seq: after, chain: base_chain };
    let mut batch = Batch { base, entries: Vec::new(), end: base, digest: digest_at(db, after)? };
    let (mut whole, mut bytes) = (0, 0);
    let mut statement = db.prepare_cached(
        "SELECT seq, bytes, operation_end, digest, chain FROM log WHERE seq > ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![columns::int(after.0)?])?;
    while let Some(row) = rows.next()? {
        let record: Vec<u8> = row.get(1)?;
        bytes += record.len();
        let over = batch.entries.len() + 1 > limits.records_max || bytes > limits.bytes_max;
        if over && whole > 0 {
            break;
        }
        let entry = LogEntry { seq: columns::seq(row, 0)?, record, operation_end: row.get(2)? };
        if entry.operation_end {
            whole = batch.entries.len() + 1;
            batch.end = Position { history: node.history, seq: entry.seq, chain: columns::chain(row, 4)? };
            batch.digest = columns::digest(row, 3)?;
        }
        batch.entries.push(entry);
        if over && whole > 0 {
            break;
        }
    }
    batch.entries.truncate(whole);
    Ok(batch)
}

fn digest_at(db: &Connection, seq: Seq) -> rusqlite::Result<Digest> {
    let found = points(db, &[seq])?;
    Ok(found.first().copied().flatten().map_or(Digest::ZERO, |(_, digest)| digest))
}

/// Adds up all records and tombstones. Call inside one read transaction.
pub(crate) fn recompute(db: &Connection) -> rusqlite::Result<Recomputed> {
    let (seq, kept) = db.query_row("SELECT head, digest FROM meta WHERE one = 1", [], |row| {
        Ok((columns::seq(row, 0)?, columns::digest(row, 1)?))
    })?;
    let mut statement = db.prepare("SELECT seq, bytes FROM records")?;
    let mut rows = statement.query([])?;
    let mut digest = Digest::ZERO;
    while let Some(row) = rows.next()? {
        let hash = chain::record_hash(row.get_ref(1)?.as_blob()?);
        digest = digest.plus(&chain::digest_term(columns::seq(row, 0)?, &hash));
    }
    Ok(Recomputed { seq, digest, kept })
}

/// What SQLite's own check says; empty when all is well.
pub(crate) fn quick_check(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare("PRAGMA quick_check")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    lines.filter(|line| line.as_ref().map_or(true, |line| line != "ok")).collect()
}
