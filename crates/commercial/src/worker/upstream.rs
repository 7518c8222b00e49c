//! The task of a backup's live link: keeps one long request open at the primary, waits without a timer while it is.
//!
//! Only the primary that this node joined is dialled. Trying all members in turn comes with promotion: until then no
//! other member can be primary.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clavitor_core::alerts::AlertKind;
use clavitor_core::ids::PopName;
use clavitor_core::replicator::UpstreamStatus;
use clavitor_protocol::link::{Attempt, Link, LinkEffect, LinkInput, LinkTimer};
use clavitor_protocol::message::{FORMATS, LinkEvent, Watch};
use tokio::sync::watch;

use super::supervise::supervise;
use super::timers::Timers;
use crate::node::Common;
use crate::transport::client::{OpenLink, PeerClient};

/// The primary, as a backup holds it.
pub(crate) struct Upstream {
    pop: PopName,
    public_url: String,
    machine: Mutex<Link>,
    wishes: watch::Sender<UpstreamWishes>,
    last_ok_at_ms: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
struct UpstreamWishes {
    wakes: u64,
    stop: bool,
}

impl Upstream {
    /// A link that is not held yet.
    ///
    /// - `public_url`: where the primary's users reach it.
    pub(crate) fn new(pop: PopName, public_url: String) -> Arc<Self> {
        let machine = Mutex::new(Link::new(vec![pop.clone()]));
        let wishes = watch::Sender::new(UpstreamWishes::default());
        Arc::new(Self { pop, public_url, machine, wishes, last_ok_at_ms: AtomicU64::new(0) })
    }

    /// Starts the task that holds the link.
    pub(crate) fn start(self: &Arc<Self>, common: &Arc<Common>, client: PeerClient) {
        let (upstream, client) = (Arc::clone(self), Arc::new(client));
        let (subject, common_again) = (self.pop.to_string(), Arc::clone(common));
        common.tasks.spawn(supervise(Arc::clone(&common.alerts), subject, move || {
            *upstream.machine() = Link::new(vec![upstream.pop.clone()]);
            LinkTask::new(Arc::clone(&common_again), Arc::clone(&upstream), Arc::clone(&client)).run()
        }));
    }

    /// Ends the wait for the next try.
    pub(crate) fn wake(&self) {
        self.wishes.send_modify(|wishes| wishes.wakes += 1);
    }

    /// Closes the link and ends the task.
    pub(crate) fn stop(&self) {
        self.wishes.send_modify(|wishes| wishes.stop = true);
    }

    /// Notes that the primary sent or confirmed something.
    pub(crate) fn heard_from(&self, now_ms: u64) {
        self.last_ok_at_ms.store(now_ms, Ordering::Relaxed);
    }

    /// The state, for status answers.
    pub(crate) fn status(&self) -> UpstreamStatus {
        let machine = self.machine();
        UpstreamStatus {
            pop: self.pop.clone(),
            public_url: self.public_url.clone(),
            link_open: machine.is_open(),
            last_ok_at_ms: Some(self.last_ok_at_ms.load(Ordering::Relaxed)).filter(|at_ms| *at_ms > 0),
            cause: machine.cause().map(str::to_owned),
        }
    }

    /// How many timers are armed.
    pub(crate) fn timers_armed(&self) -> u32 {
        self.machine().timers_armed()
    }

    fn machine(&self) -> MutexGuard<'_, Link> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Opening = Pin<Box<dyn Future<Output = Result<OpenLink, String>> + Send>>;

/// What there is of the link now.
enum Wire {
    Closed,
    Opening(Attempt, Opening),
    Open(Attempt, Box<OpenLink>),
}

struct LinkTask {
    common: Arc<Common>,
    upstream: Arc<Upstream>,
    client: Arc<PeerClient>,
    wishes: watch::Receiver<UpstreamWishes>,
    wakes_granted: u64,
    timers: Timers<LinkTimer>,
    wire: Wire,
}

enum Woken {
    Wish,
    Opened(Attempt, Box<OpenLink>),
    Lost(Attempt, String),
    Heard,
    Fired(LinkTimer),
}

impl LinkTask {
    fn new(common: Arc<Common>, upstream: Arc<Upstream>, client: Arc<PeerClient>) -> Self {
        let wishes = upstream.wishes.subscribe();
        let wakes_granted = wishes.borrow().wakes;
        Self { common, upstream, client, wishes, wakes_granted, timers: Timers::new(), wire: Wire::Closed }
    }

    async fn run(mut self) {
        self.step(LinkInput::Started);
        while !self.wishes.borrow().stop {
            let woken = self.wait().await;
            self.common.wakeups.fetch_add(1, Ordering::Relaxed);
            match woken {
                Woken::Wish => {
                    let wakes = self.wishes.borrow_and_update().wakes;
                    if std::mem::replace(&mut self.wakes_granted, wakes) != wakes {
                        self.step(LinkInput::OperatorWake);
                    }
                }
                Woken::Opened(attempt, link) => {
                    self.wire = Wire::Open(attempt, link);
                    self.upstream.heard_from(self.common.clock.now_ms());
                    self.step(LinkInput::Opened(attempt));
                    self.all_is_well();
                }
                Woken::Lost(attempt, cause) => {
                    self.wire = Wire::Closed;
                    self.step(LinkInput::Lost { attempt, cause });
                }
                Woken::Heard => self.upstream.heard_from(self.common.clock.now_ms()),
                Woken::Fired(timer) => self.step(LinkInput::TimerFired(timer)),
            }
        }
        self.step(LinkInput::Shutdown);
    }

    async fn wait(&mut self) -> Woken {
        let wire = async {
            match &mut self.wire {
                Wire::Closed => std::future::pending().await,
                Wire::Opening(attempt, opening) => match opening.await {
                    Ok(link) => Woken::Opened(*attempt, Box::new(link)),
                    Err(cause) => Woken::Lost(*attempt, cause),
                },
                Wire::Open(attempt, link) => match link.next().await {
                    Ok(LinkEvent::Opened { .. }) => Woken::Heard,
                    Ok(LinkEvent::Refused(refusal)) => {
                        Woken::Lost(*attempt, format!("the primary ended the link: {refusal}"))
                    }
                    Err(cause) => Woken::Lost(*attempt, cause),
                },
            }
        };
        tokio::select! {
            biased;
            Ok(()) = self.wishes.changed() => Woken::Wish,
            woken = wire => woken,
            timer = self.timers.next() => Woken::Fired(timer),
        }
    }

    fn step(&mut self, input: LinkInput) {
        let effects = self.upstream.machine().step(input);
        for effect in effects {
            match effect {
                LinkEffect::Open { attempt, .. } => self.wire = Wire::Opening(attempt, self.opening()),
                LinkEffect::Close => self.wire = Wire::Closed,
                LinkEffect::ArmTimer { timer, delay } => self.timers.arm(timer, delay),
                LinkEffect::CancelTimer(timer) => self.timers.cancel(timer),
                LinkEffect::Alert(alert) => self.common.alerts.raise(alert),
                LinkEffect::Recovered { kind, subject } => self.common.alerts.recovered(kind, &subject),
            }
        }
    }

    /// An open link ends also what a predecessor of this task told.
    fn all_is_well(&self) {
        for kind in [AlertKind::WorkerEnded, AlertKind::PrimaryUnreachable] {
            self.common.alerts.recovered(kind, self.upstream.pop.as_str());
        }
    }

    fn opening(&self) -> Opening {
        let node = self.common.store.node();
        let watch =
            Watch { cell: node.cell, epoch_seen: node.epoch_seen, position: node.position, formats: FORMATS };
        let client = Arc::clone(&self.client);
        Box::pin(async move { client.open_link(&watch).await })
    }
}
