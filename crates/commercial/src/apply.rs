//! The backup's side: greetings and batches, judged by the protocol, carried out by the store's one writer.
//!
//! Only the primary that this node joined may push; another member's message is refused whatever it says. An answer
//! to a batch is given after its COMMIT.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use clavitor_core::replica::{NodeState, ReplicaStore, ReplicaWrite, Role};
use clavitor_protocol::message::{Apply, Hello, Refusal, Reply, Session};
use clavitor_protocol::receiver::Submission;
use tokio::sync::oneshot;

use crate::members::is_pop_record;
use crate::node::Node;
use crate::routes::Sender;
use crate::store_calls;

impl Node {
    /// Answers a greeting: where this node stands, and a session for what follows.
    pub(crate) async fn answer_hello(&self, sender: &Sender, hello: &Hello) -> Reply {
        let store = &self.common.store;
        let seqs = match self.may_push(sender, &store.node()) {
            Ok(()) => self.receiver().hello(&store.node(), hello),
            Err(refusal) => Err(refusal),
        };
        let seqs = match seqs {
            Ok(seqs) => seqs,
            Err(refusal) => return Reply::Refused(refusal),
        };
        let node = store.node();
        let read = move |store: &dyn ReplicaStore| {
            let points = store.points(&seqs)?;
            Ok((seqs.into_iter().zip(points).collect::<Vec<_>>(), store.quarantined()?))
        };
        match store_calls::read(store, read).await {
            Ok((points, quarantined)) => {
                self.note_quarantined(quarantined);
                self.heard_from_primary();
                let session = Session(clavitor_crypto::random::u64());
                self.receiver().position(&node, &points, quarantined, session)
            }
            Err(error) => {
                tracing::error!(%error, "a greeting could not be answered");
                Reply::Refused(Refusal::Unwritable)
            }
        }
    }

    /// Applies a batch and answers after its COMMIT.
    pub(crate) async fn answer_apply(&self, sender: &Sender, apply: Apply) -> Reply {
        let store = &self.common.store;
        let node = store.node();
        let judged = match self.may_push(sender, &node) {
            Ok(()) => self.receiver().apply(&node, apply),
            Err(refusal) => Err(refusal),
        };
        let submission = match judged {
            Ok(submission) => submission,
            Err(refusal) => return Reply::Refused(refusal),
        };
        let reply = self.submit(submission).await;
        if let Reply::Ack(ack) = &reply {
            self.note_quarantined(ack.quarantined);
            self.heard_from_primary();
        }
        reply
    }

    /// Hands a batch to the writer. What comes of it reaches the receiver, and the members where a `pop` record came
    /// with it, also when nobody waits here any more.
    async fn submit(&self, submission: Submission) -> Reply {
        let Submission { batch, asked } = submission;
        let (tx, rx) = oneshot::channel();
        let (receiver, store) = (Arc::clone(&self.receiver), Arc::clone(&self.common.store));
        let changes_members = batch.entries.iter().any(|entry| is_pop_record(&entry.record));
        let members = Arc::clone(&self.common.members);
        let done = Box::new(move |outcome| {
            if changes_members {
                members.changed();
            }
            let node = store.node();
            let mut receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = tx.send(receiver.applied(&node, asked, outcome));
        });
        self.common.store.submit(ReplicaWrite::Apply(Box::new(batch)), done);
        rx.await.unwrap_or(Reply::Refused(Refusal::Unwritable))
    }

    /// A backup takes changes from the primary that it joined, and from nobody else, until a promotion is proved.
    /// What a primary answers is the receiver's to say.
    fn may_push(&self, sender: &Sender, node: &NodeState) -> Result<(), Refusal> {
        let members = self.common.members.now();
        let from_primary = members.joined().is_some_and(|primary| primary.pop == sender.pop);
        if from_primary || node.role == Role::Primary {
            return Ok(());
        }
        Err(Refusal::NotPrimary { epoch_seen: node.epoch_seen })
    }

    fn heard_from_primary(&self) {
        if let Some(upstream) = &self.upstream {
            upstream.heard_from(self.common.clock.now_ms());
        }
    }

    /// How many records lie in quarantine here, as known last.
    pub(crate) fn quarantined_now(&self) -> u64 {
        self.quarantined.load(Ordering::Relaxed)
    }
}
