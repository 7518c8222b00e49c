//! The members of the cell as this node knows them: the `pop` records, which are the pin store, held in memory.
//!
//! Read from the store at start and after each change of a `pop` record, never per request. The writer says that one
//! has changed ([`Members::changed`]), so that the view follows also where nobody waits for the write any more. Whoever
//! waits on a pin waits on the watch channel of the view. Deliberately absent: writing members, which is an operator's
//! or a join's.

use std::sync::{Arc, Mutex, PoisonError};

use clavitor_core::ids::{PopName, RecordId};
use clavitor_core::kind::Kind;
use clavitor_core::member::Member;
use clavitor_core::order::{Fingerprint, Version};
use clavitor_core::record::{Lookup, purpose};
use clavitor_core::replica::{ReadError, ReplicaStore};
use tokio::sync::watch;

/// The node-local key of the primary's pin on a backup: who it joined, valid until the first `pop` record arrives.
pub(crate) const BOOTSTRAP_KEY: &str = "replication/bootstrap-pin";

/// One member and its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownMember {
    /// The record; `None` for the bootstrap pin.
    pub(crate) record: Option<(RecordId, Version)>,
    /// The member.
    pub(crate) member: Member,
}

/// All members at one moment, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MemberView {
    members: Vec<KnownMember>,
    own: Option<Fingerprint>,
    /// Whom this node joined, as the primary was then. Kept for its name only once records are there.
    joined: Option<Member>,
}

impl MemberView {
    /// The member that a key is pinned for. This node's own key is nobody's.
    pub(crate) fn pinned(&self, key: &Fingerprint) -> Option<&Member> {
        let found = self.members.iter().find(|known| known.member.key == *key)?;
        (self.own != Some(*key)).then_some(&found.member)
    }

    /// The member of a name.
    pub(crate) fn named(&self, pop: &PopName) -> Option<&KnownMember> {
        self.members.iter().find(|known| known.member.pop == *pop)
    }

    /// All members.
    pub(crate) fn all(&self) -> &[KnownMember] {
        &self.members
    }

    /// All but this node.
    pub(crate) fn others(&self) -> impl Iterator<Item = &KnownMember> {
        self.members.iter().filter(|known| self.own != Some(known.member.key))
    }

    /// Whom this node joined: the only one that may push to it until a promotion is proved.
    pub(crate) fn joined(&self) -> Option<&Member> {
        self.joined.as_ref()
    }
}

/// The current view, and its changes.
pub(crate) struct Members {
    store: Arc<dyn ReplicaStore>,
    own: Fingerprint,
    view: watch::Sender<Arc<MemberView>>,
    /// Poked when a `pop` record may have changed.
    changes: watch::Sender<()>,
    /// Held while the members are read and shown: of two readings the later one stays.
    reading: Mutex<()>,
}

impl Members {
    /// Reads the members. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails.
    pub(crate) fn load(store: Arc<dyn ReplicaStore>, own: Fingerprint) -> Result<Self, ReadError> {
        let view = Arc::new(read(store.as_ref(), own)?);
        Ok(Self {
            store,
            own,
            view: watch::Sender::new(view),
            changes: watch::Sender::new(()),
            reading: Mutex::default(),
        })
    }

    /// The members now.
    pub(crate) fn now(&self) -> Arc<MemberView> {
        Arc::clone(&self.view.borrow())
    }

    /// To wait for changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<MemberView>> {
        self.view.subscribe()
    }

    /// Says that a `pop` record may have changed. For the writer's callbacks: never waits.
    pub(crate) fn changed(&self) {
        self.changes.send_replace(());
    }

    /// To learn that a `pop` record may have changed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Reads them again and tells those who wait, if anything changed. Blocks.
    ///
    /// - returns: the members as the store has them, at least as new as the call.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails; the old view stays.
    pub(crate) fn refresh(&self) -> Result<Arc<MemberView>, ReadError> {
        let _turn = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Arc::new(read(self.store.as_ref(), self.own)?);
        self.view.send_if_modified(|view| {
            let changed = *view != fresh;
            *view = Arc::clone(&fresh);
            changed
        });
        Ok(fresh)
    }
}

fn read(store: &dyn ReplicaStore, own: Fingerprint) -> Result<MemberView, ReadError> {
    let mut members = Vec::new();
    for stored in store.records_of_kind(Kind::POP)? {
        match minicbor::decode::<Member>(&stored.record.payload) {
            Ok(member) => {
                let record = Some((stored.record.id, stored.record.version));
                members.push(KnownMember { record, member });
            }
            Err(_) => tracing::warn!(seq = stored.seq.0, "a pop record does not decode and pins nothing"),
        }
    }
    let joined: Option<Member> = store.local(BOOTSTRAP_KEY)?.and_then(|bytes| minicbor::decode(&bytes).ok());
    if members.is_empty()
        && let Some(member) = &joined
    {
        members.push(KnownMember { record: None, member: member.clone() });
    }
    members.sort_by(|a, b| a.member.pop.cmp(&b.member.pop));
    Ok(MemberView { members, own: Some(own), joined })
}

/// The look-up under which the record of a member is found.
pub(crate) fn name_lookup(pop: &PopName) -> Lookup {
    Lookup { purpose: purpose::POP_NAME, hash: clavitor_crypto::sha256(pop.as_str().as_bytes()) }
}

/// Whether record bytes are of kind `pop`, without decoding the whole record.
pub(crate) fn is_pop_record(record: &[u8]) -> bool {
    let mut decoder = minicbor::Decoder::new(record);
    let kind = (|| {
        decoder.array()?;
        decoder.skip()?;
        decoder.skip()?;
        decoder.decode::<Kind>()
    })();
    kind.is_ok_and(|kind| kind == Kind::POP)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use clavitor_core::ids::VaultId;
    use clavitor_core::order::Seq;
    use clavitor_core::record::{Record, StoredRecord};

    use super::*;
    use crate::join::primary::member_content;
    use crate::testing::FakeStore;

    fn pop_record(name: &str) -> StoredRecord {
        let member = Member {
            pop: name.parse().unwrap(),
            url: String::new(),
            public_url: String::new(),
            key: Fingerprint([7; 32]),
            may_lead: false,
            blind: false,
        };
        let content = member_content(&member);
        let record = Record {
            id: clavitor_crypto::random::record_id(1),
            vault_id: VaultId::NIL,
            kind: Kind::POP,
            version: Version::FIRST,
            deleted: false,
            lookups: content.lookups,
            payload: content.payload,
            updated_at_ms: 1,
        };
        StoredRecord { seq: Seq(1), record }
    }

    #[test]
    fn of_two_readings_at_once_the_later_one_stays() {
        let store = FakeStore::primary("a");
        let members = Arc::new(Members::load(store.clone(), Fingerprint([1; 32])).unwrap());
        store.pops.lock().unwrap().push(pop_record("zurich-01"));
        // While the first reading is under way, the member goes and a second reading begins.
        let (tx, rx) = mpsc::channel();
        let (finished, is_finished) = mpsc::channel();
        let (store_again, members_again) = (store.clone(), Arc::clone(&members));
        *store.within_reading.lock().unwrap() = Some(Box::new(move || {
            store_again.pops.lock().unwrap().clear();
            std::thread::spawn(move || {
                members_again.refresh().unwrap();
                let _ = finished.send(());
                tx.send(()).unwrap();
            });
            // Whoever lets the second get ahead of the first is given the time for it.
            let _ = is_finished.recv_timeout(Duration::from_millis(50));
        }));
        members.refresh().unwrap();
        rx.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(members.now().all().is_empty(), "the member that is gone is not pinned again");
    }
}
