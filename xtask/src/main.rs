//! Every chore of the project: `cargo xtask test`, `ci`, `demo`, `sim`, `tidy`, `deny`.
//!
//! It only drives cargo and reads the tree. Deliberately absent: any workspace member as a dependency, and shell scripts elsewhere.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore runner talks on the terminal")]

mod cargo;
mod compiler;
mod demo;
mod deny;
mod report;
mod sim;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command line.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "The chores of Clavitor", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

/// The chores.
#[derive(Subcommand)]
enum Chore {
    /// Everything that must hold before a change lands: format, lints, both editions' tests, simulation, demo, tidy, deny
    Test,
    /// The same as `test`
    Ci,
    /// The main job, seen: a primary and two backups on loopback (the arguments after it go to the demo)
    #[command(trailing_var_arg = true, allow_hyphen_values = true, disable_help_flag = true)]
    Demo {
        /// Given to the demo as they are, such as `--json`, `--file FILE`, `--idle-seconds N`
        arguments: Vec<String>,
    },
    /// The seeded simulation of the replication protocol
    Sim {
        /// How many seeds
        #[arg(long, default_value_t = 5_000)]
        seeds: u64,
        /// Runs with one safety rule removed, which the simulation must notice
        #[arg(long, value_name = "RULE")]
        ablate: Option<String>,
        /// Given to the simulator as they are
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// The rules of the tree: who may depend on whom, the one edition switch, editions.md, licences
    Tidy,
    /// The supply chain: banned crates, licences, sources; advisories where their database is at hand
    Deny,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Test | Chore::Ci => test::run(),
        Chore::Demo { arguments } => demo::run(&arguments),
        Chore::Sim { seeds, ablate, rest } => sim::run(seeds, ablate.as_deref(), &rest),
        Chore::Tidy => tidy::run(),
        Chore::Deny => deny::run_alone(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
