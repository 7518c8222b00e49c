//! Runs cargo-deny over `deny.toml`, installing it into the target folder where it is absent.
//!
//! Never fetches the advisory database: a test gives the same answer with and without a network.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::cargo::{self, cargo, program};
use crate::report::{Outcome, Report};

/// The version that is installed where none is found.
const VERSION: &str = "0.20.2";
/// The step's name in the table.
const STEP: &str = "deny";

/// Adds the supply-chain steps: they stand last, since a first install takes some minutes.
pub(crate) fn steps(report: &mut Report) {
    let tool = match find_or_install() {
        Ok(tool) => tool,
        Err(error) => {
            let why = format!("cargo-deny could not be installed: {error:#}");
            report.step_or_skip(STEP, || Ok(Outcome::Skipped(why)));
            return;
        }
    };
    report.step(STEP, || check(&tool, &["bans", "licenses", "sources"]));
    report.step_or_skip("deny advisories", || {
        if !advisories_at_hand() {
            return Ok(Outcome::Skipped("no local database (`cargo deny fetch` gets it)".into()));
        }
        check(&tool, &["advisories"]).map(|()| Outcome::Passed)
    });
}

/// The same as a chore of its own.
///
/// # Errors
/// When a check failed.
pub(crate) fn run_alone() -> Result<()> {
    let mut report = Report::default();
    steps(&mut report);
    report.close()
}

fn check(tool: &PathBuf, what: &[&str]) -> Result<()> {
    let mut command = program(tool);
    command.args([
        "--offline",
        "--locked",
        "--workspace",
        "--all-features",
        "check",
        "--hide-inclusion-graph",
    ]);
    cargo::run(command.args(what))
}

fn find_or_install() -> Result<PathBuf> {
    let on_path = PathBuf::from("cargo-deny");
    if cargo::answers(&on_path) {
        return Ok(on_path);
    }
    let tools = cargo::target_dir()?.join("tools");
    let installed = tools.join("bin/cargo-deny");
    if !cargo::answers(&installed) {
        println!("\ninstalling cargo-deny {VERSION} into {}: some minutes, once", tools.display());
        let mut command =
            cargo(["install", "--quiet", "--locked", "--version", &format!("={VERSION}"), "--root"]);
        cargo::run(command.arg(&tools).arg("cargo-deny")).context("`cargo install` did not do it")?;
    }
    Ok(installed)
}

/// Whether a database was fetched before, where cargo-deny keeps it.
fn advisories_at_hand() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let folder = home.map(|home| home.join("advisory-dbs"));
    folder.and_then(|folder| folder.read_dir().ok()).is_some_and(|mut entries| entries.next().is_some())
}
