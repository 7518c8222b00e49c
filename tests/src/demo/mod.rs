//! The main job, seen: a cell of three real nodes on loopback, an import, a dead primary, and what survives it.
//!
//! Its exit code says whether all of it was correct; never how fast it was.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a demo talks on the terminal")]

mod disk;
mod lag;
mod outcome;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use outcome::Outcome;

/// The command line of the demo.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask demo",
    about = "A primary and two backups on this machine: every write arrives, \
                  a backup serves reads when the primary is dead, and nothing runs while nothing is written"
)]
struct Arguments {
    /// A Bitwarden export, plain JSON [default: the sample that ships with the project]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the findings as one JSON object, as the last line
    #[arg(long)]
    json: bool,
    /// How long to watch the idle cell
    #[arg(long, value_name = "N", default_value_t = 10)]
    idle_seconds: u64,
    /// How many single writes to measure
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    writes: u32,
}

/// Runs the demo. All it starts, and its folder, are gone when it ends, also by Ctrl-C.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the demo could not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    // The story runs on this thread, which therefore is the parent of all nodes: they die with it.
    runtime.block_on(async {
        tokio::select! {
            told = story::tell(&arguments) => conclude(told, arguments.json),
            _ = tokio::signal::ctrl_c() => {
                eprintln!("\ninterrupted; the nodes were stopped and their folder is removed");
                ExitCode::from(130)
            }
        }
    })
}

fn conclude(told: Result<Outcome>, json: bool) -> ExitCode {
    let outcome = match told {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("\nthe demo failed: {error:?}");
            return ExitCode::FAILURE;
        }
    };
    println!("\n{}", outcome.table());
    let broken = outcome.broken();
    broken.iter().for_each(|sentence| println!("NOT HELD: {sentence}"));
    if broken.is_empty() {
        println!("all of it held");
    }
    if json {
        println!("{}", outcome.json());
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
