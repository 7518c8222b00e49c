//! What is known to be true from outside: every state that a rightful primary ever committed, and what was
//! answered.

use std::collections::{HashMap, HashSet};

use clavitor_core::order::{Chain, Digest, Position, Seq};

use crate::store::Store;

/// One state of a rightful primary. A chain value names exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) seq: Seq,
    pub(crate) digest: Digest,
    /// Whether an operation ends here.
    pub(crate) whole: bool,
}

/// The truth.
#[derive(Default)]
pub(crate) struct Truth {
    facts: HashMap<Chain, Fact>,
    /// What each backup durably had, ever.
    had: [HashSet<(Seq, Chain)>; 2],
    /// What clients were told to be written, oldest first.
    answered: Vec<Position>,
}

impl Truth {
    /// A rightful primary has committed everything above `after`.
    pub(crate) fn committed(&mut self, store: &Store, after: Seq) {
        for (seq, chain, digest, whole) in store.rows_above(after) {
            self.facts.insert(chain, Fact { seq, digest, whole });
        }
    }

    pub(crate) fn fact(&self, chain: &Chain) -> Option<&Fact> {
        self.facts.get(chain)
    }

    /// A backup has a position on its disk.
    pub(crate) fn has(&mut self, backup: usize, position: Position) {
        self.had[backup].insert((position.seq, position.chain));
    }

    pub(crate) fn ever_had(&self, backup: usize, position: Position) -> bool {
        position.seq == Seq::ZERO || self.had[backup].contains(&(position.seq, position.chain))
    }

    pub(crate) fn answered(&mut self, position: Position) {
        self.answered.push(position);
    }

    /// The primary's disk was put back: what was answered beyond it is lost by the operator's hand, not by
    /// ours.
    pub(crate) fn forget_lost(&mut self, store: &Store) {
        self.answered.retain(|position| store.chain_at(position.seq) == Some(position.chain));
    }

    /// The first answered write that is not in the log any more.
    pub(crate) fn first_lost(&self, store: &Store) -> Option<Position> {
        self.answered.iter().find(|position| store.chain_at(position.seq) != Some(position.chain)).copied()
    }
}
