//! The store port as async code calls it: blocking reads on the blocking pool, submitted writes awaited. What must
//! follow a write follows from the writer's callback, never from the waiting: a caller may go away at any time.

use std::sync::Arc;

use clavitor_core::change::{Committed, Operation, WriteError};
use clavitor_core::kind::Kind;
use clavitor_core::replica::{Applied, ApplyError, ReadError, ReplicaStore, ReplicaWrite};
use tokio::sync::oneshot;

use crate::members::Members;

/// Submits a write and waits for its answer. Dropping the future does not take the write back.
pub(crate) async fn submit(store: &dyn ReplicaStore, write: ReplicaWrite) -> Result<Applied, ApplyError> {
    let (tx, rx) = oneshot::channel();
    store.submit(
        write,
        Box::new(move |answer| {
            let _ = tx.send(answer);
        }),
    );
    rx.await.unwrap_or(Err(ApplyError::Write(WriteError::Closed)))
}

/// Commits a normal operation of the node and waits for its answer. Where it changes a `pop` record, the members are
/// told by the writer, also when this future was dropped meanwhile.
///
/// - `held`: what is kept until the writer has answered: a turn, for example.
pub(crate) async fn commit(
    store: &dyn ReplicaStore,
    members: &Arc<Members>,
    operation: Operation,
    held: impl Send + 'static,
) -> Result<Committed, WriteError> {
    let changes_members = operation.changes.iter().any(|change| change.kind == Kind::POP);
    let (members, (tx, rx)) = (Arc::clone(members), oneshot::channel());
    store.submit(
        ReplicaWrite::Commit(Box::new(operation)),
        Box::new(move |answer| {
            if changes_members {
                members.changed();
            }
            drop(held);
            let _ = tx.send(answer);
        }),
    );
    match rx.await.unwrap_or(Err(ApplyError::Write(WriteError::Closed))) {
        Ok(Applied::Committed(committed)) => Ok(committed),
        Ok(_) => Ok(Committed::default()),
        Err(ApplyError::Write(error)) => Err(error),
        Err(ApplyError::WrongRole) => Err(WriteError::ReadOnly),
        Err(other) => Err(WriteError::Disk(other.to_string())),
    }
}

/// Runs a blocking read where blocking is allowed.
pub(crate) async fn read<T, F>(store: &Arc<dyn ReplicaStore>, read: F) -> Result<T, ReadError>
where
    T: Send + 'static,
    F: FnOnce(&dyn ReplicaStore) -> Result<T, ReadError> + Send + 'static,
{
    let store = Arc::clone(store);
    let answer = tokio::task::spawn_blocking(move || read(store.as_ref())).await;
    answer.unwrap_or_else(|error| Err(ReadError(format!("the reading task ended: {error}"))))
}
