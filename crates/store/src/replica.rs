//! The store as replication sees it: the port [`ReplicaStore`], over the same readers and the same one writer.

use std::sync::Arc;

use clavitor_core::ids::PopName;
use clavitor_core::kind::Kind;
use clavitor_core::order::{Chain, Digest, Seq};
use clavitor_core::record::StoredRecord;
use clavitor_core::replica::{
    Batch, BatchLimits, NodeState, PeerCursor, ReadError, ReplicaStore, ReplicaWrite, WriteDone,
};

use crate::prepare::Work;
use crate::store::Inner;
use crate::writer::{Job, Reply};
use crate::{reader, writer};

/// The port.
pub(crate) struct Replica {
    pub(crate) store: Arc<Inner>,
}

impl ReplicaStore for Replica {
    fn node(&self) -> NodeState {
        self.store.shared.node()
    }

    fn read_log(&self, after: Seq, limits: BatchLimits) -> Result<Batch, ReadError> {
        let node = self.store.shared.position();
        self.store.readers.long(|db| reader::read_log(db, after, limits, node))
    }

    fn points(&self, seqs: &[Seq]) -> Result<Vec<Option<(Chain, Digest)>>, ReadError> {
        self.store.readers.long(|db| reader::points(db, seqs))
    }

    fn records_of_kind(&self, kind: Kind) -> Result<Vec<StoredRecord>, ReadError> {
        self.store.readers.long(|db| reader::of_kind(db, kind))
    }

    fn local(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.store.readers.point(|db| reader::local(db, key))
    }

    fn local_with_prefix(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        self.store.readers.long(|db| reader::local_with_prefix(db, prefix))
    }

    fn quarantined(&self) -> Result<u64, ReadError> {
        self.store.readers.point(writer::quarantined)
    }

    fn cursors(&self) -> Vec<PeerCursor> {
        self.store.shared.cursors().all()
    }

    fn note_acked(&self, cursor: PeerCursor) {
        self.store.shared.cursors().note(cursor);
    }

    fn forget_acked(&self, pop: &PopName) {
        self.store.shared.cursors().forget(pop);
    }

    fn submit(&self, write: ReplicaWrite, done: WriteDone) {
        match Work::from_replica(write, self.store.clock.now_ms()) {
            Err(error) => done(Err(error)),
            Ok(work) => self.store.enqueue(Job { work, reply: Reply::to_replica(done) }),
        }
    }
}
