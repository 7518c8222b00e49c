//! The one thing that Rust does not bring: a C compiler, for SQLite and AWS-LC.

use std::ffi::OsString;

use anyhow::{Result, bail};

use crate::cargo;

/// Makes sure that a C compiler answers, installing one where this is Debian and we are root.
///
/// # Errors
/// When there is none and none could be installed; says what to do.
pub(crate) fn ensure() -> Result<()> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| OsString::from("cc"));
    if cargo::answers(&compiler) {
        return Ok(());
    }
    println!("no C compiler answers as `{}`: SQLite and AWS-LC need one", compiler.to_string_lossy());
    let root = cargo::read(cargo::program("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if root && cargo::answers("apt-get") {
        cargo::run(cargo::program("apt-get").arg("update"))?;
        cargo::run(cargo::program("apt-get").args(["install", "--yes", "gcc", "libc6-dev"]))?;
    }
    if cargo::answers(&compiler) {
        return Ok(());
    }
    bail!("there is no C compiler: install one (Debian: `apt-get install gcc libc6-dev`) and run this again");
}
