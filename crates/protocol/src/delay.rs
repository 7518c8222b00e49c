//! How long to wait, as a value. The shell brings the random number and the timer.

use clavitor_core::limits;

/// A wait, chosen evenly between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// At least this long.
    pub min_ms: u64,
    /// At most this long.
    pub max_ms: u64,
}

impl Delay {
    /// `base_ms`, of which up to `percent` (0 to 100) is taken away.
    pub const fn jittered(base_ms: u64, percent: u64) -> Self {
        Self { min_ms: base_ms - base_ms * percent / 100, max_ms: base_ms }
    }

    /// Exactly this long.
    pub const fn exactly(ms: u64) -> Self {
        Self { min_ms: ms, max_ms: ms }
    }

    /// The wait that a random number chooses, in milliseconds.
    pub const fn pick(self, random: u64) -> u64 {
        let span = self.max_ms - self.min_ms;
        if span == u64::MAX { random } else { self.min_ms + random % (span + 1) }
    }
}

/// How much of a scheduled retry may be taken away, in percent.
const RETRY_JITTER_PERCENT: u64 = 10;
/// The shortest slow probe and the shortest wait after `busy`, in milliseconds.
const FLOOR_MS: u64 = 50;
/// The longest wait that a `busy` answer can ask for, in milliseconds.
const BUSY_MS_MAX: u64 = 60_000;

/// The wait before retry `number` (from 1), `None` when the schedule is used up.
pub fn retry(number: u32) -> Option<Delay> {
    let index = usize::try_from(number.checked_sub(1)?).ok()?;
    let seconds = limits::RETRY_SCHEDULE_S.get(index)?;
    Some(Delay::jittered(seconds * 1_000, RETRY_JITTER_PERCENT))
}

/// The slow probe of a parked peer: full jitter.
pub const PARKED_PROBE: Delay = Delay { min_ms: FLOOR_MS, max_ms: limits::PARKED_PROBE_S * 1_000 };
/// The greeting of a peer without a link.
pub const DISCONNECTED_HELLO: Delay =
    Delay::jittered(limits::DISCONNECTED_HELLO_S * 1_000, RETRY_JITTER_PERCENT);
/// How long a link may be gone before the operator is told.
pub const LINK_ALERT: Delay = Delay::exactly(limits::LINK_ALERT_S * 1_000);
/// A backup's wait before it tries to open its link again: full jitter.
pub const LINK_RETRY: Delay =
    Delay { min_ms: limits::LINK_RETRY_S.0 * 1_000, max_ms: limits::LINK_RETRY_S.1 * 1_000 };

/// The wait that a `busy` answer asks for, within bounds.
pub fn busy(after_ms: u64) -> Delay {
    let base_ms = after_ms.clamp(FLOOR_MS, BUSY_MS_MAX);
    Delay { min_ms: base_ms, max_ms: base_ms + base_ms / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pick_stays_within_its_bounds() {
        for delay in
            [Delay::exactly(7), Delay::jittered(1_000, 10), PARKED_PROBE, LINK_RETRY, busy(0), busy(u64::MAX)]
        {
            for random in [0, 1, 12_345, u64::MAX] {
                assert!((delay.min_ms..=delay.max_ms).contains(&delay.pick(random)), "{delay:?}");
            }
        }
        assert_eq!(Delay { min_ms: 0, max_ms: u64::MAX }.pick(9), 9);
    }

    #[test]
    fn the_schedule_has_five_retries() {
        let waits: Vec<_> = (1..).map_while(retry).map(|delay| delay.max_ms / 1_000).collect();
        assert_eq!(waits, [1, 5, 25, 125, 625]);
        assert_eq!(retry(0), None);
    }
}
