//! What one seed has in store: how much is written, and which faults happen. Drawn from the seed before
//! anything runs.

use crate::random::Random;

/// The plan of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// How long faults may begin, in simulated milliseconds. Everything heals after it.
    pub(crate) chaos_ms: u64,
    /// How many operations clients write.
    pub(crate) writes: u64,
    /// How many of 1,000 writes are imports that exceed a batch.
    pub(crate) imports: u64,
    /// How many of 1,000 messages are dropped.
    pub(crate) drops: u64,
    /// How many of 1,000 messages arrive twice.
    pub(crate) duplicates: u64,
    /// The longest delay of a message; different delays reorder.
    pub(crate) delay_ms_max: u64,
    /// How many of 1,000 messages are held up for seconds.
    pub(crate) held_up: u64,
    /// How many crashes may happen at crash points.
    pub(crate) crashes: u64,
    /// How many of 1,000 passes of a crash point crash.
    pub(crate) crash_chance: u64,
    /// The longest outage of a crashed node.
    pub(crate) outage_ms_max: u64,
    /// How many black holes open between the primary and a backup.
    pub(crate) black_holes: u64,
    /// How often a live link breaks.
    pub(crate) link_breaks: u64,
    /// How often the wall clock jumps.
    pub(crate) clock_jumps: u64,
    /// How many of 1,000 signals are lost between commit and sleep.
    pub(crate) lost_signals: u64,
    /// How many of 1,000 crashed backups come back with an older copy of their disk.
    pub(crate) restored_backups: u64,
    /// The same for the primary.
    pub(crate) restored_primaries: u64,
    /// Whether a primary of an earlier epoch is still alive.
    pub(crate) old_primary: bool,
    /// How many changes an earlier history left behind.
    pub(crate) prefix: u64,
    /// A backup whose live link never opens (0 or 1).
    pub(crate) linkless: Option<usize>,
    /// How often a backup is removed, and joined again later.
    pub(crate) removals: u64,
    /// How often the operator ends all waits.
    pub(crate) wakes: u64,
}

impl Profile {
    /// Draws a plan. Each fault is absent from a good part of the plans, so that none hides another.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let chaos_ms = [2_000, 20_000, 120_000, 3_000_000][random.index(4)];
        let faultless = random.chance(60);
        let mut some = |per_mille: u64, max: u64| {
            if !faultless && random.chance(per_mille) { random.between(1, max) } else { 0 }
        };
        let mut profile = Self {
            chaos_ms,
            writes: 3 + some(1_000, 25),
            imports: some(400, 300),
            drops: some(400, 250),
            duplicates: some(400, 250),
            delay_ms_max: 2 + some(700, 2_000),
            held_up: some(400, 100),
            crashes: some(700, 6),
            crash_chance: some(1_000, 60),
            outage_ms_max: 200 + some(700, chaos_ms),
            black_holes: some(300, 3),
            link_breaks: some(400, 5),
            clock_jumps: some(200, 4),
            lost_signals: some(300, 500),
            restored_backups: some(250, 700),
            restored_primaries: some(180, 700),
            old_primary: some(120, 1) == 1,
            prefix: some(300, 4),
            linkless: None,
            removals: some(80, 2),
            wakes: some(200, 3),
        };
        if some(120, 1) == 1 {
            profile.linkless = Some(random.index(2));
        }
        if profile.linkless.is_some() && random.chance(500) {
            // Without a link nothing but the slow greeting finds a backup that came back with an older copy.
            profile.crashes = profile.crashes.max(2);
            profile.restored_backups = profile.restored_backups.max(500);
        }
        if profile.old_primary {
            profile.prefix = profile.prefix.max(1);
        }
        profile
    }
}
