//! The commands of people and operators: one tree, equal in both editions.
//!
//! Talks to a node only through `clavitor-client`, and runs one only through [`Host`]. Never opens the database,
//! never knows which edition it is compiled into.
//!
//! Deliberately absent: copying values to the clipboard, and colours; both need more than a terminal can be trusted with.

mod args;
mod commands;
mod error;
mod fields;
mod host;
mod import;
mod profile;
mod render;
mod shell;

use std::ffi::OsString;

use clap::Parser as _;
use clavitor_core::exit;

use crate::args::{Cli, Command, ConfigCommand, ImportSource, ReplicationCommand};
use crate::error::Failure;
use crate::shell::Shell;

pub use crate::host::{Host, NodeArgs, Offline, OfflineArgs, ServeArgs};

/// Runs one command line to its end.
///
/// - `args`: the whole command line, the name of the program first.
/// - returns: an exit code of `clavitor_core::exit`. Output and errors are printed already.
pub fn run(args: Vec<OsString>, host: &dyn Host) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with 0, everything else to standard error with 2.
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            let _ = error.print();
            return code;
        }
    };
    let mut shell = Shell::of_process();
    shell.json = cli.json;
    if cli.no_input {
        shell.answers = None;
    }
    dispatch(cli, host, &mut shell).unwrap_or_else(|failure| {
        failure.print(&mut *shell.err);
        failure.code
    })
}

fn dispatch(cli: Cli, host: &dyn Host, shell: &mut Shell) -> Result<u8, Failure> {
    if cli.version {
        shell.say(format!("clavitor {}", host.version()))?;
        return Ok(exit::OK);
    }
    let Some(command) = cli.command else {
        return Err(Failure::usage("no command was given", "`clavitor --help` lists them."));
    };
    match command {
        Command::Serve(args) => Ok(host.serve(args)),
        Command::Config { command: ConfigCommand::Check(node) } => {
            let command = Offline::ConfigCheck;
            Ok(host.offline(OfflineArgs { node, keyring_file: None, json: shell.json, command }))
        }
        Command::Replication { command: ReplicationCommand::Leave(args) } => {
            Ok(host.offline(commands::operator::offline_leave(&args, shell)?))
        }
        Command::Pop { command } => match commands::operator::offline_pop(&command, shell)? {
            Some(args) => Ok(host.offline(args)),
            None => wait_for(commands::operator::pop(&command, host, shell)),
        },
        Command::Init(args) => wait_for(commands::init::run(&args, shell)),
        Command::Put(args) => wait_for(commands::put::run(&args, shell)),
        Command::Get(args) => wait_for(commands::get::run(&args, shell)),
        Command::List(args) => wait_for(commands::list::run(&args, shell)),
        Command::Rm(args) => wait_for(commands::rm::run(&args, shell)),
        Command::Totp(args) => wait_for(commands::totp::run(&args, shell)),
        Command::Import { source: ImportSource::Bitwarden(args) } => {
            wait_for(import::run::bitwarden(&args, shell))
        }
        Command::Status(args) => wait_for(commands::status::run(&args, host, shell)),
        Command::Replication { command } => wait_for(commands::operator::replication(&command, host, shell)),
    }
}

/// Runs one command's calls on this thread.
fn wait_for(work: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::unexpected(format!("no runtime could be started: {error}"), ""))?;
    runtime.block_on(work)
}

#[cfg(test)]
mod tests;
