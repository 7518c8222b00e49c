//! Builds the demo in the commercial edition and becomes it.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::cargo::{self, cargo, program};
use crate::compiler;

/// What builds the demo and the node that it starts, in one go: always the same edition and profile.
pub(crate) const BUILD: [&str; 7] =
    ["build", "--release", "--package", "clavitor-tests", "--bins", "--features", "commercial"];

/// Builds the demo and replaces this process by it, so that signals and the exit code are its own.
///
/// # Errors
/// When it cannot be built or started. Does not return otherwise.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let demo = build()?;
    Err(program(&demo).args(arguments).exec())
        .with_context(|| format!("{} could not be started", demo.display()))
}

/// Builds the demo, runs it to its end as a step of the tests, with a short idle time.
///
/// # Errors
/// When it cannot be built, or when something that it shows did not hold.
pub(crate) fn run_as_step() -> Result<()> {
    let demo = build()?;
    cargo::run(program(demo).args(["--idle-seconds", "2"]))
}

fn build() -> Result<std::path::PathBuf> {
    compiler::ensure()?;
    let demo = cargo::target_dir()?.join("release/demo");
    if !demo.exists() {
        eprintln!("building the commercial edition: a first build takes some minutes");
    }
    cargo::run(&mut cargo(BUILD))?;
    Ok(demo)
}
