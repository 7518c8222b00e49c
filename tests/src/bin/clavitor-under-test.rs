//! The `clavitor` binary of the edition that is built, as the tests and the demo start it: it dies with who started it.
//!
//! A plain `target/debug/clavitor` may be left over from the other edition; this one is built with the tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
    {
        panic!("this process would outlive the test that started it: {error}");
    }
    clavitor_server::main()
}
