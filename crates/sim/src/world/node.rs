//! One node: its disk, and what a crash takes from it.

use std::collections::BTreeSet;

use clavitor_core::alerts::AlertKind;
use clavitor_core::ids::PopName;
use clavitor_core::order::{Position, Seq};
use clavitor_core::replica::BatchLimits;
use clavitor_protocol::link::{Attempt, Link};
use clavitor_protocol::peer::{LinkId, Peer};
use clavitor_protocol::receiver::Receiver;
use clavitor_protocol::rules::Rules;

use super::step::Life;
use crate::store::{Change, Store};

/// Small, so that backlogs and imports exceed a batch soon.
pub(crate) const LIMITS: BatchLimits = BatchLimits { records_max: 6, bytes_max: 4_096 };
/// The most records of one operation.
pub(crate) const OPERATION_RECORDS_MAX: u64 = 6;

/// A primary's machine for one backup, with the timers that the shell holds for it.
pub(crate) struct Slot<R: Rules> {
    pub(crate) membership: u32,
    pub(crate) peer: Peer<R>,
    /// The head that the machine was told last.
    pub(crate) told: Seq,
    /// The tokens of the armed timers: retry, link alert.
    pub(crate) timers: [Option<u64>; 2],
}

/// One node.
pub(crate) struct Node<R: Rules> {
    pub(crate) name: PopName,
    /// Durable.
    pub(crate) store: Store,
    /// Which life; a crash ends it.
    pub(crate) life: Life,
    pub(crate) up: bool,
    /// Operations that wait for their commit.
    pub(crate) pending: Vec<Vec<Change>>,
    pub(crate) commit_scheduled: bool,
    /// Cursors noted since the last commit.
    pub(crate) noted: [Option<Position>; 2],
    /// Whether the worker has started.
    pub(crate) started: bool,
    /// On a primary: a slot per backup, where that is a member.
    pub(crate) slots: [Option<Slot<R>>; 2],
    /// On a backup.
    pub(crate) receiver: Receiver<R>,
    pub(crate) link: Link,
    /// The tokens of the link machine's timers: retry, alert.
    pub(crate) link_timers: [Option<u64>; 2],
    /// What the operator was told and not told to be well.
    pub(crate) alerts: BTreeSet<(AlertKind, String)>,
}

impl<R: Rules> Node<R> {
    pub(crate) fn new(number: usize, name: PopName, primary: PopName, store: Store) -> Self {
        Self {
            name,
            store,
            life: Life { node: number, number: 0 },
            up: true,
            pending: Vec::new(),
            commit_scheduled: false,
            noted: [None; 2],
            started: false,
            slots: [None, None],
            receiver: Receiver::new(LIMITS),
            link: Link::new(vec![primary]),
            link_timers: [None; 2],
            alerts: BTreeSet::new(),
        }
    }

    /// Loses everything but the disk.
    pub(crate) fn crash(&mut self, primary: PopName) {
        self.up = false;
        self.life.number += 1;
        self.pending.clear();
        self.commit_scheduled = false;
        self.noted = [None; 2];
        self.started = false;
        self.slots = [None, None];
        self.receiver = Receiver::new(LIMITS);
        self.link = Link::new(vec![primary]);
        self.link_timers = [None; 2];
        self.alerts.clear();
    }
}

/// A live link, as both ends see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) link: LinkId,
    pub(crate) backup: Life,
    pub(crate) attempt: Attempt,
    pub(crate) primary: Life,
}
