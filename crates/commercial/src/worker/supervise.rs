//! Keeping a task alive: one that ends when it should not have is started again, and the operator is told.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use clavitor_core::alerts::{Alert, AlertKind, Alerts};
use clavitor_core::limits;
use tokio::time::{Duration, Instant};

/// Runs the task that `start` makes until it ends well.
///
/// - `start`: makes the task's future; called again after a panic, at most
///   [`limits::WORKER_RESTARTS_PER_MINUTE_MAX`] times within a minute.
/// - `subject`: whose task it is, for the alert.
pub(crate) async fn supervise<F>(alerts: Arc<dyn Alerts>, subject: String, mut start: impl FnMut() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut restarts: VecDeque<Instant> = VecDeque::new();
    loop {
        let mut task = tokio::task::JoinSet::new();
        task.spawn(start());
        let Some(Err(error)) = task.join_next().await else { return };
        if error.is_cancelled() {
            return;
        }
        let now = Instant::now();
        while restarts.front().is_some_and(|at| now - *at >= Duration::from_secs(60)) {
            restarts.pop_front();
        }
        let again = restarts.len() < limits::WORKER_RESTARTS_PER_MINUTE_MAX as usize;
        let what_next =
            if again { "it was started again" } else { "it stays down until this node is restarted" };
        alerts.raise(Alert {
            kind: AlertKind::WorkerEnded,
            subject: subject.clone(),
            text: format!(
                "the replication task for {subject} ended by a fault of ours; {what_next}. No change is lost"
            ),
        });
        if !again {
            return;
        }
        restarts.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::testing::RecordedAlerts;

    #[tokio::test]
    async fn a_failing_task_is_restarted_a_bounded_number_of_times() {
        let alerts = Arc::new(RecordedAlerts::default());
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        supervise(alerts.clone(), "zurich-01".to_owned(), move || {
            counted.fetch_add(1, Ordering::SeqCst);
            async { std::panic::resume_unwind(Box::new("a fault")) }
        })
        .await;
        assert_eq!(starts.load(Ordering::SeqCst), 1 + limits::WORKER_RESTARTS_PER_MINUTE_MAX);
        assert!(alerts.raised().iter().all(|alert| alert.kind == AlertKind::WorkerEnded));
        assert!(!alerts.raised().is_empty());
    }

    #[tokio::test]
    async fn a_task_that_ends_well_is_left_alone() {
        let alerts = Arc::new(RecordedAlerts::default());
        supervise(alerts.clone(), "zurich-01".to_owned(), || async {}).await;
        assert!(alerts.raised().is_empty());
    }
}
