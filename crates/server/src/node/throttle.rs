//! Slows down who fails to log in: a source waits longer with each failure, up to a bound, and is never locked out.
//!
//! Counted in memory, per process. Deliberately absent: durable counts, and counts per vault name.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clavitor_core::limits;
use tokio::sync::Semaphore;

use super::{Facts, Node, Refusal};

/// Failures that cost nothing: people mistype.
const FREE_FAILURES: u32 = 3;
/// The wait after the first failure that costs, doubled with each further one.
const FIRST_DELAY_MS: u64 = 250;
/// The longest wait: an owner behind a hostile source still gets through.
const DELAY_MS_MAX: u64 = 4_000;
/// After this long without a failure a source is forgotten.
const FORGET_AFTER_MS: u64 = 15 * 60 * 1_000;

/// Failures by source.
pub(super) struct Throttle {
    sources: Mutex<HashMap<Source, Failures>>,
    waiting: Semaphore,
}

/// An IPv4 address, or the /64 of an IPv6 one; `None` where the address is unknown.
type Source = Option<IpAddr>;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last_ms: u64,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self { sources: Mutex::default(), waiting: Semaphore::new(limits::SLOWED_LOGINS_MAX) }
    }

    fn delay_ms(&self, source: Source, now_ms: u64) -> u64 {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match sources.get(&source) {
            Some(failures) if now_ms < failures.last_ms + FORGET_AFTER_MS => delay_after(failures.count),
            _ => 0,
        }
    }

    fn failed(&self, source: Source, now_ms: u64) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if !sources.contains_key(&source) && sources.len() >= limits::FAILURE_SOURCES_MAX {
            make_room(&mut sources, now_ms);
        }
        let failures = sources.entry(source).or_insert(Failures { count: 0, last_ms: now_ms });
        if now_ms >= failures.last_ms + FORGET_AFTER_MS {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last_ms = now_ms;
    }

    fn succeeded(&self, source: Source) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).remove(&source);
    }
}

fn delay_after(failures: u32) -> u64 {
    match failures.checked_sub(FREE_FAILURES) {
        None => 0,
        Some(doublings) => (FIRST_DELAY_MS << doublings.min(16)).min(DELAY_MS_MAX),
    }
}

/// Forgets the expired, else the source that failed longest ago.
fn make_room(sources: &mut HashMap<Source, Failures>, now_ms: u64) {
    sources.retain(|_, failures| now_ms < failures.last_ms + FORGET_AFTER_MS);
    if sources.len() >= limits::FAILURE_SOURCES_MAX {
        let oldest = sources.iter().min_by_key(|(_, failures)| failures.last_ms).map(|(source, _)| *source);
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
    /// Lets a source that failed before wait, bounded in time and in how many wait.
    ///
    /// # Errors
    /// [`Refusal::SlowDown`] when too many wait already.
    pub(super) async fn slow_down(&self, facts: &Facts) -> Result<(), Refusal> {
        let delay_ms = self.throttle.delay_ms(source_of(facts), self.clock.monotonic_ms());
        if delay_ms > 0 {
            let Ok(_waiting) = self.throttle.waiting.try_acquire() else {
                return Err(Refusal::SlowDown { retry_after_s: DELAY_MS_MAX / 1_000 });
            };
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        Ok(())
    }

    /// Notes how an attempt ended.
    pub(super) fn note_attempt(&self, facts: &Facts, succeeded: bool) {
        let source = source_of(facts);
        if succeeded {
            self.throttle.succeeded(source);
        } else {
            self.throttle.failed(source, self.clock.monotonic_ms());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(address: &str) -> Facts {
        Facts { address: Some(address.parse().unwrap()), ..Facts::default() }
    }

    #[test]
    fn failures_cost_more_and_more_up_to_a_bound() {
        let (throttle, source) = (Throttle::new(), source_of(&facts("192.0.2.1")));
        let mut delays = Vec::new();
        for _ in 0..9 {
            delays.push(throttle.delay_ms(source, 0));
            throttle.failed(source, 0);
        }
        assert_eq!(delays, [0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 4_000]);
        assert_eq!(throttle.delay_ms(source_of(&facts("192.0.2.2")), 0), 0, "another source");
        assert_eq!(throttle.delay_ms(source, FORGET_AFTER_MS), 0, "forgotten in time");
        throttle.succeeded(source);
        assert_eq!(throttle.delay_ms(source, 0), 0, "forgotten on success");
    }

    #[test]
    fn the_addresses_of_one_network_are_one_source() {
        assert_eq!(source_of(&facts("2001:db8::1")), source_of(&facts("2001:db8::ffff:1")));
        assert_ne!(source_of(&facts("2001:db8::1")), source_of(&facts("2001:db8:0:1::1")));
        assert_eq!(source_of(&facts("::ffff:192.0.2.1")), source_of(&facts("192.0.2.1")));
    }

    #[test]
    fn the_memory_of_sources_is_bounded() {
        let throttle = Throttle::new();
        let source = |i: usize| Some(IpAddr::V4(u32::try_from(i).unwrap().into()));
        for i in 0..=limits::FAILURE_SOURCES_MAX {
            throttle.failed(source(i), i as u64);
        }
        let sources = throttle.sources.lock().unwrap();
        assert_eq!(sources.len(), limits::FAILURE_SOURCES_MAX);
        assert!(!sources.contains_key(&source(0)), "the oldest makes room");
    }
}
