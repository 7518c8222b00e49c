//! `clavitor-sim`: runs seeds, prints what breaks and how to see it again. It decides nothing about the
//! protocol.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clavitor_sim::{Ablation, Found, Outcome, first_unrepeatable, run_seed, search};

/// How many seeds are run twice before anything else, to show that runs repeat.
const REPEATED_SEEDS: u64 = 20;
/// How many of the last steps are printed.
const STEPS_PRINTED: usize = 60;

/// Simulates replication under faults, seed by seed, and checks its invariants after every step.
///
/// Exit codes: 0 nothing found (with --ablate: the missing rule was noticed), 1 otherwise.
#[derive(Debug, Parser)]
#[command(name = "clavitor-sim", version)]
struct Args {
    /// How many seeds to run.
    #[arg(long, default_value_t = 5_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Run this one seed and print all of its steps.
    #[arg(long)]
    seed: Option<u64>,
    /// Leave one safety rule out; it must then be noticed.
    #[arg(long)]
    ablate: Option<Ablation>,
    /// Print how often each situation was reached.
    #[arg(long)]
    coverage: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn run(args: &Args, out: &mut impl Write) -> io::Result<bool> {
    if let Some(seed) = args.seed {
        let outcome = run_seed(seed, args.ablate, true);
        print_end(out, &outcome, usize::MAX)?;
        return Ok(outcome.violation.is_none() != args.ablate.is_some());
    }
    if let Some(seed) = first_unrepeatable(args.start, REPEATED_SEEDS) {
        writeln!(out, "seed {seed} does not repeat: the simulation itself is broken")?;
        return Ok(false);
    }
    writeln!(out, "{REPEATED_SEEDS} seeds repeat exactly")?;
    let found = search(args.start, args.seeds, args.ablate);
    if args.coverage {
        print_coverage(out, &found)?;
    }
    report(out, args, &found)
}

fn report(out: &mut impl Write, args: &Args, found: &Found) -> io::Result<bool> {
    match (args.ablate, &found.broken) {
        (None, None) => {
            writeln!(out, "{} seeds, {} steps: nothing found", found.seeds, found.steps)?;
            Ok(true)
        }
        (None, Some(outcome)) => {
            print_end(out, &run_seed(outcome.seed, None, true), STEPS_PRINTED)?;
            writeln!(out, "see all of it: clavitor-sim --seed {}", outcome.seed)?;
            Ok(false)
        }
        (Some(rule), Some(outcome)) => {
            let after = outcome.seed.wrapping_sub(args.start).saturating_add(1);
            let violation = outcome.violation.as_ref().map(|v| format!("{}: {}", v.invariant, v.what));
            let violation = violation.unwrap_or_default();
            writeln!(
                out,
                "without {}: caught after {after} seeds (seed {}), {violation}",
                rule.name(),
                outcome.seed
            )?;
            Ok(true)
        }
        (Some(rule), None) => {
            writeln!(out, "without {}: NOT caught in {} seeds", rule.name(), found.seeds)?;
            Ok(false)
        }
    }
}

fn print_end(out: &mut impl Write, outcome: &Outcome, lines: usize) -> io::Result<()> {
    for line in outcome.trace.iter().skip(outcome.trace.len().saturating_sub(lines)) {
        writeln!(out, "{line}")?;
    }
    match &outcome.violation {
        Some(violation) => {
            writeln!(out, "seed {}: {} is broken: {}", outcome.seed, violation.invariant, violation.what)
        }
        None => writeln!(out, "seed {}: nothing found in {} steps", outcome.seed, outcome.steps),
    }
}

fn print_coverage(out: &mut impl Write, found: &Found) -> io::Result<()> {
    for (situation, count) in found.coverage.iter() {
        writeln!(out, "{count:>10}  {situation:?}")?;
    }
    Ok(())
}
