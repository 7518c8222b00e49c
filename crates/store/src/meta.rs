//! Where the node stands: the row of `meta` and the lineage, in memory and on disk.

use std::sync::Arc;

use clavitor_core::ids::{CellId, PopName};
use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq};
use clavitor_core::replica::{LineageEntry, NodeState, Role};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, params};

use crate::columns;

/// What moves with every write. Copied before a savepoint, put back when it is rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heads {
    /// The last change.
    pub(crate) seq: Seq,
    /// The chain value there; zero without a log.
    pub(crate) chain: Chain,
    /// The digest there; zero without a log.
    pub(crate) digest: Digest,
    /// The last audit row.
    pub(crate) audit_n: u64,
    /// Its chain value.
    pub(crate) audit_chain: [u8; 32],
}

/// What changes seldom: the node's place in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) cell: CellId,
    pub(crate) pop: Option<PopName>,
    pub(crate) role: Role,
    pub(crate) history: Epoch,
    pub(crate) epoch_seen: Epoch,
    pub(crate) log_floor: Seq,
    pub(crate) halted: Option<String>,
    pub(crate) starts: u64,
    pub(crate) lineage: Vec<LineageEntry>,
}

/// Both. Cheap to copy: the place is shared until it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) heads: Heads,
    pub(crate) place: Arc<Place>,
}

impl State {
    /// Where the node stands.
    pub(crate) fn position(&self) -> Position {
        Position { history: self.place.history, seq: self.heads.seq, chain: self.heads.chain }
    }

    /// The view that leaves the store.
    pub(crate) fn to_node(&self) -> NodeState {
        let place = &self.place;
        NodeState {
            cell: place.cell,
            pop: place.pop.clone(),
            role: place.role,
            epoch_seen: place.epoch_seen,
            position: self.position(),
            digest: self.heads.digest,
            log_floor: place.log_floor,
            halted: place.halted.clone(),
            starts: place.starts,
            lineage: place.lineage.clone(),
        }
    }

    /// Changes the place; the copies held elsewhere keep the old one.
    pub(crate) fn place_mut(&mut self) -> &mut Place {
        Arc::make_mut(&mut self.place)
    }
}

/// Writes the one row of a new database.
pub(crate) fn insert_first(db: &Connection, cell: CellId) -> rusqlite::Result<()> {
    let (none, zero) = (columns::epoch_bytes(Epoch::NONE), [0u8; 32]);
    db.execute(
        "INSERT INTO meta (one, cell, pop, role, history, epoch_seen, head, chain, digest, log_floor, halted, starts, \
         audit_n, audit_chain) VALUES (1, ?1, NULL, ?2, ?3, ?3, 0, ?4, ?4, 0, NULL, 0, 0, ?4)",
        params![cell.as_bytes(), columns::role_number(Role::Primary), none, zero],
    )?;
    Ok(())
}

/// Whether the node belongs, or is about to belong, to a cell that replicates. Reads only what every schema has;
/// `None` where the row is gone.
pub(crate) fn in_a_cell(db: &Connection) -> rusqlite::Result<Option<bool>> {
    db.query_row("SELECT history, pop, role FROM meta WHERE one = 1", [], |row| {
        let named = row.get::<_, Option<String>>(1)?.is_some();
        Ok(named || columns::epoch(row, 0)? != Epoch::NONE || columns::role(row, 2)? == Role::Backup)
    })
    .optional()
}

/// Reads where the node stands; `None` where the row is gone.
pub(crate) fn load(db: &Connection) -> rusqlite::Result<Option<State>> {
    let lineage = load_lineage(db)?;
    db.query_row(
        "SELECT cell, pop, role, history, epoch_seen, head, chain, digest, log_floor, halted, starts, audit_n, \
         audit_chain FROM meta WHERE one = 1",
        [],
        |row| {
            let heads = Heads {
                seq: columns::seq(row, 5)?,
                chain: columns::chain(row, 6)?,
                digest: columns::digest(row, 7)?,
                audit_n: columns::uint(row, 11)?,
                audit_chain: row.get(12)?,
            };
            let place = Place {
                cell: CellId::from_bytes(row.get(0)?),
                pop: row.get::<_, Option<String>>(1)?.map(|text| parse_pop(&text, 1)).transpose()?,
                role: columns::role(row, 2)?,
                history: columns::epoch(row, 3)?,
                epoch_seen: columns::epoch(row, 4)?,
                log_floor: columns::seq(row, 8)?,
                halted: row.get(9)?,
                starts: columns::uint(row, 10)?,
                lineage: lineage.clone(),
            };
            Ok(State { heads, place: Arc::new(place) })
        },
    )
    .optional()
}

/// Reads a POP's name out of a column.
pub(crate) fn parse_pop(text: &str, index: usize) -> rusqlite::Result<PopName> {
    text.parse().map_err(|e| columns::broken(index, FromSqlError::Other(Box::new(e))))
}

fn load_lineage(db: &Connection) -> rusqlite::Result<Vec<LineageEntry>> {
    let mut rows = db.prepare("SELECT history, upto, chain FROM lineage ORDER BY place")?;
    let entries = rows.query_map([], |row| {
        Ok(LineageEntry {
            history: columns::epoch(row, 0)?,
            upto: columns::seq(row, 1)?,
            chain: columns::chain(row, 2)?,
        })
    })?;
    entries.collect()
}

/// Writes what differs between the committed state and the new one. Call inside the transaction.
pub(crate) fn save(db: &Connection, committed: &State, new: &State) -> rusqlite::Result<()> {
    if committed.heads != new.heads {
        save_heads(db, &new.heads)?;
    }
    if committed.place != new.place {
        save_place(db, &new.place)?;
    }
    if committed.place.lineage != new.place.lineage {
        save_lineage(db, &new.place.lineage)?;
    }
    Ok(())
}

fn save_heads(db: &Connection, heads: &Heads) -> rusqlite::Result<()> {
    let changed = db
        .prepare_cached("UPDATE meta SET head = ?1, chain = ?2, digest = ?3, audit_n = ?4, audit_chain = ?5")?
        .execute(params![
            columns::int(heads.seq.0)?,
            heads.chain.0,
            heads.digest.0,
            columns::int(heads.audit_n)?,
            heads.audit_chain
        ])?;
    assert!(changed == 1, "meta has exactly one row");
    Ok(())
}

fn save_place(db: &Connection, place: &Place) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE meta SET cell = ?1, pop = ?2, role = ?3, history = ?4, epoch_seen = ?5, log_floor = ?6, halted = ?7, \
         starts = ?8",
        params![
            place.cell.as_bytes(),
            place.pop.as_ref().map(PopName::as_str),
            columns::role_number(place.role),
            columns::epoch_bytes(place.history),
            columns::epoch_bytes(place.epoch_seen),
            columns::int(place.log_floor.0)?,
            place.halted,
            columns::int(place.starts)?,
        ],
    )?;
    Ok(())
}

fn save_lineage(db: &Connection, lineage: &[LineageEntry]) -> rusqlite::Result<()> {
    db.execute("DELETE FROM lineage", [])?;
    for (place, entry) in lineage.iter().enumerate() {
        db.execute(
            "INSERT INTO lineage (place, history, upto, chain) VALUES (?1, ?2, ?3, ?4)",
            params![
                columns::limit(place),
                columns::epoch_bytes(entry.history),
                columns::int(entry.upto.0)?,
                entry.chain.0
            ],
        )?;
    }
    Ok(())
}
