//! How the operator is told: a log line each time, and a webhook where one is configured.
//!
//! An alert is told once per `(kind, subject)` until it has recovered; a recovery is told once. Never blocks, never
//! fails, never names a vault or an entry. What does not fit the bounded queue is still in the log.

mod webhook;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use clavitor_core::alerts::{Alert, AlertKind, Alerts};
use clavitor_core::clock::Clock;
use clavitor_core::limits;
use serde::Serialize;
use tokio::sync::mpsc;

pub(crate) use webhook::{Webhook, literal_address, may_be_called};

/// What a webhook is posted, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Notice {
    /// `raised` or `recovered`.
    pub(crate) state: &'static str,
    /// The kind's stable name.
    pub(crate) kind: AlertKind,
    /// Which POP, or `node`.
    pub(crate) subject: String,
    /// What happened and what to do.
    pub(crate) text: String,
    /// Wall clock.
    pub(crate) at_ms: u64,
    /// The POP that says so; `None` on a node that does not replicate.
    pub(crate) pop: Option<String>,
}

/// The log, and a queue towards the webhook's task.
pub(crate) struct OperatorAlerts {
    raised: Mutex<BTreeSet<(AlertKind, String)>>,
    queue: Option<mpsc::Sender<Notice>>,
    clock: Arc<dyn Clock>,
    pop: Option<String>,
}

impl OperatorAlerts {
    /// Alerts to the log, and to the webhook where there is one: its task is spawned and ends with this value.
    /// Called inside the async runtime.
    pub(crate) fn start(clock: Arc<dyn Clock>, pop: Option<String>, webhook: Option<Webhook>) -> Arc<Self> {
        let queue = webhook.map(|webhook| {
            let (tx, rx) = mpsc::channel(limits::ALERT_QUEUE_MAX);
            tokio::spawn(webhook.deliver(rx));
            tx
        });
        Arc::new(Self { raised: Mutex::default(), queue, clock, pop })
    }

    fn tell(&self, state: &'static str, kind: AlertKind, subject: String, text: String) {
        let Some(queue) = &self.queue else { return };
        let notice = Notice { state, kind, subject, text, at_ms: self.clock.now_ms(), pop: self.pop.clone() };
        if queue.try_send(notice).is_err() {
            tracing::error!(%kind, "the webhook's queue is full: this alert is in the log only");
        }
    }
}

impl Alerts for OperatorAlerts {
    fn raise(&self, alert: Alert) {
        let Alert { kind, subject, text } = alert;
        {
            let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (kind, subject.clone());
            if raised.contains(&key) {
                return;
            }
            if raised.len() < limits::ALERTS_RAISED_MAX {
                raised.insert(key);
            }
        }
        tracing::error!("OPERATOR ALERT [{kind}] {subject}: {text}");
        self.tell("raised", kind, subject, text);
    }

    fn recovered(&self, kind: AlertKind, subject: &str) {
        let was_raised = {
            let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
            raised.remove(&(kind, subject.to_owned()))
        };
        if was_raised {
            tracing::warn!("OPERATOR ALERT [{kind}] {subject}: recovered");
            self.tell("recovered", kind, subject.to_owned(), "recovered by itself".to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
