//! What a node answers to another POP's message: the backup's checks before and after the store, and the
//! primary's check of a link. Pure: facts come in, an answer or a batch to submit comes out. It never
//! touches the store.

use std::marker::PhantomData;

use clavitor_core::change::WriteError;
use clavitor_core::ids::CellId;
use clavitor_core::limits;
use clavitor_core::order::{Chain, Digest, Epoch, Seq};
use clavitor_core::replica::{Applied, ApplyBatch, ApplyError, BatchLimits, NodeState, Role};

use crate::message::{
    Ack, Apply, FORMATS, Hello, LinkEvent, Point, PositionReply, Refusal, Reply, Session, Watch,
};
use crate::rules::{Rules, Strict};

/// When a sender whose message met an unfinished batch comes again, in milliseconds.
const BUSY_AFTER_MS: u64 = 100;
/// When a sender that met a full queue of writes comes again, in milliseconds.
const QUEUE_BUSY_AFTER_MS: u64 = 1_000;

/// What batches may hold in the shipped product.
pub const BATCH_LIMITS: BatchLimits =
    BatchLimits { records_max: limits::BATCH_RECORDS_MAX, bytes_max: limits::BATCH_BYTES_MAX };

/// The receiving side of a backup. All of it is volatile: a restart voids the session.
///
/// One at a time: while a batch is being applied, greetings and batches are answered `Busy`, so that no
/// batch of an older session commits after a position was told. Hold one lock around each call, never
/// across a wait.
#[derive(Debug)]
pub struct Receiver<R: Rules = Strict> {
    limits: BatchLimits,
    session: Option<Session>,
    applying: bool,
    rules: PhantomData<R>,
}

/// A batch that passed the checks: submit it to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// What to submit.
    pub batch: ApplyBatch,
    /// To be handed back to [`Receiver::applied`] with the store's answer.
    pub asked: Asked,
}

/// What the sender of a batch expects to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    end: Seq,
    at_head: Option<Digest>,
}

impl<R: Rules> Receiver<R> {
    /// A receiver that has just started. `limits`: [`BATCH_LIMITS`], or smaller ones in a simulation.
    pub fn new(limits: BatchLimits) -> Self {
        Self { limits, session: None, applying: false, rules: PhantomData }
    }

    /// Judges a greeting. An accepted one voids the session; the caller reads the chain values at the seqs
    /// returned and calls [`Receiver::position`].
    ///
    /// # Errors
    /// The refusal to answer: `ForeignCell`, `Fenced`, `NotPrimary`, `Busy`, `Malformed`.
    pub fn hello(&mut self, node: &NodeState, hello: &Hello) -> Result<Vec<Seq>, Refusal> {
        admit::<R>(node, hello.cell, hello.epoch, hello.history)?;
        if self.applying && R::SESSIONS {
            return Err(Refusal::Busy { after_ms: BUSY_AFTER_MS });
        }
        self.session = None;
        Ok(seqs_to_tell(node))
    }

    /// The answer to an accepted greeting. `session` is 64 fresh random bits and becomes the current one.
    ///
    /// - `node`: read after [`Receiver::hello`] returned.
    /// - `points`: what the store answered for the seqs, in their order.
    pub fn position(
        &mut self,
        node: &NodeState,
        points: &[(Seq, Option<(Chain, Digest)>)],
        quarantined: u64,
        session: Session,
    ) -> Reply {
        if self.applying && R::SESSIONS {
            return Reply::Refused(Refusal::Busy { after_ms: BUSY_AFTER_MS });
        }
        self.session = Some(session);
        let known = points.iter().filter_map(|(seq, point)| Some(Point { seq: *seq, chain: (*point)?.0 }));
        Reply::Position(PositionReply {
            epoch_seen: node.epoch_seen,
            position: node.position,
            digest: node.digest,
            points: known.collect(),
            quarantined,
            session,
            formats: FORMATS,
        })
    }

    /// Judges a batch. An accepted one is submitted to the store, and whatever comes of it goes to
    /// [`Receiver::applied`], from the store's callback, also when nobody waits for the answer any more.
    ///
    /// # Errors
    /// The refusal to answer: those of [`Receiver::hello`], `Session`, `TooLarge`.
    pub fn apply(&mut self, node: &NodeState, apply: Apply) -> Result<Submission, Refusal> {
        admit::<R>(node, apply.cell, apply.epoch, apply.history)?;
        if R::SESSIONS && self.session != Some(apply.session) {
            return Err(Refusal::Session);
        }
        if self.applying {
            return Err(Refusal::Busy { after_ms: BUSY_AFTER_MS });
        }
        let bytes: usize = apply.entries.iter().map(|entry| entry.record.len()).sum();
        if apply.entries.len() > self.limits.records_max || bytes > self.limits.bytes_max {
            return Err(Refusal::TooLarge { max: self.limits.bytes_max as u64 });
        }
        let end = apply.entries.last().map_or(apply.base.seq, |entry| entry.seq);
        self.applying = true;
        Ok(Submission {
            asked: Asked { end, at_head: apply.at_head },
            batch: ApplyBatch {
                epoch: apply.epoch,
                base: apply.base,
                entries: apply.entries,
                lineage: apply.lineage,
            },
        })
    }

    /// The answer to a batch after the store has answered, and the end of `Busy`.
    pub fn applied(&mut self, node: &NodeState, asked: Asked, outcome: Result<Applied, ApplyError>) -> Reply {
        self.applying = false;
        match outcome {
            Ok(Applied::Batch { position, digest, quarantined }) => {
                let compared = asked.at_head.filter(|_| position.seq == asked.end);
                Reply::Ack(Ack {
                    position,
                    digest: compared.map(|_| digest),
                    quarantined,
                    mismatch: compared.is_some_and(|expected| quarantined == 0 && expected != digest),
                })
            }
            Ok(Applied::Committed(_) | Applied::Done) => Reply::Refused(Refusal::Unwritable),
            Err(error) => Reply::Refused(refusal_of(error, node.epoch_seen)),
        }
    }
}

/// Whether the sender may speak: same cell, an epoch that is not fenced, and to a backup.
fn admit<R: Rules>(node: &NodeState, cell: CellId, epoch: Epoch, history: Epoch) -> Result<(), Refusal> {
    if cell != node.cell {
        return Err(Refusal::ForeignCell);
    }
    if epoch != history {
        return Err(Refusal::Malformed);
    }
    let epoch_seen = node.epoch_seen;
    if R::EPOCH_FENCE && epoch < epoch_seen {
        return Err(Refusal::Fenced { epoch_seen });
    }
    let unproved = epoch > epoch_seen && epoch_seen != Epoch::NONE;
    if node.role == Role::Primary || unproved {
        return Err(Refusal::NotPrimary { epoch_seen });
    }
    Ok(())
}

/// Where a backup tells its chain values: at its seq, at distances of 1, 2, 4, …, the floor, and the
/// lineage's ends.
fn seqs_to_tell(node: &NodeState) -> Vec<Seq> {
    let last = node.position.seq;
    let mut seqs = vec![last, node.log_floor];
    let mut distance = 1u64;
    while distance < last.0 {
        seqs.push(Seq(last.0 - distance));
        let Some(doubled) = distance.checked_mul(2) else { break };
        distance = doubled;
    }
    seqs.extend(node.lineage.iter().take(limits::LINEAGE_MAX).map(|past| past.upto));
    seqs.retain(|seq| *seq != Seq::ZERO && *seq <= last);
    seqs.sort_unstable();
    seqs.dedup();
    seqs
}

fn refusal_of(error: ApplyError, epoch_seen: Epoch) -> Refusal {
    match error {
        ApplyError::Fenced { seen, .. } => Refusal::Fenced { epoch_seen: seen },
        ApplyError::Gap { have } => Refusal::Gap { have },
        ApplyError::Fork { at } => Refusal::Fork { at },
        ApplyError::Malformed(_) => Refusal::Malformed,
        ApplyError::WrongRole => Refusal::NotPrimary { epoch_seen },
        ApplyError::Damaged { at } => Refusal::Damaged { at },
        ApplyError::Write(WriteError::Busy | WriteError::Closed) => {
            Refusal::Busy { after_ms: QUEUE_BUSY_AFTER_MS }
        }
        ApplyError::Write(_) => Refusal::Unwritable,
    }
}

/// The primary's check of a request for a live link: the first event to send on it.
///
/// # Errors
/// The refusal to answer: `ForeignCell`, `NotPrimary`.
pub fn open_link(node: &NodeState, watch: &Watch) -> Result<LinkEvent, Refusal> {
    if watch.cell != node.cell {
        return Err(Refusal::ForeignCell);
    }
    if node.role != Role::Primary {
        return Err(Refusal::NotPrimary { epoch_seen: node.epoch_seen });
    }
    Ok(LinkEvent::Opened { epoch: node.position.history, head: node.position.seq })
}

#[cfg(test)]
mod tests;
