//! Stand-ins for the ports, for unit tests of this crate: a clock, a sealer that does not seal, a keyring, recorded
//! alerts, and a store in memory. Tests of whole nodes use the real store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use clavitor_core::alerts::{Alert, AlertKind, Alerts};
use clavitor_core::audit::{AuditEvent, AuditSealer, SealedAudit};
use clavitor_core::change::Committed;
use clavitor_core::clock::Clock;
use clavitor_core::edition::KeyringPort;
use clavitor_core::ids::{CellId, PopName};
use clavitor_core::kind::Kind;
use clavitor_core::order::{Chain, Digest, Epoch, Position, Seq};
use clavitor_core::record::StoredRecord;
use clavitor_core::replica::{
    Applied, Batch, BatchLimits, NodeState, PeerCursor, ReadError, ReplicaStore, ReplicaWrite, Role,
    WriteDone,
};
use clavitor_core::secret::SecretBytes;

/// A clock that moves when it is told to.
pub(crate) struct FixedClock(AtomicU64);

impl FixedClock {
    pub(crate) fn at(now_ms: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(now_ms)))
    }

    pub(crate) fn advance_ms(&self, by_ms: u64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> u64 {
        self.now_ms()
    }
}

/// Writes events in the clear, so that a test can read them.
pub(crate) struct PlainSealer;

impl AuditSealer for PlainSealer {
    fn seal(&self, event: &AuditEvent) -> SealedAudit {
        SealedAudit {
            at_ms: event.at_ms,
            vault_id: event.vault_id,
            sealed: serde_json::to_vec(event).unwrap(),
        }
    }
}

/// A keyring of plain bytes.
#[derive(Default)]
pub(crate) struct FakeKeyring(pub(crate) Mutex<Vec<u8>>);

impl FakeKeyring {
    pub(crate) fn with(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(bytes.to_vec())))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl KeyringPort for FakeKeyring {
    fn export(&self) -> SecretBytes {
        SecretBytes::new(self.bytes())
    }

    fn import(&self, keyring: SecretBytes) -> Result<(), String> {
        *self.0.lock().unwrap() = keyring.expose().to_vec();
        Ok(())
    }
}

/// Alerts, kept.
#[derive(Default)]
pub(crate) struct RecordedAlerts(Mutex<Vec<Alert>>);

impl RecordedAlerts {
    pub(crate) fn raised(&self) -> Vec<Alert> {
        self.0.lock().unwrap().clone()
    }
}

impl Alerts for RecordedAlerts {
    fn raise(&self, alert: Alert) {
        self.0.lock().unwrap().push(alert);
    }

    fn recovered(&self, _kind: AlertKind, _subject: &str) {}
}

/// Tells two.
pub(crate) struct Tee(pub(crate) Arc<dyn Alerts>, pub(crate) Arc<RecordedAlerts>);

impl Alerts for Tee {
    fn raise(&self, alert: Alert) {
        self.1.raise(alert.clone());
        self.0.raise(alert);
    }

    fn recovered(&self, kind: AlertKind, subject: &str) {
        self.0.recovered(kind, subject);
    }
}

type HeldWrite = (Arc<dyn ReplicaStore>, ReplicaWrite, WriteDone);

/// Writes that wait, in their order, while a test holds them.
#[derive(Default)]
pub(crate) struct Held(Mutex<Option<Vec<HeldWrite>>>);

impl Held {
    pub(crate) fn hold(&self) {
        self.0.lock().unwrap().get_or_insert_default();
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().as_ref().map_or(0, Vec::len)
    }

    pub(crate) fn release(&self) {
        let held = self.0.lock().unwrap().take();
        held.into_iter().flatten().for_each(|(store, write, done)| store.submit(write, done));
    }
}

/// A real store whose writes by the edition can be held.
pub(crate) struct HoldingStore {
    store: Arc<dyn ReplicaStore>,
    held: Arc<Held>,
}

impl HoldingStore {
    pub(crate) fn over(store: Arc<dyn ReplicaStore>, held: Arc<Held>) -> Arc<dyn ReplicaStore> {
        Arc::new(Self { store, held })
    }
}

impl ReplicaStore for HoldingStore {
    fn node(&self) -> NodeState {
        self.store.node()
    }

    fn read_log(&self, after: Seq, limits: BatchLimits) -> Result<Batch, ReadError> {
        self.store.read_log(after, limits)
    }

    fn points(&self, seqs: &[Seq]) -> Result<Vec<Option<(Chain, Digest)>>, ReadError> {
        self.store.points(seqs)
    }

    fn records_of_kind(&self, kind: Kind) -> Result<Vec<StoredRecord>, ReadError> {
        self.store.records_of_kind(kind)
    }

    fn local(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.store.local(key)
    }

    fn local_with_prefix(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        self.store.local_with_prefix(prefix)
    }

    fn quarantined(&self) -> Result<u64, ReadError> {
        self.store.quarantined()
    }

    fn cursors(&self) -> Vec<PeerCursor> {
        self.store.cursors()
    }

    fn note_acked(&self, cursor: PeerCursor) {
        self.store.note_acked(cursor);
    }

    fn forget_acked(&self, pop: &PopName) {
        self.store.forget_acked(pop);
    }

    fn submit(&self, write: ReplicaWrite, done: WriteDone) {
        match self.held.0.lock().unwrap().as_mut() {
            Some(held) => held.push((Arc::clone(&self.store), write, done)),
            None => self.store.submit(write, done),
        }
    }
}

type Hook = Box<dyn FnOnce() + Send>;

/// A store that keeps audit rows and cursors, and has the members that it is given.
pub(crate) struct FakeStore {
    pop: PopName,
    audit: Mutex<Vec<AuditEvent>>,
    local: Mutex<BTreeMap<String, Vec<u8>>>,
    cursors: Mutex<BTreeMap<PopName, PeerCursor>>,
    /// The records of kind `pop`.
    pub(crate) pops: Mutex<Vec<StoredRecord>>,
    /// Called within the next reading of records, after they were taken.
    pub(crate) within_reading: Mutex<Option<Hook>>,
}

impl FakeStore {
    pub(crate) fn primary(pop: &str) -> Arc<Self> {
        Arc::new(Self {
            pop: pop.parse().unwrap(),
            audit: Mutex::default(),
            local: Mutex::default(),
            cursors: Mutex::default(),
            pops: Mutex::default(),
            within_reading: Mutex::default(),
        })
    }

    /// The audit rows, in order.
    pub(crate) fn audited(&self) -> Vec<AuditEvent> {
        self.audit.lock().unwrap().clone()
    }
}

impl ReplicaStore for FakeStore {
    fn node(&self) -> NodeState {
        NodeState {
            cell: CellId::from_bytes([1; 16]),
            pop: Some(self.pop.clone()),
            role: Role::Primary,
            epoch_seen: Epoch::NONE,
            position: Position::default(),
            digest: Digest::ZERO,
            log_floor: Seq::ZERO,
            halted: None,
            starts: 1,
            lineage: Vec::new(),
        }
    }

    fn read_log(&self, _after: Seq, _limits: BatchLimits) -> Result<Batch, ReadError> {
        Ok(Batch::default())
    }

    fn points(&self, seqs: &[Seq]) -> Result<Vec<Option<(Chain, Digest)>>, ReadError> {
        Ok(vec![None; seqs.len()])
    }

    fn records_of_kind(&self, _kind: Kind) -> Result<Vec<StoredRecord>, ReadError> {
        let taken = self.pops.lock().unwrap().clone();
        let hook = self.within_reading.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        Ok(taken)
    }

    fn local(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.local.lock().unwrap().get(key).cloned())
    }

    fn local_with_prefix(&self, _prefix: &str) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        Ok(Vec::new())
    }

    fn quarantined(&self) -> Result<u64, ReadError> {
        Ok(0)
    }

    fn cursors(&self) -> Vec<PeerCursor> {
        self.cursors.lock().unwrap().values().cloned().collect()
    }

    fn note_acked(&self, cursor: PeerCursor) {
        self.cursors.lock().unwrap().insert(cursor.pop.clone(), cursor);
    }

    fn forget_acked(&self, pop: &PopName) {
        self.cursors.lock().unwrap().remove(pop);
    }

    fn submit(&self, write: ReplicaWrite, done: WriteDone) {
        if let ReplicaWrite::Commit(operation) = write {
            let events = operation.audit.iter().map(|row| serde_json::from_slice(&row.sealed).unwrap());
            self.audit.lock().unwrap().extend(events);
            done(Ok(Applied::Committed(Committed::default())));
        } else {
            done(Ok(Applied::Done));
        }
    }
}
