//! What each backup has acknowledged: in memory at once, on disk with the next transaction that any write causes.

use std::collections::BTreeMap;

use clavitor_core::ids::PopName;
use clavitor_core::order::Position;
use clavitor_core::replica::PeerCursor;
use rusqlite::{Connection, params};

use crate::columns;
use crate::meta::parse_pop;

/// All cursors, and which of them the disk does not have yet.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    noted: BTreeMap<PopName, PeerCursor>,
    unsaved: BTreeMap<PopName, Option<PeerCursor>>,
}

/// What a transaction is about to write: a cursor, or its removal.
pub(crate) type Unsaved = BTreeMap<PopName, Option<PeerCursor>>;

impl Cursors {
    /// Reads what the disk has.
    pub(crate) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut rows = db.prepare("SELECT pop, history, seq, chain, at_ms FROM peers ORDER BY pop")?;
        let cursors = rows.query_map([], |row| {
            Ok(PeerCursor {
                pop: parse_pop(&row.get::<_, String>(0)?, 0)?,
                acked: Position {
                    history: columns::epoch(row, 1)?,
                    seq: columns::seq(row, 2)?,
                    chain: columns::chain(row, 3)?,
                },
                at_ms: columns::uint(row, 4)?,
            })
        })?;
        let noted = cursors
            .map(|cursor| cursor.map(|cursor| (cursor.pop.clone(), cursor)))
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self { noted, unsaved: BTreeMap::new() })
    }

    /// All, in the order of their names.
    pub(crate) fn all(&self) -> Vec<PeerCursor> {
        self.noted.values().cloned().collect()
    }

    /// Notes an acknowledgement.
    pub(crate) fn note(&mut self, cursor: PeerCursor) {
        self.unsaved.insert(cursor.pop.clone(), Some(cursor.clone()));
        self.noted.insert(cursor.pop.clone(), cursor);
    }

    /// Forgets a member.
    pub(crate) fn forget(&mut self, pop: &PopName) {
        self.noted.remove(pop);
        self.unsaved.insert(pop.clone(), None);
    }

    /// What the disk does not have yet.
    pub(crate) fn unsaved(&self) -> Unsaved {
        self.unsaved.clone()
    }

    /// Marks as saved what a transaction has committed, unless it changed since.
    pub(crate) fn saved(&mut self, written: &Unsaved) {
        self.unsaved.retain(|pop, now| written.get(pop) != Some(now));
    }
}

/// Writes cursors. Call inside the transaction.
pub(crate) fn save(db: &Connection, unsaved: &Unsaved) -> rusqlite::Result<()> {
    for (pop, cursor) in unsaved {
        match cursor {
            Some(PeerCursor { acked, at_ms, .. }) => db
                .prepare_cached(
                    "INSERT OR REPLACE INTO peers (pop, history, seq, chain, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    pop.as_str(),
                    columns::epoch_bytes(acked.history),
                    columns::int(acked.seq.0)?,
                    acked.chain.0,
                    columns::int(*at_ms)?
                ])?,
            None => {
                db.prepare_cached("DELETE FROM peers WHERE pop = ?1")?.execute(params![pop.as_str()])?
            }
        };
    }
    Ok(())
}
