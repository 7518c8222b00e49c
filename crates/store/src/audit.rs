//! The audit rows of this node: append-only, sealed, hash-chained. The chain finds edits; it holds no key.

use clavitor_core::audit::SealedAudit;
use clavitor_core::ids::VaultId;
use rusqlite::{Connection, params};

use crate::columns;
use crate::meta::Heads;

/// The domain of the chain.
const AUDIT: &[u8] = b"clavitor/v1/audit";

/// One row as it lies in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place, dense from 1.
    pub n: u64,
    /// The sealed event.
    pub event: SealedAudit,
    /// `SHA-256("clavitor/v1/audit" | chain[n-1] | n | at_ms | vault_id | SHA-256(sealed))`.
    pub chain: [u8; 32],
}

/// What a check of the whole chain found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCheck {
    /// How many rows there are.
    pub rows: u64,
    /// The chain value of the last row that the node committed.
    pub head: [u8; 32],
    /// The first row that was changed, removed or added by another hand; `None` when all is well.
    pub broken_at: Option<u64>,
}

/// The chain value of row `n`.
fn chain_next(prev: &[u8; 32], n: u64, event: &SealedAudit) -> [u8; 32] {
    let mut input = Vec::with_capacity(AUDIT.len() + 32 + 8 + 8 + 16 + 32);
    input.extend_from_slice(AUDIT);
    input.extend_from_slice(prev);
    input.extend_from_slice(&n.to_be_bytes());
    input.extend_from_slice(&event.at_ms.to_be_bytes());
    input.extend_from_slice(event.vault_id.as_bytes());
    input.extend_from_slice(&clavitor_crypto::sha256(&event.sealed));
    clavitor_crypto::sha256(&input)
}

/// Appends one row and moves the heads. Call inside the transaction.
pub(crate) fn append(db: &Connection, heads: &mut Heads, event: &SealedAudit) -> rusqlite::Result<()> {
    let n = heads.audit_n + 1;
    let chain = chain_next(&heads.audit_chain, n, event);
    db.prepare_cached("INSERT INTO audit (n, at_ms, vault_id, sealed, chain) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
        columns::int(n)?,
        columns::int(event.at_ms)?,
        event.vault_id.as_bytes(),
        event.sealed,
        chain
    ])?;
    heads.audit_n = n;
    heads.audit_chain = chain;
    Ok(())
}

/// Rows above `after`, in order.
pub(crate) fn rows(db: &Connection, after: u64, limit: usize) -> rusqlite::Result<Vec<AuditRow>> {
    let mut statement = db.prepare_cached(
        "SELECT n, at_ms, vault_id, sealed, chain FROM audit WHERE n > ?1 ORDER BY n LIMIT ?2",
    )?;
    let rows = statement.query_map(params![columns::int(after)?, columns::limit(limit)], read_row)?;
    rows.collect()
}

/// Recomputes the whole chain and compares it with the rows and with the head in `meta`.
///
/// Call inside one read transaction, so that rows and head belong together.
pub(crate) fn check(db: &Connection) -> rusqlite::Result<AuditCheck> {
    let (head_n, head) = db.query_row("SELECT audit_n, audit_chain FROM meta WHERE one = 1", [], |row| {
        Ok((columns::uint(row, 0)?, row.get::<_, [u8; 32]>(1)?))
    })?;
    let mut statement = db.prepare("SELECT n, at_ms, vault_id, sealed, chain FROM audit ORDER BY n")?;
    let mut rows = statement.query([])?;
    let (mut count, mut chain) = (0, [0; 32]);
    let mut broken_at = None;
    while let Some(row) = rows.next()? {
        let row = read_row(row)?;
        let n = count + 1;
        chain = chain_next(&chain, n, &row.event);
        if broken_at.is_none() && (row.n != n || row.chain != chain || n > head_n) {
            broken_at = Some(n);
        }
        count = n;
    }
    if broken_at.is_none() && (count != head_n || chain != head) {
        broken_at = Some(count + 1);
    }
    Ok(AuditCheck { rows: count, head, broken_at })
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        n: columns::uint(row, 0)?,
        event: SealedAudit {
            at_ms: columns::uint(row, 1)?,
            vault_id: VaultId::from_bytes(row.get(2)?),
            sealed: row.get(3)?,
        },
        chain: row.get(4)?,
    })
}
