//! All backups of a primary: one task each, started and ended as members come and go. One slow backup delays no other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clavitor_core::alerts::{AlertKind, Alerts};
use clavitor_core::ids::PopName;
use clavitor_core::member::Member;
use clavitor_core::order::Position;
use clavitor_core::replica::ReplicaStore;
use url::Url;

use super::handle::PeerHandle;
use super::supervise::supervise;
use super::task::Task;
use crate::members::KnownMember;
use crate::node::Common;
use crate::transport::client::PeerClient;

/// The backups by name.
#[derive(Default)]
pub(crate) struct Peers(Mutex<Known>);

#[derive(Default)]
struct Known {
    handles: BTreeMap<PopName, Arc<PeerHandle>>,
    /// The node stops: nobody is started any more.
    stopped: bool,
}

impl Peers {
    /// Starts and ends tasks so that there is one for each other member, as it is pinned and reached now. What was
    /// acknowledged under a name that is no member any more is forgotten, also when a crash came between.
    ///
    /// - `url_of`: where a member is reached; `None` where nobody knows.
    pub(crate) fn follow_members(&self, common: &Arc<Common>, url_of: impl Fn(&Member) -> Option<Url>) {
        let mut known = self.lock();
        if known.stopped {
            return;
        }
        // Read under the lock: of two callers the later one has the later view.
        let view = common.members.now();
        let wanted: Vec<(Member, Url)> =
            view.others().filter_map(|known| Some((known.member.clone(), url_of(&known.member)?))).collect();
        let handles = &mut known.handles;
        handles.retain(|name, handle| {
            let stays = wanted.iter().any(|(member, url)| *member == handle.member && *url == handle.url);
            if !stays {
                handle.remove();
                let same =
                    |known: &KnownMember| (&known.member.pop, known.member.key) == (name, handle.member.key);
                if !view.others().any(same) {
                    common.store.forget_acked(name);
                }
            }
            stays
        });
        for cursor in common.store.cursors() {
            if view.named(&cursor.pop).is_none() {
                common.store.forget_acked(&cursor.pop);
            }
        }
        for (member, url) in wanted {
            if handles.contains_key(&member.pop) {
                continue;
            }
            let name = member.pop.clone();
            let handle = PeerHandle::new(member, url, acked_by(common.store.as_ref(), &name));
            match PeerClient::new(&common.identity, &handle.url, handle.member.key) {
                Ok(client) => {
                    start(common, &handle, Arc::new(client));
                    handles.insert(name, handle);
                }
                Err(error) => tracing::error!(pop = %name, %error, "a backup cannot be dialled"),
            }
        }
    }

    /// The backup of a name.
    pub(crate) fn get(&self, pop: &PopName) -> Option<Arc<PeerHandle>> {
        self.lock().handles.get(pop).cloned()
    }

    /// All backups, in the order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<PeerHandle>> {
        self.lock().handles.values().cloned().collect()
    }

    /// The node stops: what is being sent is finished, then all tasks end, and none is started any more.
    pub(crate) fn stop(&self) {
        let mut known = self.lock();
        known.stopped = true;
        known.handles.values().for_each(|handle| handle.stop());
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn acked_by(store: &dyn ReplicaStore, pop: &PopName) -> Position {
    let cursors = store.cursors();
    cursors.into_iter().find(|cursor| cursor.pop == *pop).map(|cursor| cursor.acked).unwrap_or_default()
}

/// A fresh machine knows nothing of what its predecessor told; what is still so, it tells again.
fn forget_alerts(alerts: &dyn Alerts, pop: &str) {
    for kind in [
        AlertKind::ReplicationStalled,
        AlertKind::BackupDisconnected,
        AlertKind::Diverged,
        AlertKind::Fenced,
        AlertKind::FormatUnknown,
        AlertKind::Quarantined,
    ] {
        alerts.recovered(kind, pop);
    }
}

fn start(common: &Arc<Common>, handle: &Arc<PeerHandle>, client: Arc<PeerClient>) {
    let subject = handle.member.pop.to_string();
    let alerts = Arc::clone(&common.alerts);
    let (common_again, handle_again, mut first) = (Arc::clone(common), Arc::clone(handle), true);
    let handle = Arc::clone(handle);
    let tasks = supervise(alerts, subject, move || {
        let restarted = !std::mem::take(&mut first);
        if restarted {
            handle.reset(acked_by(common_again.store.as_ref(), &handle.member.pop));
            forget_alerts(common_again.alerts.as_ref(), handle.member.pop.as_str());
        }
        Task::new(Arc::clone(&common_again), Arc::clone(&handle), Arc::clone(&client), restarted).run()
    });
    let common_again = Arc::clone(common);
    common.tasks.spawn(async move {
        tasks.await;
        handle_again.reset(acked_by(common_again.store.as_ref(), &handle_again.member.pop));
    });
}
