//! The task of one backup: waits, feeds its machine one event at a time, carries out the effects.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clavitor_core::alerts::{Alert, AlertKind};
use clavitor_core::limits::INLINE_READ_RECORDS_MAX;
use clavitor_core::replica::ReplicaStore;
use clavitor_protocol::decide::Evidence;
use clavitor_protocol::message::Reply;
use clavitor_protocol::peer::{Effect, Event, Timer, View};
use tokio::sync::watch;

use super::handle::{PeerHandle, Wishes};
use super::timers::Timers;
use crate::node::Common;
use crate::store_calls;
use crate::transport::client::PeerClient;

/// The one thing under way: a read of the log, or a request. It ends with the event that reports it.
type UnderWay = Pin<Box<dyn Future<Output = Event> + Send>>;

/// The task's state.
pub(super) struct Task {
    common: Arc<Common>,
    handle: Arc<PeerHandle>,
    client: Arc<PeerClient>,
    signal: watch::Receiver<()>,
    wishes: watch::Receiver<Wishes>,
    granted: Wishes,
    timers: Timers<Timer>,
    under_way: Option<UnderWay>,
    /// Whether the operator was told that a predecessor of this task ended, and not yet that all is well.
    restarted: bool,
}

/// Why the task woke.
enum Woken {
    Signal,
    Wish,
    Finished(Box<Event>),
    Fired(Timer),
}

impl Task {
    /// A task that has not begun.
    ///
    /// - `restarted`: whether it takes the place of one that ended by a fault.
    pub(super) fn new(
        common: Arc<Common>,
        handle: Arc<PeerHandle>,
        client: Arc<PeerClient>,
        restarted: bool,
    ) -> Self {
        let (signal, wishes) = (common.signal.subscribe(), handle.wishes());
        Self {
            common,
            handle,
            client,
            signal,
            wishes,
            granted: Wishes::default(),
            timers: Timers::new(),
            under_way: None,
            restarted,
        }
    }

    /// Runs until the member is removed or the node stops.
    pub(super) async fn run(mut self) {
        self.grant_wishes();
        let view = View::from(&self.common.store.node());
        self.step(Event::Started(view));
        while !self.is_over() {
            let asleep = self.under_way.is_none();
            let woken = self.wait().await;
            if asleep {
                self.common.wakeups.fetch_add(1, Ordering::Relaxed);
            }
            match woken {
                Woken::Signal => {
                    let head = self.common.store.node().position.seq;
                    self.step(Event::Head(head));
                }
                Woken::Wish => self.grant_wishes(),
                Woken::Finished(event) => {
                    self.under_way = None;
                    if self.restarted && matches!(*event, Event::Reply { .. }) {
                        self.restarted = false;
                        self.common.alerts.recovered(AlertKind::WorkerEnded, self.handle.member.pop.as_str());
                    }
                    self.step(*event);
                }
                Woken::Fired(timer) => self.step(Event::TimerFired(timer)),
            }
        }
        let last = if self.granted.removed { Event::Removed } else { Event::Shutdown };
        self.step(last);
    }

    /// Over when removed, or when the node stops and what was being sent is finished.
    fn is_over(&self) -> bool {
        self.granted.removed || self.granted.stop && self.under_way.is_none()
    }

    async fn wait(&mut self) -> Woken {
        let under_way = async {
            match &mut self.under_way {
                Some(under_way) => under_way.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = under_way => Woken::Finished(Box::new(event)),
            Ok(()) = self.wishes.changed() => Woken::Wish,
            Ok(()) = self.signal.changed() => Woken::Signal,
            timer = self.timers.next() => Woken::Fired(timer),
        }
    }

    /// Turns what is newly wished into events.
    fn grant_wishes(&mut self) {
        let wishes = *self.wishes.borrow_and_update();
        let granted = std::mem::replace(&mut self.granted, wishes);
        if wishes.link != granted.link {
            match (wishes.link, granted.link) {
                (Some(link), _) => self.step(Event::PeerHello { link }),
                (None, Some(link)) => self.step(Event::PeerGone { link }),
                (None, None) => {}
            }
        }
        if wishes.wakes != granted.wakes {
            self.step(Event::OperatorWake);
        }
    }

    fn step(&mut self, event: Event) {
        let now = self.common.now();
        let effects = self.handle.machine().step(event, now);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let stopping = self.granted.stop || self.granted.removed;
        match effect {
            Effect::ReadLog { .. } | Effect::Send { .. } if stopping => {}
            Effect::ReadLog { id, after, limits } => {
                let store = Arc::clone(&self.common.store);
                // One or a few records take less time to read than to hand the reading to another thread and back.
                let short = store.node().position.seq.above(after) <= INLINE_READ_RECORDS_MAX;
                self.under_way = Some(Box::pin(async move {
                    let read = move |store: &dyn ReplicaStore| store.read_log(after, limits);
                    let batch =
                        if short { read(store.as_ref()) } else { store_calls::read(&store, read).await };
                    Event::BatchRead { id, batch }
                }));
            }
            Effect::Send { id, request } => {
                let (store, client) = (Arc::clone(&self.common.store), Arc::clone(&self.client));
                self.under_way = Some(Box::pin(async move {
                    let answered = match client.send(&request).await {
                        Ok(reply) => evidence_for(&store, &reply).await.map(|evidence| (reply, evidence)),
                        Err(cause) => Err(cause),
                    };
                    match answered {
                        Ok((reply, evidence)) => Event::Reply { id, reply, evidence },
                        Err(cause) => Event::Failed { id, cause },
                    }
                }));
            }
            Effect::ArmTimer { timer, delay } => self.timers.arm(timer, delay),
            Effect::CancelTimer(timer) => self.timers.cancel(timer),
            Effect::Persist(cursor) => self.handle.note_acked(self.common.store.as_ref(), cursor),
            Effect::Alert(alert) => self.common.alerts.raise(alert),
            Effect::Recovered { .. } if self.granted.stop => {}
            Effect::Recovered { kind, subject } => self.common.alerts.recovered(kind, &subject),
            Effect::Demote { epoch } => self.tell_the_node(
                AlertKind::Fenced,
                format!("epoch {epoch} is proved elsewhere; this version cannot step down by itself: stop this node"),
            ),
            Effect::Halt { cause } => self.tell_the_node(AlertKind::Halted, cause),
        }
    }

    fn tell_the_node(&self, kind: AlertKind, text: String) {
        self.common.alerts.raise(Alert { kind, subject: "node".to_owned(), text });
    }
}

/// What our own log says where the backup's answer names points.
async fn evidence_for(store: &Arc<dyn ReplicaStore>, reply: &Reply) -> Result<Evidence, String> {
    let Reply::Position(position) = reply else { return Ok(Evidence::default()) };
    let seqs = position.seqs_to_compare();
    let asked = seqs.clone();
    let points = store_calls::read(store, move |store| store.points(&asked)).await;
    let points = points.map_err(|error| error.to_string())?;
    Ok(Evidence { mine: seqs.into_iter().zip(points).collect(), ..Evidence::default() })
}
