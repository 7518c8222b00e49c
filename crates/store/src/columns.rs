//! How our types lie in SQLite's columns. Integers are 64 bits signed there: larger values are refused, never wrapped.

use clavitor_core::order::{Chain, Digest, Epoch, Seq, Version};
use clavitor_core::replica::Role;
use rusqlite::types::FromSqlError;

/// An unsigned number as a column.
pub(crate) fn int(value: u64) -> Result<i64, rusqlite::Error> {
    i64::try_from(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// A limit as a column; beyond 63 bits it is no limit.
pub(crate) fn limit(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A column as an unsigned number.
pub(crate) fn uint(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(index)?;
    u64::try_from(value).map_err(|_| broken(index, FromSqlError::OutOfRange(value)))
}

/// A column as a place in the order.
pub(crate) fn seq(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Seq> {
    uint(row, index).map(Seq)
}

/// A column as a version.
pub(crate) fn version(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Version> {
    uint(row, index).map(Version)
}

/// A column as a chain value.
pub(crate) fn chain(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Chain> {
    row.get(index).map(Chain)
}

/// A column as a digest.
pub(crate) fn digest(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Digest> {
    row.get(index).map(Digest)
}

/// An epoch as 16 bytes: number and nonce, both big-endian.
pub(crate) fn epoch_bytes(epoch: Epoch) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&epoch.number.to_be_bytes());
    bytes[8..].copy_from_slice(&epoch.nonce.to_be_bytes());
    bytes
}

/// A column as an epoch.
pub(crate) fn epoch(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Epoch> {
    let both = u128::from_be_bytes(row.get::<_, [u8; 16]>(index)?);
    let half = |value: u128| u64::try_from(value & u128::from(u64::MAX)).expect("masked to 64 bits");
    Ok(Epoch { number: half(both >> 64), nonce: half(both) })
}

/// The fixed number of a role.
pub(crate) fn role_number(role: Role) -> i64 {
    match role {
        Role::Primary => 1,
        Role::Backup => 2,
    }
}

/// A column as a role.
pub(crate) fn role(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Role> {
    match row.get::<_, i64>(index)? {
        1 => Ok(Role::Primary),
        2 => Ok(Role::Backup),
        other => Err(broken(index, FromSqlError::OutOfRange(other))),
    }
}

/// A column that does not hold what it must.
pub(crate) fn broken(index: usize, source: FromSqlError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Null, Box::new(source))
}
