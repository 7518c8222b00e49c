//! Many seeds on all cores. The runs themselves know nothing of threads, so the answer does not depend on
//! their number.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::ablation::{Ablation, run_seed};
use crate::run::Outcome;
use crate::world::coverage::Coverage;

/// What a search gave.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The run with the lowest seed that broke something, without its trace.
    pub broken: Option<Outcome>,
    /// How many seeds were run.
    pub seeds: u64,
    /// How many steps these were.
    pub steps: u64,
    /// The situations that they went through.
    pub coverage: Coverage,
}

/// Runs seeds `start .. start + seeds` and stops soon after one breaks something. The lowest broken seed is
/// always found: no seed below it is left out.
pub fn search(start: u64, seeds: u64, without: Option<Ablation>) -> Found {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut found = Found::default();
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| work(start, seeds, without, &next, &stop))).collect();
        for worker in workers {
            let part = worker.join().expect("a run does not panic");
            found.seeds += part.seeds;
            found.steps += part.steps;
            found.coverage.add(&part.coverage);
            let lower =
                |outcome: &Outcome| found.broken.as_ref().is_none_or(|known| outcome.seed < known.seed);
            if part.broken.as_ref().is_some_and(lower) {
                found.broken = part.broken;
            }
        }
    });
    found
}

fn work(start: u64, seeds: u64, without: Option<Ablation>, next: &AtomicU64, stop: &AtomicBool) -> Found {
    let mut found = Found::default();
    while !stop.load(Ordering::Relaxed) {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= seeds {
            break;
        }
        let outcome = run_seed(start.wrapping_add(at), without, false);
        found.seeds += 1;
        found.steps += outcome.steps;
        found.coverage.add(&outcome.coverage);
        if outcome.violation.is_some() {
            stop.store(true, Ordering::Relaxed);
            found.broken = Some(outcome);
        }
    }
    found
}

/// Whether runs repeat exactly: the first seed that does not.
pub fn first_unrepeatable(start: u64, seeds: u64) -> Option<u64> {
    (0..seeds).map(|at| start.wrapping_add(at)).find(|seed| {
        let (once, again) = (run_seed(*seed, None, false), run_seed(*seed, None, false));
        once != again
    })
}
