//! Randomness, and the identifiers made of it. The system's source through aws-lc-rs; nothing else.

use clavitor_core::ids::{CellId, ImportId, RecordId, VaultId};

/// Fills the slice with random bytes.
///
/// # Panics
/// When the system has no random source: nothing here could go on safely.
pub fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system's random source answers");
}

/// `N` random bytes. Where they are a secret, the caller zeroizes them.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// 64 random bits.
pub fn u64() -> u64 {
    u64::from_be_bytes(bytes())
}

/// A new record id (UUIDv7). `now_ms`: wall-clock milliseconds.
pub fn record_id(now_ms: u64) -> RecordId {
    RecordId::from_parts(now_ms, &bytes())
}

/// A new vault id (UUIDv7). `now_ms`: wall-clock milliseconds.
pub fn vault_id(now_ms: u64) -> VaultId {
    VaultId::from_parts(now_ms, &bytes())
}

/// A new cell id (UUIDv7). `now_ms`: wall-clock milliseconds.
pub fn cell_id(now_ms: u64) -> CellId {
    CellId::from_parts(now_ms, &bytes())
}

/// A new import id (UUIDv7). `now_ms`: wall-clock milliseconds.
pub fn import_id(now_ms: u64) -> ImportId {
    ImportId::from_parts(now_ms, &bytes())
}
