//! `cargo xtask demo`: the main job, seen.

use std::process::ExitCode;

fn main() -> ExitCode {
    clavitor_tests::demo::main()
}
