//! The hashes of the log: record hash, chain and digest terms. Formulas in `clavitor_core::order`; keyless.

use aws_lc_rs::digest::{Context, SHA256};
use clavitor_core::order::{Chain, Seq};

use crate::to_32;

/// The domain of the chain.
const LOG: &[u8] = b"clavitor/v1/log";

/// SHA-256 over a record's encoded bytes, as they are stored and sent.
pub fn record_hash(record_bytes: &[u8]) -> [u8; 32] {
    crate::sha256(record_bytes)
}

/// The chain value at `seq`: `SHA-256("clavitor/v1/log" | chain[seq-1] | seq | record hash)`.
///
/// - `prev`: the chain value at `seq - 1`; [`Chain::ZERO`] before the first change.
pub fn chain_next(prev: &Chain, seq: Seq, record_hash: &[u8; 32]) -> Chain {
    let mut context = Context::new(&SHA256);
    context.update(LOG);
    context.update(&prev.0);
    context.update(&seq.0.to_be_bytes());
    context.update(record_hash);
    Chain(to_32(context.finish().as_ref()))
}

/// What one current record adds to the digest of a state: `SHA-256(seq | record hash)`.
pub fn digest_term(seq: Seq, record_hash: &[u8; 32]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(&seq.0.to_be_bytes());
    context.update(record_hash);
    to_32(context.finish().as_ref())
}
