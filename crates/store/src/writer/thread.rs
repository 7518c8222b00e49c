//! The writer's thread: its queue, its loop, its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;

use clavitor_core::change::{Committed, WriteError};
use clavitor_core::limits;
use clavitor_core::replica::{Applied, ApplyError, CommitObserver, WriteDone};
use tokio::sync::{mpsc, oneshot};

use crate::prepare::Work;
use crate::writer::Writer;

/// One write in the queue.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) reply: Reply,
}

/// Who waits for it. Answered exactly once: one that is dropped unanswered by a panic of the writer ends the process
/// first, so that nobody is told anything about a write whose fate is unknown.
pub(crate) struct Reply(Option<Waiting>);

enum Waiting {
    /// A caller of `Store::write`.
    Caller(oneshot::Sender<Result<Committed, WriteError>>),
    /// Replication.
    Replica(WriteDone),
}

/// The running thread, as the store holds it.
pub(crate) struct WriterThread {
    /// Gives it its observer and lets it start; dropping it ends a thread that never started.
    pub(crate) start: std_mpsc::SyncSender<Arc<dyn CommitObserver>>,
    /// Its end, with what the last flush said.
    pub(crate) end: JoinHandle<Result<(), rusqlite::Error>>,
}

impl Reply {
    pub(crate) fn to_caller(caller: oneshot::Sender<Result<Committed, WriteError>>) -> Self {
        Self(Some(Waiting::Caller(caller)))
    }

    pub(crate) fn to_replica(done: WriteDone) -> Self {
        Self(Some(Waiting::Replica(done)))
    }

    /// Answers. A caller that has gone away is no error.
    pub(crate) fn send(mut self, result: Result<Applied, ApplyError>) {
        match self.0.take() {
            None => {}
            Some(Waiting::Replica(done)) => done(result),
            Some(Waiting::Caller(caller)) => {
                let result = match result {
                    Ok(Applied::Committed(committed)) => Ok(committed),
                    Err(ApplyError::Write(error)) => Err(error),
                    Ok(_) | Err(_) => unreachable!("an operation is answered as an operation"),
                };
                // The receiver is gone when the caller stopped waiting; the write stands all the same.
                let _ = caller.send(result);
            }
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.0.is_some() && std::thread::panicking() {
            writer_dead();
        }
    }
}

/// Whatever a panic left behind in memory is not trusted: the process ends, the database stands as committed.
fn writer_dead() -> ! {
    tracing::error!(event = "writer_dead", "the writer thread panicked; the process ends");
    std::process::exit(1)
}

/// Starts the thread. It waits for its observer, then for writes; it ends when the queue is closed and empty.
pub(crate) fn spawn(mut writer: Writer, mut queue: mpsc::Receiver<Job>) -> std::io::Result<WriterThread> {
    let (start, started) = std_mpsc::sync_channel::<Arc<dyn CommitObserver>>(1);
    let end = std::thread::Builder::new().name("clavitor-writer".to_owned()).spawn(move || {
        let Ok(observer) = started.recv() else {
            // Closed before it was started: nothing was written, and whoever waits is told.
            while let Ok(job) = queue.try_recv() {
                job.reply.send(Err(ApplyError::Write(WriteError::Closed)));
            }
            return Ok(());
        };
        catch_unwind(AssertUnwindSafe(|| writer.run(&mut queue, observer.as_ref())))
            .unwrap_or_else(|_| writer_dead())
    })?;
    Ok(WriterThread { start, end })
}

impl Writer {
    fn run(
        &mut self,
        queue: &mut mpsc::Receiver<Job>,
        observer: &dyn CommitObserver,
    ) -> Result<(), rusqlite::Error> {
        let mut group = Vec::with_capacity(limits::GROUP_OPERATIONS_MAX);
        while queue.blocking_recv_many(&mut group, limits::GROUP_OPERATIONS_MAX) > 0 {
            self.commit_group(&mut group, observer);
        }
        self.finish()
    }

    /// Writes the cursors that still wait and folds the write-ahead log into the file.
    fn finish(&mut self) -> Result<(), rusqlite::Error> {
        self.flush_cursors()?;
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}
