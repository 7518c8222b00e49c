//! `cargo xtask test`: all that must hold, in one order, with a table at the end.

use anyhow::Result;

use crate::cargo::{self, EDITIONS, cargo};
use crate::report::Report;
use crate::{compiler, demo, deny, sim, tidy};

/// Runs every step. A failing step does not hide the others.
///
/// # Errors
/// When a step failed.
pub(crate) fn run() -> Result<()> {
    let mut report = Report::default();
    report.step("C compiler", compiler::ensure);
    report.step("format", || cargo::run(&mut cargo(["fmt", "--all", "--check"])));
    for (edition, features) in EDITIONS {
        report.step(&format!("clippy, {edition}"), || clippy(features));
    }
    report
        .step("check the server alone", || cargo::run(&mut cargo(["check", "--package", "clavitor-server"])));
    let nextest = cargo::answers("cargo-nextest");
    for (edition, features) in EDITIONS {
        report.step(&format!("tests, {edition}"), || tests(nextest, features));
    }
    report.step(&format!("simulation, {} seeds", sim::SEEDS), || sim::run(sim::SEEDS, None, &[]));
    report.step("simulation without each rule", sim::ablations);
    report.step("demo", demo::run_as_step);
    report.step("tidy", tidy::run);
    deny::steps(&mut report);
    report.close()
}

/// Warnings are errors by an argument to clippy, never by `RUSTFLAGS`: that would rebuild everything.
fn clippy(features: &[&str]) -> Result<()> {
    let mut command = cargo(["clippy", "--workspace", "--all-targets"]);
    cargo::run(command.args(features).args(["--", "--deny", "warnings"]))
}

/// `cargo test` covers all; where nextest is present it runs the tests, and `cargo test --doc` what it leaves out.
fn tests(nextest: bool, features: &[&str]) -> Result<()> {
    if !nextest {
        return cargo::run(cargo(["test", "--workspace", "--no-fail-fast"]).args(features));
    }
    let run = cargo::run(cargo(["nextest", "run", "--workspace", "--no-fail-fast"]).args(features));
    let doc = cargo::run(cargo(["test", "--workspace", "--doc"]).args(features));
    run.and(doc)
}
