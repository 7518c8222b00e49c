//! Turns for what costs the listener something, with a share for each source address, so that one source that holds
//! its turns without using them leaves the rest to the others.
//!
//! Who comes to a full gate waits for a bounded time; who has too many waiting already is turned away at once. IPv6
//! sources share by /64, since one holder commands all of it. Not a firewall: many sources together can still fill it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clavitor_core::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much a gate lets through.
#[derive(Debug, Clone, Copy)]
pub(super) struct GateLimits {
    /// Turns at once.
    pub(super) turns: usize,
    /// Turns at once of one source.
    pub(super) turns_per_source: usize,
    /// How many of one source may have a turn or wait for one.
    pub(super) callers_per_source: usize,
    /// How many may have a turn or wait for one.
    pub(super) callers: usize,
    /// How long one waits.
    pub(super) wait: Duration,
}

/// Every handshake passes it.
pub(super) const HANDSHAKES: GateLimits = GateLimits {
    turns: limits::POP_HANDSHAKES_MAX,
    turns_per_source: limits::POP_HANDSHAKES_PER_SOURCE_MAX,
    callers_per_source: limits::POP_WAITING_PER_SOURCE_MAX,
    callers: limits::POP_WAITING_MAX,
    wait: Duration::from_secs(limits::POP_TURN_WAIT_S),
};

/// Every connection of a key without a pin passes it.
pub(super) const UNPINNED: GateLimits = GateLimits {
    turns: limits::UNPINNED_CONNECTIONS_MAX,
    turns_per_source: limits::UNPINNED_CONNECTIONS_PER_SOURCE_MAX,
    ..HANDSHAKES
};

/// Who shares: an IPv4 address, or the network of an IPv6 address.
pub(super) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

/// The gate.
pub(super) struct Gate {
    limits: GateLimits,
    turns: Arc<Semaphore>,
    sources: Mutex<Sources>,
}

#[derive(Default)]
struct Sources {
    callers: usize,
    by_address: HashMap<IpAddr, Share>,
}

/// What one source has of the gate. Kept only while it has something.
struct Share {
    turns: Arc<Semaphore>,
    callers: usize,
}

impl Gate {
    pub(super) fn new(limits: GateLimits) -> Self {
        Self { limits, turns: Arc::new(Semaphore::new(limits.turns)), sources: Mutex::default() }
    }

    /// Waits for a turn, which lasts until it is dropped; `None` when there are too many, or none came in time.
    pub(super) async fn enter(&self, address: IpAddr) -> Option<Turn<'_>> {
        let (caller, own_turns) = self.call(source_of(address))?;
        let turn = async {
            let own = own_turns.acquire_owned().await.ok()?;
            let common = Arc::clone(&self.turns).acquire_owned().await.ok()?;
            Some(Turn { _permits: (own, common), _caller: caller })
        };
        tokio::time::timeout(self.limits.wait, turn).await.ok().flatten()
    }

    fn call(&self, source: IpAddr) -> Option<(Caller<'_>, Arc<Semaphore>)> {
        let limits = &self.limits;
        let mut sources = self.lock();
        let waiting = sources.by_address.get(&source).map_or(0, |share| share.callers);
        if waiting >= limits.callers_per_source || sources.callers >= limits.callers {
            return None;
        }
        sources.callers += 1;
        let fresh = || Share { turns: Arc::new(Semaphore::new(limits.turns_per_source)), callers: 0 };
        let share = sources.by_address.entry(source).or_insert_with(fresh);
        share.callers += 1;
        Some((Caller { gate: self, source }, Arc::clone(&share.turns)))
    }

    fn lock(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One turn.
pub(super) struct Turn<'a> {
    _permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
    _caller: Caller<'a>,
}

/// One who has a turn or waits for one.
struct Caller<'a> {
    gate: &'a Gate,
    source: IpAddr,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        let mut sources = self.gate.lock();
        sources.callers -= 1;
        let Some(share) = sources.by_address.get_mut(&self.source) else { return };
        share.callers -= 1;
        if share.callers == 0 {
            sources.by_address.remove(&self.source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: GateLimits = GateLimits {
        turns: 3,
        turns_per_source: 2,
        callers_per_source: 3,
        callers: 5,
        wait: Duration::from_millis(20),
    };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn one_source_leaves_turns_to_the_others() {
        let gate = Gate::new(SMALL);
        let (greedy, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let first = gate.enter(greedy).await.unwrap();
        let _second = gate.enter(greedy).await.unwrap();
        assert!(gate.enter(greedy).await.is_none(), "its share is used up");
        let third = gate.enter(other).await.unwrap();
        assert!(gate.enter(other).await.is_none(), "now the gate is full");
        drop((first, third));
        assert!(gate.enter(other).await.is_some());
    }

    #[tokio::test]
    async fn who_waits_gets_the_turn_that_is_given_back() {
        let gate = Gate::new(GateLimits { wait: Duration::from_secs(60), ..SMALL });
        let source = address("192.0.2.1");
        let first = gate.enter(source).await.unwrap();
        let _second = gate.enter(source).await.unwrap();
        let waiting = gate.enter(source);
        let (third, ()) = tokio::join!(waiting, async { drop(first) });
        assert!(third.is_some());
    }

    #[tokio::test]
    async fn too_many_callers_are_turned_away_without_a_wait() {
        let gate = Gate::new(GateLimits { wait: Duration::from_secs(3_600), ..SMALL });
        let calls = |source: &str, number: usize| -> Vec<_> {
            (0..number).map(|_| gate.call(address(source))).collect()
        };
        let first = calls("192.0.2.1", 4);
        assert_eq!(first.iter().flatten().count(), SMALL.callers_per_source);
        let second = calls("192.0.2.2", 3);
        assert_eq!(first.iter().chain(&second).flatten().count(), SMALL.callers);
        assert!(gate.enter(address("192.0.2.3")).await.is_none());
        drop((first, second));
        assert!(
            gate.lock().by_address.is_empty() && gate.lock().callers == 0,
            "nothing is kept of who is gone"
        );
    }

    #[test]
    fn sources_share_by_address_and_by_network() {
        assert_eq!(source_of(address("192.0.2.1")), address("192.0.2.1"));
        assert_eq!(source_of(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        assert_eq!(source_of(address("2001:db8:1:2:3:4:5:6")), address("2001:db8:1:2::"));
        assert_ne!(source_of(address("2001:db8:1:2::1")), source_of(address("2001:db8:1:3::1")));
    }
}
