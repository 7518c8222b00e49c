//! A model of the store: the durable part of a node, with the same hashes and refusals as the real one.
//! What is not in here is volatile and dies with a crash.

use std::collections::BTreeMap;

use clavitor_core::ids::{CellId, RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq, Version};
use clavitor_core::record::Record;
use clavitor_core::replica::{
    Applied, ApplyBatch, ApplyError, Batch, BatchLimits, LineageEntry, LogEntry, NodeState, Role,
};
use clavitor_crypto::chain::{chain_next, digest_term, record_hash};
use clavitor_protocol::rules::Rules;

/// One change of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// Which record.
    pub(crate) key: u64,
    /// What it will hold; `None` deletes it.
    pub(crate) payload: Option<u64>,
}

#[derive(Debug, Clone)]
struct Row {
    entry: LogEntry,
    history: Epoch,
    chain: Chain,
    digest: Digest,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    seq: Seq,
    version: Version,
    deleted: bool,
    term: [u8; 32],
}

/// What a node's disk holds.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    cell: CellId,
    pub(crate) role: Role,
    pub(crate) epoch_seen: Epoch,
    history: Epoch,
    lineage: Vec<LineageEntry>,
    rows: Vec<Row>,
    records: BTreeMap<RecordId, Current>,
    digest: Digest,
    /// On a primary: what each backup acknowledged, as far as it was written.
    pub(crate) cursors: [Position; 2],
    starts: u64,
}

impl Store {
    /// A primary that will number its changes under `epoch`.
    pub(crate) fn primary(cell: CellId, epoch: Epoch) -> Self {
        Self { role: Role::Primary, epoch_seen: epoch, history: epoch, ..Self::backup(cell) }
    }

    /// A backup that has not been spoken to.
    pub(crate) fn backup(cell: CellId) -> Self {
        Self {
            cell,
            role: Role::Backup,
            epoch_seen: Epoch::NONE,
            history: Epoch::NONE,
            lineage: Vec::new(),
            rows: Vec::new(),
            records: BTreeMap::new(),
            digest: Digest::ZERO,
            cursors: [Position::default(); 2],
            starts: 0,
        }
    }

    /// As a promotion leaves it: the same changes, a new history from here on.
    pub(crate) fn begin_history(&mut self, epoch: Epoch) {
        let position = self.position();
        if position.seq > Seq::ZERO {
            let ended = LineageEntry { history: self.history, upto: position.seq, chain: position.chain };
            self.lineage.push(ended);
        }
        self.history = epoch;
        self.epoch_seen = epoch;
    }

    pub(crate) fn started(&mut self) {
        self.starts += 1;
    }

    pub(crate) fn head(&self) -> Seq {
        Seq(self.rows.len() as u64)
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn chain_at(&self, seq: Seq) -> Option<Chain> {
        if seq == Seq::ZERO { Some(Chain::ZERO) } else { self.row(seq).map(|row| row.chain) }
    }

    pub(crate) fn position(&self) -> Position {
        let chain = self.rows.last().map_or(Chain::ZERO, |row| row.chain);
        Position { history: self.history, seq: self.head(), chain }
    }

    pub(crate) fn node(&self) -> NodeState {
        NodeState {
            cell: self.cell,
            pop: None,
            role: self.role,
            epoch_seen: self.epoch_seen,
            position: self.position(),
            digest: self.digest,
            log_floor: Seq::ZERO,
            halted: None,
            starts: self.starts,
            lineage: self.lineage.clone(),
        }
    }

    pub(crate) fn points(&self, seqs: &[Seq]) -> Vec<(Seq, Option<(Chain, Digest)>)> {
        seqs.iter().map(|seq| (*seq, self.row(*seq).map(|row| (row.chain, row.digest)))).collect()
    }

    /// The seqs at which an operation ends, above `after`, with chain and digest there.
    pub(crate) fn rows_above(&self, after: Seq) -> impl Iterator<Item = (Seq, Chain, Digest, bool)> + '_ {
        self.rows
            .iter()
            .skip(index(after))
            .map(|row| (row.entry.seq, row.chain, row.digest, row.entry.operation_end))
    }

    /// A random key of a record that lives, if any does.
    pub(crate) fn some_living(&self, random: u64) -> Option<u64> {
        let start = record_id(random % 64);
        let living = |(id, current): (&RecordId, &Current)| (!current.deleted).then(|| key_of(id));
        self.records.range(start..).find_map(living).or_else(|| self.records.iter().find_map(living))
    }

    /// Writes one operation. Changes that make no sense (an update of a tombstone) are left out.
    pub(crate) fn commit<R: Rules>(&mut self, changes: &[Change], wall_ms: u64) {
        let mut records = Vec::new();
        for change in changes {
            let id = record_id(change.key);
            let current = self.records.get(&id).copied();
            if current.is_some_and(|current| current.deleted)
                || (current.is_none() && change.payload.is_none())
            {
                continue;
            }
            if change.payload.is_none() && !R::TOMBSTONES {
                let gone = self.records.remove(&id).expect("it lives");
                self.digest = self.digest.minus(&gone.term);
                continue;
            }
            if records.iter().any(|(known, _)| *known == id) {
                continue;
            }
            let record = Record {
                id,
                vault_id: VaultId::NIL,
                kind: Kind::ENTRY,
                version: current.map_or(Version::FIRST, |current| current.version.next()),
                deleted: change.payload.is_none(),
                lookups: Vec::new(),
                payload: change.payload.map(|payload| payload.to_be_bytes().to_vec()).unwrap_or_default(),
                updated_at_ms: wall_ms,
            };
            records.push((id, record));
        }
        let last = records.len();
        for (at, (_, record)) in records.into_iter().enumerate() {
            let bytes = record.encode().expect("a small record");
            let entry = LogEntry { seq: self.head().next(), record: bytes, operation_end: at + 1 == last };
            self.append(entry, &record, self.history);
        }
    }

    /// Applies a batch: all of it or nothing.
    pub(crate) fn apply<R: Rules>(&mut self, batch: &ApplyBatch) -> Result<Applied, ApplyError> {
        if self.role == Role::Primary {
            return Err(ApplyError::WrongRole);
        }
        if R::EPOCH_FENCE && batch.epoch < self.epoch_seen {
            return Err(ApplyError::Fenced { sent: batch.epoch, seen: self.epoch_seen });
        }
        if batch.base.seq > self.head() {
            return Err(ApplyError::Gap { have: self.position() });
        }
        if R::CHAIN_CHECK && self.chain_at(batch.base.seq) != Some(batch.base.chain) {
            return Err(ApplyError::Fork { at: batch.base.seq });
        }
        let mut fresh = Vec::new();
        for entry in &batch.entries {
            match self.row(entry.seq) {
                Some(mine) if R::CHAIN_CHECK && mine.entry != *entry => {
                    return Err(ApplyError::Fork { at: entry.seq });
                }
                Some(_) => {}
                None => {
                    let record =
                        Record::decode(&entry.record).map_err(|e| ApplyError::Malformed(e.to_string()))?;
                    fresh.push((entry.clone(), record));
                }
            }
        }
        for (entry, record) in fresh {
            self.append(entry, &record, batch.epoch);
        }
        self.epoch_seen = self.epoch_seen.max(batch.epoch);
        self.history = batch.epoch;
        self.lineage.clone_from(&batch.lineage);
        Ok(Applied::Batch { position: self.position(), digest: self.digest, quarantined: 0 })
    }

    /// Reads the log as a primary's worker does.
    pub(crate) fn read_log<R: Rules>(&self, after: Seq, limits: BatchLimits) -> Batch {
        let Some(chain) = self.chain_at(after) else {
            return Batch { base: self.position(), end: self.position(), ..Batch::default() };
        };
        let base = Position { history: self.history, seq: after, chain };
        let rows = &self.rows[index(after)..];
        let (mut bytes, mut whole) = (0, 0);
        for (count, row) in rows.iter().enumerate() {
            bytes += row.entry.record.len();
            let over = count + 1 > limits.records_max || bytes > limits.bytes_max;
            if over && whole > 0 {
                break;
            }
            if row.entry.operation_end || !R::WHOLE_OPERATIONS {
                whole = count + 1;
            }
        }
        let taken = &rows[..whole];
        let end = taken.last().map_or(base, |row| Position {
            history: self.history,
            seq: row.entry.seq,
            chain: row.chain,
        });
        Batch {
            base,
            entries: taken.iter().map(|row| row.entry.clone()).collect(),
            end,
            digest: taken.last().map_or(self.digest, |row| row.digest),
        }
    }

    /// As if the disk were put back to how it was at `seq`, or at the end of the operation below it.
    pub(crate) fn restore(&mut self, seq: Seq) {
        let mut keep = index(seq).min(self.rows.len());
        while keep > 0 && !self.rows[keep - 1].entry.operation_end {
            keep -= 1;
        }
        let rows: Vec<_> = self.rows.drain(..).take(keep).collect();
        self.records.clear();
        self.digest = Digest::ZERO;
        if self.role == Role::Backup {
            self.history = rows.last().map_or(Epoch::NONE, |row| row.history);
        }
        for row in rows {
            let record = Record::decode(&row.entry.record).expect("it was encoded here");
            self.append(row.entry, &record, row.history);
        }
        let (head, known) = (self.head(), self.cursors);
        self.cursors = known.map(|cursor| if cursor.seq > head { Position::default() } else { cursor });
    }

    /// Adds everything up again from the log, as a check of what was kept up to date step by step.
    pub(crate) fn recomputes(&self) -> bool {
        let (mut chain, mut latest) = (Chain::ZERO, BTreeMap::new());
        for row in &self.rows {
            let hash = record_hash(&row.entry.record);
            chain = chain_next(&chain, row.entry.seq, &hash);
            let Ok(record) = Record::decode(&row.entry.record) else { return false };
            latest.insert(record.id, digest_term(row.entry.seq, &hash));
            if chain != row.chain {
                return false;
            }
        }
        let sum = latest.values().fold(Digest::ZERO, |sum, term| sum.plus(term));
        let same = |(id, current): (&RecordId, &Current)| latest.get(id) == Some(&current.term);
        sum == self.digest && latest.len() == self.records.len() && self.records.iter().all(same)
    }

    fn append(&mut self, entry: LogEntry, record: &Record, history: Epoch) {
        let previous = self.rows.last().map_or(Chain::ZERO, |row| row.chain);
        let hash = record_hash(&entry.record);
        let term = digest_term(entry.seq, &hash);
        let chain = chain_next(&previous, entry.seq, &hash);
        let current = Current { seq: entry.seq, version: record.version, deleted: record.deleted, term };
        if let Some(replaced) = self.records.insert(record.id, current) {
            debug_assert!(replaced.seq < entry.seq, "a record is replaced by a later change");
            self.digest = self.digest.minus(&replaced.term);
        }
        self.digest = self.digest.plus(&term);
        self.rows.push(Row { entry, history, chain, digest: self.digest });
    }

    fn row(&self, seq: Seq) -> Option<&Row> {
        self.rows.get(index(seq).checked_sub(1)?)
    }
}

fn index(seq: Seq) -> usize {
    usize::try_from(seq.0).unwrap_or(usize::MAX)
}

fn record_id(key: u64) -> RecordId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&key.to_be_bytes());
    RecordId::from_bytes(bytes)
}

fn key_of(id: &RecordId) -> u64 {
    let (_, key) = id.as_bytes().split_last_chunk::<8>().expect("16 bytes");
    u64::from_be_bytes(*key)
}
