//! The timers that a machine has armed: at most one of each name, none while nothing is owed.

use clavitor_protocol::delay::Delay;
use tokio::time::{Duration, Instant};

/// Armed timers by name. There are two names at most, hence a list.
pub(super) struct Timers<N> {
    armed: Vec<(N, Instant)>,
}

impl<N: Copy + PartialEq> Timers<N> {
    pub(super) fn new() -> Self {
        Self { armed: Vec::new() }
    }

    /// Arms a timer in place of an armed one of its name; the wait is drawn at random within its bounds.
    pub(super) fn arm(&mut self, name: N, delay: Delay) {
        self.cancel(name);
        let wait = Duration::from_millis(delay.pick(clavitor_crypto::random::u64()));
        self.armed.push((name, Instant::now() + wait));
    }

    /// Disarms a timer.
    pub(super) fn cancel(&mut self, name: N) {
        self.armed.retain(|(armed, _)| *armed != name);
    }

    /// Waits for the first armed timer, for ever where there is none, and takes it. Cancelling it takes nothing.
    pub(super) async fn next(&mut self) -> N {
        let Some((name, at)) = self.armed.iter().copied().min_by_key(|(_, at)| *at) else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(at).await;
        self.cancel(name);
        name
    }
}
