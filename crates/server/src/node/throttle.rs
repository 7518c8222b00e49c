//! Slows down who fails to log in: the attempts of one source take turns, first come first served, and after too many
//! failures there is a gap before the next turn. A right proof costs its place in that line and nothing more, so a source
//! under attack is slowed and never locked out, and no source waits for another.
//!
//! Counted in memory, per process. Deliberately absent: durable counts, and counts per vault name, with which a stranger
//! could slow the owner down from anywhere.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clavitor_core::limits;
use tokio::sync::{OwnedMutexGuard, Semaphore};
use tokio::time::Instant;

use super::{Facts, Node, Refusal};

/// Failures that cost nothing: people mistype.
const FREE_FAILURES: u32 = 3;
/// After this long without a failure a source is forgotten.
const FORGET_AFTER_MS: u64 = 15 * 60 * 1_000;

/// Failures and lines, by source.
pub(super) struct Throttle {
    sources: Mutex<HashMap<Source, Known>>,
    /// Room for those who wait, of all sources together.
    room: Semaphore,
    gap: Duration,
}

/// An IPv4 address, or the /64 of an IPv6 one; `None` where the address is unknown.
type Source = Option<IpAddr>;

struct Known {
    failures: u32,
    /// Of the last failure; of the first attempt where none failed.
    last_ms: u64,
    line: Arc<Line>,
}

/// The line of one source.
struct Line {
    /// Held by the one whose turn it is, passed on in the order of asking; in it, before when nobody may go.
    turn: Arc<tokio::sync::Mutex<Option<Instant>>>,
    /// Room for those who wait.
    room: Semaphore,
}

/// One attempt's turn; it ends when this is dropped.
pub(crate) struct Turn<'a> {
    throttle: &'a Throttle,
    source: Source,
    held: OwnedMutexGuard<Option<Instant>>,
    _line: Arc<Line>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self::with_gap(Duration::from_millis(limits::LOGIN_GAP_MS))
    }

    fn with_gap(gap: Duration) -> Self {
        Self { sources: Mutex::default(), room: Semaphore::new(limits::SLOWED_LOGINS_MAX), gap }
    }

    /// Waits for the source's turn.
    ///
    /// # Errors
    /// [`Refusal::SlowDown`] when too many wait already, or it took too long.
    async fn turn(&self, source: Source, now_ms: u64) -> Result<Turn<'_>, Refusal> {
        let line = self.line(source, now_ms);
        let at_once = Arc::clone(&line.turn).try_lock_owned().ok();
        let held = match at_once {
            Some(held) if held.is_none_or(|free_at| free_at <= Instant::now()) => held,
            at_once => {
                let (Ok(_in_line), Ok(_in_all)) = (line.room.try_acquire(), self.room.try_acquire()) else {
                    return Err(SLOW_DOWN);
                };
                let in_turn = async {
                    let held = match at_once {
                        Some(held) => held,
                        None => Arc::clone(&line.turn).lock_owned().await,
                    };
                    if let Some(free_at) = *held {
                        tokio::time::sleep_until(free_at).await;
                    }
                    held
                };
                let longest = Duration::from_secs(limits::LOGIN_WAIT_S);
                tokio::time::timeout(longest, in_turn).await.map_err(|_| SLOW_DOWN)?
            }
        };
        Ok(Turn { throttle: self, source, held, _line: line })
    }

    fn line(&self, source: Source, now_ms: u64) -> Arc<Line> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if !sources.contains_key(&source) && sources.len() >= limits::FAILURE_SOURCES_MAX {
            make_room(&mut sources, now_ms);
        }
        let known = sources.entry(source).or_insert_with(|| Known {
            failures: 0,
            last_ms: now_ms,
            line: Arc::new(Line {
                turn: Arc::default(),
                room: Semaphore::new(limits::SLOWED_PER_SOURCE_MAX),
            }),
        });
        Arc::clone(&known.line)
    }

    /// Counts a failure; returns whether it costs a gap.
    fn failed(&self, source: Source, now_ms: u64) -> bool {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = sources.get_mut(&source) else { return false };
        if now_ms >= known.last_ms + FORGET_AFTER_MS {
            known.failures = 0;
        }
        known.failures = known.failures.saturating_add(1);
        known.last_ms = now_ms;
        known.failures > FREE_FAILURES
    }
}

const SLOW_DOWN: Refusal = Refusal::SlowDown { retry_after_s: limits::LOGIN_WAIT_S };

impl Turn<'_> {
    /// Ends it; the source failed.
    pub(super) fn failed(mut self, now_ms: u64) {
        let costs = self.throttle.failed(self.source, now_ms);
        *self.held = costs.then(|| Instant::now() + self.throttle.gap);
    }

    /// Ends it; the failures of the source are forgotten.
    pub(super) fn succeeded(mut self) {
        *self.held = None;
        let mut sources = self.throttle.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sources.get_mut(&self.source) {
            known.failures = 0;
        }
    }
}

impl Known {
    /// Whether somebody holds the turn or waits for it: such a source keeps its line.
    fn in_use(&self) -> bool {
        Arc::strong_count(&self.line) > 1
    }
}

/// Forgets those that did not fail and the expired, else the one that failed longest ago.
fn make_room(sources: &mut HashMap<Source, Known>, now_ms: u64) {
    let live = |known: &Known| known.failures > 0 && now_ms < known.last_ms + FORGET_AFTER_MS;
    sources.retain(|_, known| known.in_use() || live(known));
    if sources.len() >= limits::FAILURE_SOURCES_MAX {
        let idle = sources.iter().filter(|(_, known)| !known.in_use());
        let oldest = idle.min_by_key(|(_, known)| known.last_ms).map(|(source, _)| *source);
        oldest.map(|source| sources.remove(&source));
    }
}

fn source_of(facts: &Facts) -> Source {
    facts.address.map(|address| match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    })
}

impl Node {
    /// Waits until it is this source's turn to try.
    ///
    /// # Errors
    /// [`Refusal::SlowDown`] when too many wait already, or it took too long.
    pub(crate) async fn turn(&self, facts: &Facts) -> Result<Turn<'_>, Refusal> {
        self.throttle.turn(source_of(facts), self.clock.monotonic_ms()).await
    }

    /// How many attempts of this source wait for their turn.
    #[cfg(test)]
    pub(crate) fn waiting(&self, facts: &Facts) -> usize {
        let line = self.throttle.line(source_of(facts), 0);
        limits::SLOWED_PER_SOURCE_MAX - line.room.available_permits()
    }

    /// Counts the failure of an attempt that could be refused before its turn: nobody guesses what it needs. The answer
    /// waits for the turn.
    ///
    /// # Errors
    /// Those of [`Node::turn`].
    pub(super) async fn note_failure(&self, facts: &Facts) -> Result<(), Refusal> {
        self.turn(facts).await?.failed(self.clock.monotonic_ms());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    /// No step of these tests takes longer, unless it hangs.
    const DEADLINE: Duration = Duration::from_secs(30);

    fn facts(address: &str) -> Facts {
        Facts { address: Some(address.parse().unwrap()), ..Facts::default() }
    }

    fn source(number: usize) -> Source {
        Some(IpAddr::V4(u32::try_from(number).unwrap().into()))
    }

    /// Whether a failure of this source, now, costs a gap.
    async fn costs(throttle: &Throttle, source: Source, now_ms: u64) -> bool {
        *throttle.line(source, now_ms).turn.lock().await = None;
        throttle.turn(source, now_ms).await.unwrap().failed(now_ms);
        throttle.line(source, now_ms).turn.lock().await.is_some()
    }

    #[tokio::test]
    async fn failures_beyond_the_free_ones_cost_a_gap_until_forgotten() {
        let throttle = Throttle::new();
        let (first, other) = (source(1), source(2));
        let mut found = Vec::new();
        for _ in 0..5 {
            found.push(costs(&throttle, first, 0).await);
        }
        assert_eq!(found, [false, false, false, true, true]);
        assert!(!costs(&throttle, other, 0).await, "another source");
        assert!(!costs(&throttle, first, FORGET_AFTER_MS).await, "forgotten in time");
        assert!(!costs(&throttle, first, FORGET_AFTER_MS).await);
        throttle.turn(first, FORGET_AFTER_MS).await.unwrap().succeeded();
        assert!(!costs(&throttle, first, FORGET_AFTER_MS).await, "forgotten on success");
    }

    #[tokio::test]
    async fn a_right_attempt_comes_through_a_flood_of_its_own_source() {
        let throttle = Arc::new(Throttle::with_gap(Duration::from_micros(100)));
        let (tried, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let flood: Vec<_> = (0..limits::SLOWED_PER_SOURCE_MAX - 1)
            .map(|_| {
                let (throttle, tried, stop) = (Arc::clone(&throttle), Arc::clone(&tried), Arc::clone(&stop));
                tokio::spawn(async move {
                    while !stop.load(Ordering::SeqCst) {
                        throttle.turn(source(1), 0).await.unwrap().failed(0);
                        tried.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for _ in 0..3 {
            let before = tried.load(Ordering::SeqCst);
            let turn = tokio::time::timeout(DEADLINE, throttle.turn(source(1), 0)).await.unwrap().unwrap();
            let overtaken_by = tried.load(Ordering::SeqCst) - before;
            assert!(
                overtaken_by <= limits::SLOWED_PER_SOURCE_MAX,
                "first come, first served: {overtaken_by}"
            );
            drop(turn);
        }
        stop.store(true, Ordering::SeqCst);
        for flooding in flood {
            tokio::time::timeout(DEADLINE, flooding).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_line_is_bounded_and_holds_no_other_source_up() {
        let throttle = Throttle::new();
        let holding = throttle.turn(source(1), 0).await.unwrap();
        let line = throttle.line(source(1), 0);
        let waiting: Vec<_> = (0..limits::SLOWED_PER_SOURCE_MAX)
            .map(|_| (line.room.try_acquire().unwrap(), throttle.room.try_acquire().unwrap()))
            .collect();
        assert_eq!(throttle.turn(source(1), 0).await.err(), Some(SLOW_DOWN));
        let other = tokio::time::timeout(DEADLINE, throttle.turn(source(2), 0)).await.unwrap();
        other.unwrap().failed(0);
        drop((waiting, holding));
        throttle.turn(source(1), 0).await.unwrap().succeeded();
    }

    #[test]
    fn the_addresses_of_one_network_are_one_source() {
        assert_eq!(source_of(&facts("2001:db8::1")), source_of(&facts("2001:db8::ffff:1")));
        assert_ne!(source_of(&facts("2001:db8::1")), source_of(&facts("2001:db8:0:1::1")));
        assert_eq!(source_of(&facts("::ffff:192.0.2.1")), source_of(&facts("192.0.2.1")));
    }

    #[tokio::test]
    async fn the_memory_of_sources_is_bounded() {
        let throttle = Throttle::new();
        let held = throttle.turn(source(0), 0).await.unwrap();
        for i in 1..=limits::FAILURE_SOURCES_MAX {
            throttle.turn(source(i), i as u64).await.unwrap().failed(i as u64);
        }
        {
            let sources = throttle.sources.lock().unwrap();
            assert_eq!(sources.len(), limits::FAILURE_SOURCES_MAX);
            assert!(sources.contains_key(&source(0)), "whoever has its turn keeps its line");
            assert!(!sources.contains_key(&source(1)), "the oldest makes room");
        }
        drop(held);
    }
}
