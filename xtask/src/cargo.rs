//! Starts cargo and other programs in the root of the workspace, with an environment that is the same for every step.
//!
//! It never sets `RUSTFLAGS` nor a target folder: steps that differ there would rebuild each other's work.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The two editions: the name, and the arguments that build it.
pub(crate) const EDITIONS: [(&str, &[&str]); 2] =
    [("community", &[]), ("commercial", &["--features", "commercial"])];

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies directly below the root").to_path_buf()
}

/// The target folder, as cargo says it.
///
/// # Errors
/// When `cargo metadata` fails.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
}

/// A cargo command in the root of the workspace.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = program("cargo");
    command.args(arguments);
    command
}

/// Any program in the root of the workspace, without what the cargo that started us says of this package.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || text == "CARGO_PRIMARY_PACKAGE"
            || text == "CARGO"
            || text == "LD_LIBRARY_PATH";
        if ours {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command to its end, its output on ours.
///
/// # Errors
/// When it cannot start, or ends with anything but success; the command line is in the error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = printed(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("`{line}` could not be started"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs a command quietly and returns what it printed.
///
/// # Errors
/// As [`run`], with what it said on standard error.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let line = printed(command);
    let output = command.output().with_context(|| format!("`{line}` could not be started"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` ended with {}: {}", output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed no text"))
}

/// Whether a program answers to `--version`.
pub(crate) fn answers(name: impl AsRef<std::ffi::OsStr>) -> bool {
    let output = program(name).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

fn printed(command: &Command) -> String {
    let mut line =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
