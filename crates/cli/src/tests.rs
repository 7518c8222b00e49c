//! The command tree from outside: help, rules that hold for all of it, and what the host is given.

use std::cell::RefCell;
use std::path::PathBuf;

use clap::CommandFactory as _;

use super::*;
use crate::shell::tests::piped;

/// A host that remembers what it was asked.
#[derive(Default)]
struct FakeHost {
    served: RefCell<Vec<ServeArgs>>,
    offline: RefCell<Vec<OfflineArgs>>,
}

impl Host for FakeHost {
    fn version(&self) -> String {
        "0.1.0 (community) 1a2b3c4 2026-11-22".to_owned()
    }

    fn edition(&self) -> &'static str {
        "community"
    }

    fn data_dir(&self, node: &NodeArgs) -> Result<PathBuf, String> {
        node.data_dir.clone().ok_or_else(|| "no data folder".to_owned())
    }

    fn serve(&self, args: ServeArgs) -> u8 {
        self.served.borrow_mut().push(args);
        exit::OK
    }

    fn offline(&self, args: OfflineArgs) -> u8 {
        self.offline.borrow_mut().push(args);
        exit::OTHER_EDITION
    }
}

/// Runs a command line; answers the exit code, standard output and standard error.
fn run_line(line: &[&str], host: &FakeHost, input: &'static str) -> (u8, String, String) {
    let (mut shell, out, err) = piped(input);
    let cli = Cli::try_parse_from(["clavitor"].iter().chain(line)).unwrap();
    shell.json = cli.json;
    let code = dispatch(cli, host, &mut shell).unwrap_or_else(|failure| {
        failure.print(&mut *shell.err);
        failure.code
    });
    (code, out.text(), err.text())
}

/// Every command of the tree with its path.
fn tree() -> Vec<(String, clap::Command)> {
    fn walk(path: &str, command: &clap::Command, found: &mut Vec<(String, clap::Command)>) {
        found.push((path.to_owned(), command.clone()));
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            walk(&format!("{path} {}", inner.get_name()), inner, found);
        }
    }
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut found = Vec::new();
    walk("clavitor", &root, &mut found);
    found
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn no_argument_holds_a_secret() {
    let secrets = [
        "password",
        "passphrase",
        "secret",
        "token",
        "pin",
        "seed",
        "invitation",
        "setup",
        "private",
        "value",
    ];
    let mut seen = 0;
    for (path, command) in tree() {
        for argument in command.get_arguments().filter(|a| a.get_action().takes_values()) {
            seen += 1;
            let name = argument.get_long().unwrap_or(argument.get_id().as_str()).to_lowercase();
            let sounds_secret =
                secrets.iter().any(|secret| name.split(['-', '_']).any(|word| word == *secret));
            assert!(!sounds_secret || name.ends_with("-file"), "{path}: {name} would hold a secret");
        }
        for positional in command.get_positionals() {
            let id = positional.get_id().as_str();
            assert!(
                ["title", "name", "pop", "file"].contains(&id),
                "{path}: <{id}> is not known to be no secret"
            );
        }
    }
    assert!(seen > 30, "the walk found only {seen} arguments");
}

#[test]
fn every_help_starts_with_examples() {
    for (path, mut command) in tree() {
        let help = command.render_long_help().to_string();
        assert!(help.starts_with("Examples:\n"), "{path}: {help}");
        assert!(help.lines().skip(1).take_while(|line| line.starts_with("  ")).count() >= 3, "{path}");
    }
}

#[test]
fn help() {
    let all: Vec<String> = tree()
        .into_iter()
        .map(|(path, mut command)| format!("===== {path} --help\n{}", command.render_long_help()))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn examples_parse() {
    for (path, command) in tree() {
        let examples = command.get_before_help().unwrap().to_string();
        for line in examples.lines().skip(1).flat_map(|line| line.split(" | ")).map(str::trim) {
            let Some(line) = line.strip_prefix("clavitor ") else { continue };
            let line = line.replace("\"Deploy key\"", "DeployKey").replace("\"Old forum\"", "OldForum");
            let words = ["clavitor"].into_iter().chain(line.split_whitespace());
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{path}: {line}: {error}");
            }
        }
    }
}

#[test]
fn no_arguments_print_help() {
    let error = Cli::try_parse_from(["clavitor"]).unwrap_err();
    assert!(error.use_stderr() && error.to_string().contains("Examples:"));
    assert_eq!(run(vec!["clavitor".into()], &FakeHost::default()), exit::USAGE);
    assert_eq!(run(vec!["clavitor".into(), "--no-such-flag".into()], &FakeHost::default()), exit::USAGE);
}

#[test]
fn the_version_names_the_edition() {
    let (code, out, _) = run_line(&["--version"], &FakeHost::default(), "");
    assert_eq!((code, out.as_str()), (exit::OK, "clavitor 0.1.0 (community) 1a2b3c4 2026-11-22\n"));
}

#[test]
fn the_host_gets_what_was_typed() {
    let host = FakeHost::default();
    run_line(&["serve", "--data-dir", "d", "--listen", "127.0.0.1:0"], &host, "");
    let served = host.served.borrow();
    assert_eq!(
        (served[0].node.data_dir.as_deref(), served[0].listen.as_deref()),
        (Some("d".as_ref()), Some("127.0.0.1:0"))
    );
    let (code, ..) = run_line(&["config", "check", "--config", "c.toml", "--json"], &host, "");
    assert_eq!(code, exit::OTHER_EDITION, "the host's code is the command's");
    run_line(&["pop", "join", "--stdin", "--json"], &host, "cinv1_x\n");
    run_line(&["replication", "leave", "--yes"], &host, "");
    let offline = host.offline.borrow();
    assert!(offline[0].json && offline[0].node.config.is_some());
    assert!(matches!(offline[0].command, Offline::ConfigCheck));
    assert!(
        matches!(&offline[1].command, Offline::PopJoin { invitation } if invitation.expose() == "cinv1_x")
    );
    assert!(matches!(offline[2].command, Offline::ReplicationLeave));
    assert!(!format!("{offline:?}").contains("cinv1_x"), "an invitation is never printed");
}

#[test]
fn a_node_that_does_not_run_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    for line in [
        &["status", "--data-dir", data_dir][..],
        &["replication", "status", "--data-dir", data_dir],
        &["pop", "list", "--data-dir", data_dir],
        &["status", "--server", "http://127.0.0.1:9"],
    ] {
        let (code, out, err) = run_line(line, &FakeHost::default(), "");
        assert_eq!((code, out.as_str()), (exit::UNREACHABLE, ""), "{line:?}: {err}");
        assert!(err.starts_with("error: ") && err.contains("\n hint: ") && err.lines().count() == 2, "{err}");
    }
}

#[test]
fn wrong_files_are_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.json");
    std::fs::write(&file, r#"{"encrypted":true,"passwordProtected":true,"data":"2.hunter2"}"#).unwrap();
    let file = file.to_str().unwrap();
    let (code, _, err) = run_line(&["import", "bitwarden", file, "--vault", "x"], &FakeHost::default(), "");
    assert!(
        code == exit::USAGE && err.contains("encrypted with a password") && !err.contains("hunter2"),
        "{err}"
    );
    let (code, _, err) = run_line(&["import", "bitwarden", "no-such-file"], &FakeHost::default(), "");
    assert!(code == exit::NOT_FOUND && err.contains("no-such-file"), "{err}");
}
