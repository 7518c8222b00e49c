//! The store's tests, and the small node that they share.

mod audit;
mod crash;
mod groups;
mod model;
mod opening;
mod operations;
mod replication;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use clavitor_core::audit::SealedAudit;
use clavitor_core::change::{Change, Committed, Content, Expect, Operation, WriteError};
use clavitor_core::clock::Clock;
use clavitor_core::ids::{CellId, RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::order::{Seq, Version};
use clavitor_core::record::{Lookup, purpose};
use clavitor_core::replica::{
    Adopt, Applied, ApplyBatch, ApplyError, Batch, BatchLimits, CommitObserver, ReplicaStore, ReplicaWrite,
    Role,
};
use tempfile::TempDir;

use crate::{OpenError, Store, StoreOptions};

pub(crate) const VAULT: VaultId = VaultId::from_bytes([0xaa; 16]);
pub(crate) const CELL: CellId = CellId::from_bytes([0xce; 16]);
pub(crate) const NONCE: u64 = 77;
/// More than any test writes.
pub(crate) const ALL: BatchLimits = BatchLimits { records_max: 256, bytes_max: 512 * 1024 };

/// A clock that moves by one with each look.
#[derive(Default)]
pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        1_000 + self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> u64 {
        self.now_ms()
    }
}

/// Hears nothing.
pub(crate) struct Deaf;

impl CommitObserver for Deaf {
    fn committed(&self, _head: Seq) {}
}

/// A store in a folder of its own.
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
}

impl Node {
    pub(crate) fn new(replicates: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("clavitor.db"), replicates).unwrap();
        store.start(Arc::new(Deaf));
        Self { store, folder }
    }

    /// A member of the test's cell.
    pub(crate) fn member(role: Role) -> Self {
        let node = Self::new(true);
        node.adopt(role).unwrap();
        node
    }

    pub(crate) fn adopt(&self, role: Role) -> Result<Applied, ApplyError> {
        let adopt = Adopt { cell: Some(CELL), pop: "zurich-01".parse().unwrap(), role, local: Vec::new() };
        submit(&*self.store.replica(), ReplicaWrite::Adopt(Box::new(adopt)))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("clavitor.db")
    }

    pub(crate) fn write(&self, operation: Operation) -> Result<Committed, WriteError> {
        block_on(self.store.write(operation))
    }

    pub(crate) fn change(&self, changes: Vec<Change>) -> Result<Committed, WriteError> {
        self.write(Operation { changes, ..Operation::default() })
    }

    pub(crate) fn log(&self, after: u64, limits: BatchLimits) -> Batch {
        self.store.replica().read_log(Seq(after), limits).unwrap()
    }

    pub(crate) fn apply(&self, batch: ApplyBatch) -> Result<Applied, ApplyError> {
        submit(&*self.store.replica(), ReplicaWrite::Apply(Box::new(batch)))
    }

    /// Closes the store and gives back its folder.
    pub(crate) fn close(self) -> TempDir {
        self.store.close().unwrap();
        self.folder
    }
}

pub(crate) fn open(path: &Path, replicates: bool) -> Result<Store, OpenError> {
    let clock = Arc::new(TestClock::default());
    Store::open(path, StoreOptions { replicates, clock, cell: CELL, epoch_nonce: NONCE })
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn submit(replica: &dyn ReplicaStore, write: ReplicaWrite) -> Result<Applied, ApplyError> {
    let (done, answer) = mpsc::channel();
    replica.submit(write, Box::new(move |result| done.send(result).unwrap()));
    answer.recv().unwrap()
}

/// The batch as the primary sends it.
pub(crate) fn sent(batch: Batch) -> ApplyBatch {
    ApplyBatch { epoch: batch.end.history, base: batch.base, entries: batch.entries, lineage: Vec::new() }
}

pub(crate) fn id(number: u8) -> RecordId {
    RecordId::from_bytes([number; 16])
}

pub(crate) fn title(number: u8) -> Lookup {
    Lookup { purpose: purpose::TITLE, hash: [number; 32] }
}

pub(crate) fn change(number: u8, expect: Expect, content: Option<Content>) -> Change {
    Change { id: id(number), vault_id: VAULT, kind: Kind::ENTRY, expect, content }
}

pub(crate) fn content(payload: &[u8]) -> Content {
    Content { lookups: Vec::new(), payload: payload.to_vec() }
}

pub(crate) fn create(number: u8, payload: &[u8]) -> Change {
    change(number, Expect::Absent, Some(content(payload)))
}

pub(crate) fn update(number: u8, version: u64, payload: &[u8]) -> Change {
    change(number, Expect::Version(Version(version)), Some(content(payload)))
}

pub(crate) fn delete(number: u8, version: u64) -> Change {
    change(number, Expect::Version(Version(version)), None)
}

pub(crate) fn event(sealed: &[u8]) -> SealedAudit {
    SealedAudit { at_ms: 5, vault_id: VAULT, sealed: sealed.to_vec() }
}
