//! The store of one node, as the server holds it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use clavitor_core::change::{Committed, Operation, WriteError};
use clavitor_core::clock::Clock;
use clavitor_core::ids::{CellId, RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::Seq;
use clavitor_core::record::{Lookup, StoredRecord};
use clavitor_core::replica::{ApplyError, CommitObserver, NodeState, ReadError, ReplicaStore};
use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::{self, AuditCheck, AuditRow};
use crate::cursors::Cursors;
use crate::error::OpenError;
use crate::open;
use crate::prepare::{Work, prepare_operation};
use crate::reader::{self, Readers, Recomputed};
use crate::replica::Replica;
use crate::shared::{Shared, WriteCounts};
use crate::writer::{self, Job, Log, Reply, Writer, WriterThread};

/// How a store is opened.
pub struct StoreOptions {
    /// Whether this edition replicates: then every change is also appended to the log.
    pub replicates: bool,
    /// Dates records.
    pub clock: Arc<dyn Clock>,
    /// The cell of a database that is made now; an existing one keeps its own.
    pub cell: CellId,
    /// The nonce of a history, should one be minted: 64 random bits.
    pub epoch_nonce: u64,
}

/// The store of one node. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What the clones and the replica port share.
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) readers: Readers,
    pub(crate) clock: Arc<dyn Clock>,
    queue: RwLock<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<WriterThread>>,
}

impl Store {
    /// Opens the database at `path`, making it where there is none. Blocks.
    ///
    /// Reads work at once; writes wait until [`Store::start`].
    ///
    /// # Errors
    /// [`OpenError`]; a file that cannot be used is left as it is.
    pub fn open(path: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let StoreOptions { replicates, clock, cell, epoch_nonce } = options;
        let log = if replicates { Log::Kept } else { Log::None };
        let (db, state) = open::open_for_writer(path, log, cell, epoch_nonce)?;
        Self::assemble(path, db, state, log, epoch_nonce, clock)
    }

    /// Puts a store together over an opened database.
    pub(crate) fn assemble(
        path: &Path,
        db: rusqlite::Connection,
        state: crate::meta::State,
        log: Log,
        epoch_nonce: u64,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let sqlite = |e| OpenError::sqlite(path, e);
        let cursors = Cursors::load(&db).map_err(sqlite)?;
        let readers = Readers::open(path).map_err(sqlite)?;
        let shared = Arc::new(Shared::new(state.clone(), cursors));
        let writer = Writer { db, state, log, epoch_nonce, shared: Arc::clone(&shared) };
        let (queue, waiting) = mpsc::channel(limits::WRITER_QUEUE_MAX);
        let thread = writer::spawn(writer, waiting).map_err(OpenError::Thread)?;
        let (queue, thread) = (RwLock::new(Some(queue)), Mutex::new(Some(thread)));
        Ok(Self { inner: Arc::new(Inner { shared, readers, clock, queue, thread }) })
    }

    /// Lets the writer begin. A second call changes nothing.
    ///
    /// - `observer`: told after each COMMIT that moved the head, on the writer thread.
    pub fn start(&self, observer: Arc<dyn CommitObserver>) {
        if let Some(thread) = &*self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            // Full or closed means that it has its observer already.
            let _ = thread.start.try_send(observer);
        }
    }

    /// The head, now and as it moves.
    pub fn head(&self) -> watch::Receiver<Seq> {
        self.inner.shared.head()
    }

    /// The port of replication.
    pub fn replica(&self) -> Arc<dyn ReplicaStore> {
        Arc::new(Replica { store: Arc::clone(&self.inner) })
    }

    /// The node's state as last committed. From memory.
    pub fn node(&self) -> NodeState {
        self.inner.shared.node()
    }

    /// Commits one operation; it is durable and visible when this returns.
    ///
    /// It never waits for room: a full queue is [`WriteError::Busy`]. Dropping the future does not take back what was
    /// queued: all of the operation is committed, or nothing.
    ///
    /// # Errors
    /// [`WriteError`]; nothing of the operation was written.
    pub async fn write(&self, operation: Operation) -> Result<Committed, WriteError> {
        let work = Work::Operation(prepare_operation(operation, self.inner.clock.now_ms())?);
        let (reply, answer) = oneshot::channel();
        self.inner.enqueue(Job { work, reply: Reply::to_caller(reply) });
        answer.await.unwrap_or(Err(WriteError::Closed))
    }

    /// The record under an id, a tombstone included; `None` where the vault has no such record. A point read.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    pub fn get(&self, vault_id: VaultId, id: RecordId) -> Result<Option<StoredRecord>, ReadError> {
        self.inner.readers.point(|db| reader::get(db, &vault_id, &id))
    }

    /// The living records of a vault with this lookup above `after`, in the order of their ids. A point read where the
    /// limit is small.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    pub fn find(
        &self,
        vault_id: VaultId,
        lookup: &Lookup,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        self.inner.readers.point(|db| reader::find(db, &vault_id, lookup, after, limit))
    }

    /// The living records of a vault and kind above `after`, in the order of their ids. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    pub fn list(
        &self,
        vault_id: VaultId,
        kind: Kind,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        self.inner.readers.long(|db| reader::list(db, &vault_id, kind, after, limit))
    }

    /// How many living records of a kind there are, in one vault or in all. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    pub fn count(&self, vault_id: Option<VaultId>, kind: Kind) -> Result<u64, ReadError> {
        self.inner.readers.long(|db| reader::count(db, vault_id.as_ref(), kind))
    }

    /// One node-local value. A point read.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    pub fn local(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.inner.readers.point(|db| reader::local(db, key))
    }

    /// The audit rows above `after_n`, in order. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    pub fn audit_rows(&self, after_n: u64, limit: usize) -> Result<Vec<AuditRow>, ReadError> {
        self.inner.readers.long(|db| audit::rows(db, after_n, limit))
    }

    /// Recomputes the chain of all audit rows. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    pub fn verify_audit(&self) -> Result<AuditCheck, ReadError> {
        self.inner.readers.whole(audit::check)
    }

    /// Adds up the digest of all records anew. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    pub fn recompute_digest(&self) -> Result<Recomputed, ReadError> {
        self.inner.readers.whole(reader::recompute)
    }

    /// What SQLite's own check of the file says; empty when all is well. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when SQLite fails.
    pub fn quick_check(&self) -> Result<Vec<String>, ReadError> {
        self.inner.readers.whole(reader::quick_check)
    }

    /// How much the writer has done since the store was opened.
    pub fn write_counts(&self) -> WriteCounts {
        self.inner.shared.counts()
    }

    /// Closes the queue, lets the writer commit what waits, writes the cursors and folds the write-ahead log into the
    /// file. Blocks; never call it from an answer or an observer. Later writes are [`WriteError::Closed`]; reads work on.
    ///
    /// # Errors
    /// [`WriteError::Disk`] where the last flush failed; what was acknowledged is on disk all the same.
    pub fn close(&self) -> Result<(), WriteError> {
        drop(self.inner.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(WriterThread { start, end }) = thread else {
            return Ok(());
        };
        drop(start);
        match end.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(WriteError::Disk(error.to_string())),
            Err(_) => unreachable!("a panic of the writer ends the process"),
        }
    }
}

impl Inner {
    /// Queues a write, or answers at once why not. Never waits.
    pub(crate) fn enqueue(&self, job: Job) {
        let (error, job) = match &*self.queue.read().unwrap_or_else(PoisonError::into_inner) {
            None => (WriteError::Closed, job),
            Some(queue) => match queue.try_send(job) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(job)) => (WriteError::Busy, job),
                Err(mpsc::error::TrySendError::Closed(job)) => (WriteError::Closed, job),
            },
        };
        job.reply.send(Err(ApplyError::Write(error)));
    }
}
