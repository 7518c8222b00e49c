//! One backup as the rest of the node holds it: its machine for status, its live link, and what its task is wished.
//!
//! Wishes are levels, not messages: nothing queues up, nothing is lost when the task is restarted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use clavitor_core::member::Member;
use clavitor_core::order::Position;
use clavitor_core::replica::{PeerCursor, ReplicaStore};
use clavitor_core::replicator::BackupStatus;
use clavitor_protocol::peer::{LinkId, Now, Peer};
use clavitor_protocol::receiver::BATCH_LIMITS;
use clavitor_protocol::rules::Strict;
use tokio::sync::{mpsc, watch};
use url::Url;

/// What the rest of the node wants of a backup's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wishes {
    /// The live link that is open.
    pub(crate) link: Option<LinkId>,
    /// How often the operator has ended every wait.
    pub(crate) wakes: u64,
    /// The member was removed.
    pub(crate) removed: bool,
    /// The node stops.
    pub(crate) stop: bool,
}

/// One backup.
pub(crate) struct PeerHandle {
    /// The member as pinned.
    pub(crate) member: Member,
    /// Where it is reached.
    pub(crate) url: Url,
    machine: Mutex<Peer<Strict>>,
    wishes: watch::Sender<Wishes>,
    link: Mutex<Option<(LinkId, mpsc::Sender<Bytes>)>>,
    links: AtomicU64,
    /// Whether it was removed: from then on its task notes nothing more in the store.
    retired: Mutex<bool>,
}

impl PeerHandle {
    /// A backup whose task has not started.
    pub(crate) fn new(member: Member, url: Url, acked: Position) -> Arc<Self> {
        let machine = Mutex::new(Peer::new(member.pop.clone(), acked, BATCH_LIMITS));
        Arc::new(Self {
            member,
            url,
            machine,
            wishes: watch::Sender::new(Wishes::default()),
            link: Mutex::new(None),
            links: AtomicU64::new(0),
            retired: Mutex::new(false),
        })
    }

    /// The machine, for a step or a look. Never held across a wait.
    pub(super) fn machine(&self) -> MutexGuard<'_, Peer<Strict>> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a fresh machine in place of one whose task ended.
    pub(super) fn reset(&self, acked: Position) {
        *self.machine() = Peer::new(self.member.pop.clone(), acked, BATCH_LIMITS);
    }

    /// To learn what is wished.
    pub(super) fn wishes(&self) -> watch::Receiver<Wishes> {
        self.wishes.subscribe()
    }

    /// Ends every wait.
    pub(crate) fn wake(&self) {
        self.wishes.send_modify(|wishes| wishes.wakes += 1);
    }

    /// Notes what the backup acknowledged, unless it was removed: a cursor that was forgotten stays forgotten.
    pub(super) fn note_acked(&self, store: &dyn ReplicaStore, cursor: PeerCursor) {
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        if !*retired {
            store.note_acked(cursor);
        }
    }

    /// The member was removed: its task ends, notes nothing more, and its link is closed.
    pub(crate) fn remove(&self) {
        *self.retired.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wishes.send_modify(|wishes| wishes.removed = true);
        self.close_links();
    }

    /// The node stops: what is being sent is finished, then the task ends.
    pub(crate) fn stop(&self) {
        self.wishes.send_modify(|wishes| wishes.stop = true);
        self.close_links();
    }

    /// Opens a live link in place of an older one, and says so to the task.
    ///
    /// - returns: what to send on the link, and the guard whose drop closes it; `None` once the member was removed or
    ///   the node stops.
    pub(crate) fn open_link(
        self: &Arc<Self>,
    ) -> Option<(mpsc::Receiver<Bytes>, LinkGuard, mpsc::Sender<Bytes>)> {
        let id = LinkId(self.links.fetch_add(1, Ordering::Relaxed) + 1);
        let (tx, rx) = mpsc::channel(1);
        {
            let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
            let ends = { *self.wishes.borrow() };
            if ends.removed || ends.stop {
                return None;
            }
            *link = Some((id, tx.clone()));
            self.wishes.send_modify(|wishes| wishes.link = Some(id));
        }
        Some((rx, LinkGuard { handle: Arc::clone(self), id }, tx))
    }

    fn link_ended(&self, id: LinkId) {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if link.as_ref().is_some_and(|(open, _)| *open == id) {
            *link = None;
            self.wishes.send_modify(|wishes| wishes.link = None);
        }
    }

    fn close_links(&self) {
        let ended = self.link.lock().unwrap_or_else(PoisonError::into_inner).take();
        if ended.is_some() {
            self.wishes.send_modify(|wishes| wishes.link = None);
        }
    }

    /// The state, for status answers.
    pub(crate) fn status(&self, now: Now) -> BackupStatus {
        self.machine().status(self.url.as_str().trim_end_matches('/'), now)
    }

    /// Timers armed, batches and records acknowledged.
    pub(crate) fn totals(&self) -> (u32, u64, u64) {
        let machine = self.machine();
        (machine.timers_armed(), machine.batches_total(), machine.records_total())
    }
}

/// An open link; dropping it tells the backup's task that the link is gone.
pub(crate) struct LinkGuard {
    handle: Arc<PeerHandle>,
    id: LinkId,
}

impl Drop for LinkGuard {
    fn drop(&mut self) {
        self.handle.link_ended(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeStore;

    fn handle() -> Arc<PeerHandle> {
        let member = Member {
            pop: "zurich-01".parse().unwrap(),
            url: String::new(),
            public_url: String::new(),
            key: clavitor_core::order::Fingerprint([1; 32]),
            may_lead: false,
            blind: false,
        };
        PeerHandle::new(member, "https://127.0.0.1:1".parse().unwrap(), Position::default())
    }

    #[test]
    fn a_link_that_comes_after_the_end_is_not_opened() {
        let (open, stopped, removed) = (handle(), handle(), handle());
        let (_events, _guard, _tx) = open.open_link().unwrap();
        assert!(open.wishes.borrow().link.is_some());
        stopped.stop();
        removed.remove();
        assert!(stopped.open_link().is_none() && removed.open_link().is_none());
        assert_eq!((stopped.wishes.borrow().link, removed.wishes.borrow().link), (None, None));
    }

    #[test]
    fn a_removed_backup_notes_nothing_more() {
        let (store, handle) = (FakeStore::primary("a"), handle());
        let cursor =
            || PeerCursor { pop: "zurich-01".parse().unwrap(), acked: Position::default(), at_ms: 1 };
        handle.note_acked(store.as_ref(), cursor());
        assert_eq!(store.cursors().len(), 1);
        handle.remove();
        store.forget_acked(&handle.member.pop);
        handle.note_acked(store.as_ref(), cursor());
        assert!(store.cursors().is_empty());
    }
}
