//! What the writer thread publishes and others read from memory: state, head, cursors, counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use clavitor_core::order::{Position, Seq};
use clavitor_core::replica::NodeState;
use tokio::sync::watch;

use crate::cursors::Cursors;
use crate::meta::State;

/// How much the writer has done since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteCounts {
    /// Transactions committed: each is one fsync.
    pub transactions: u64,
    /// Operations answered, refused ones included.
    pub operations: u64,
}

/// Written by the writer after COMMIT only.
pub(crate) struct Shared {
    state: RwLock<State>,
    head: watch::Sender<Seq>,
    cursors: Mutex<Cursors>,
    transactions: AtomicU64,
    operations: AtomicU64,
}

impl Shared {
    pub(crate) fn new(state: State, cursors: Cursors) -> Self {
        let head = watch::Sender::new(state.heads.seq);
        Self {
            state: RwLock::new(state),
            head,
            cursors: Mutex::new(cursors),
            transactions: AtomicU64::new(0),
            operations: AtomicU64::new(0),
        }
    }

    /// The node's state as last committed.
    pub(crate) fn node(&self) -> NodeState {
        self.state.read().unwrap_or_else(PoisonError::into_inner).to_node()
    }

    /// Where the node stands, as last committed.
    pub(crate) fn position(&self) -> Position {
        self.state.read().unwrap_or_else(PoisonError::into_inner).position()
    }

    /// The head, now and as it moves.
    pub(crate) fn head(&self) -> watch::Receiver<Seq> {
        self.head.subscribe()
    }

    /// Publishes a committed state; returns whether the head moved.
    pub(crate) fn publish(&self, state: &State) -> bool {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state.clone();
        let head = state.heads.seq;
        self.head.send_if_modified(|now| {
            let moved = *now != head;
            *now = head;
            moved
        })
    }

    /// The cursors, under their short lock.
    pub(crate) fn cursors(&self) -> MutexGuard<'_, Cursors> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one finished group.
    pub(crate) fn count(&self, operations: usize, committed: bool) {
        self.operations.fetch_add(u64::try_from(operations).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.transactions.fetch_add(u64::from(committed), Ordering::Relaxed);
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> WriteCounts {
        WriteCounts {
            transactions: self.transactions.load(Ordering::Relaxed),
            operations: self.operations.load(Ordering::Relaxed),
        }
    }
}
