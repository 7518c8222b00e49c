//! The binary around the commands: runs a node, and the commands on a stopped one.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clavitor_cli::{Host, NodeArgs, Offline, OfflineArgs, ServeArgs};
use clavitor_core::clock::Clock;
use clavitor_core::edition::{EditionInput, OfflineAnswer, OfflineCommand, OfflineInput};
use clavitor_core::exit;
use clavitor_core::order::Seq;
use clavitor_core::replica::CommitObserver;
use clavitor_crypto::random;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, HostParts, OWN_LOCAL, Opened, StartError};
use crate::clock::SystemClock;
use crate::config::{Config, ConfigErrors, Overrides, Sources};
use crate::data::Folder;
use crate::{edition, hardening, logging};

/// The `clavitor` binary.
#[derive(Debug, Clone, Copy)]
pub struct BinaryHost;

impl Host for BinaryHost {
    fn version(&self) -> String {
        let (commit, date) = (env!("CLAVITOR_COMMIT"), env!("CLAVITOR_COMMIT_DATE"));
        format!("{} ({}) {commit} {date}", env!("CARGO_PKG_VERSION"), edition::NAME)
    }

    fn edition(&self) -> &'static str {
        edition::NAME
    }

    fn data_dir(&self, node: &NodeArgs) -> Result<PathBuf, String> {
        let flags = overrides(node);
        let config = Sources { env: &environment, flags }.load_without_edition();
        config.map(|config| config.data_dir).map_err(|errors| errors.to_string())
    }

    fn serve(&self, args: ServeArgs) -> u8 {
        let flags = Overrides {
            listen: args.listen,
            public_url: args.public_url,
            keyring_file: args.keyring_file,
            ..overrides(&args.node)
        };
        let config = match (Sources { env: &environment, flags }).load() {
            Ok(config) => config,
            Err(errors) => return refuse(&StartError::Config(errors)),
        };
        logging::start(&config.log);
        hardening::harden();
        let Some(runtime) = runtime() else { return exit::UNEXPECTED };
        match runtime.block_on(run(config)) {
            Ok(()) => exit::OK,
            Err(error) => refuse(&error),
        }
    }

    fn offline(&self, args: OfflineArgs) -> u8 {
        let flags = Overrides { keyring_file: args.keyring_file, ..overrides(&args.node) };
        let config = Sources { env: &environment, flags }.load();
        if matches!(args.command, Offline::ConfigCheck) {
            return report_check(config, args.json);
        }
        let config = match config {
            Ok(config) => config,
            Err(errors) => return refuse(&StartError::Config(errors)),
        };
        logging::start(&config.log);
        let done = match args.command {
            Offline::ConfigCheck => return exit::OK,
            Offline::ReplicationLeave => {
                leave(&config).map(|left| json!({ "answer": if left { "left" } else { "nothing-to-leave" } }))
            }
            Offline::PopIdentity => run_offline(&config, OfflineCommand::PopIdentity),
            Offline::PopJoin { invitation } => {
                let invitation = invitation.expose().to_owned();
                run_offline(&config, OfflineCommand::PopJoin { invitation })
            }
        };
        match done {
            Ok(answer) => {
                let printed = print(&if args.json { answer.to_string() } else { told(&answer) });
                // A script must not go on to `serve` as if the node had joined.
                if answer["answer"] == "pending" { exit::WARNINGS } else { printed }
            }
            Err(error) => refuse(&error),
        }
    }
}

async fn run(config: Config) -> Result<(), StartError> {
    // Before anything is opened: a signal during the start must not be lost.
    let stop = stopped();
    let app = App::build(config, HostParts { clock: Arc::new(SystemClock::start()) }).await?;
    let url = format!("http://{}", app.address());
    print(&format!("listening on {url}"));
    if let Some(file) = app.setup_file() {
        print(&format!(
            "no vault yet. Create it within 30 minutes with:\n  clavitor init --server {url} --setup-file {}",
            file.display()
        ));
    }
    app.serve(stop).await;
    Ok(())
}

/// Ready once the system or a person asks the process to end.
fn stopped() -> impl Future<Output = ()> {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
            tracing::warn!("signals cannot be caught here: the node ends without a drain");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Replication is not running while a command works on a stopped node.
struct Nobody;

impl CommitObserver for Nobody {
    fn committed(&self, _head: Seq) {}
}

fn run_offline(config: &Config, command: OfflineCommand) -> Result<serde_json::Value, StartError> {
    if !edition::REPLICATES {
        // Nothing is made on the disk for a command that cannot run here.
        let what = format!("this is the {} edition, and it does not replicate", edition::NAME);
        let remedy = "run a build made with `--features commercial`".to_owned();
        return Err(StartError::Command { what, remedy, other_edition: true });
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let Opened { folder, keys, store } = Opened::open_for_join(config, &clock)?;
    store.start(Arc::new(Nobody));
    let public_url = match &config.public_url {
        Some(url) => url.origin().ascii_serialization(),
        None => format!("http://{}", config.listen),
    };
    let input = EditionInput {
        config: config.text.clone(),
        data_dir: folder.path().to_owned(),
        public_url,
        store: store.replica(),
        clock,
        audit: Arc::clone(&keys) as _,
        keyring: keys,
    };
    let answer = edition::offline(OfflineInput { edition: input }, command);
    if let Err(error) = store.close() {
        tracing::error!(%error, "the last flush failed; every acknowledged write is on the disk");
    }
    let file = config.text.as_ref().map(|text| text.path.as_path());
    let answer = answer.map_err(|error| StartError::from_command(error, file))?;
    Ok(serde_json::to_value::<OfflineAnswer>(answer).expect("an answer has only text keys"))
}

/// Takes a stopped node out of its cell, into a new one of its own; says whether there was one to leave.
pub(crate) fn leave(config: &Config) -> Result<bool, StartError> {
    let folder = Folder::take(&config.data_dir)?;
    let cell = random::cell_id(SystemClock::start().now_ms());
    Ok(clavitor_store::leave_replication(&folder.database(), cell, OWN_LOCAL)?)
}

fn report_check(config: Result<Config, ConfigErrors>, as_json: bool) -> u8 {
    let (problems, code) = match config {
        Ok(_) => (Vec::new(), exit::OK),
        Err(errors) => (errors.0.clone(), errors.exit_code()),
    };
    if as_json {
        print(&json!({ "ok": problems.is_empty(), "problems": problems }).to_string());
    } else if problems.is_empty() {
        print("the configuration is good");
    } else {
        complain(&ConfigErrors(problems).to_string());
    }
    code
}

/// An answer of an offline command, for people.
fn told(answer: &serde_json::Value) -> String {
    let text = |key: &str| answer.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    match text("answer") {
        "identity" => text("key").to_owned(),
        "joined" => format!(
            "joined cell {} as {}; the primary is {}. Start it with `clavitor serve`",
            text("cell"),
            text("pop"),
            text("primary")
        ),
        "pending" => format!(
            "not joined yet: the primary has noted this node. There, run `clavitor pop approve NAME --key` with this \
             node's fingerprint, then run this again:\n  {}",
            text("key")
        ),
        "left" => {
            "this node has left its cell; its records are all here, and either edition can open it".to_owned()
        }
        "nothing-to-leave" => "this node is in no cell; nothing was changed".to_owned(),
        _ => answer.to_string(),
    }
}

fn overrides(node: &NodeArgs) -> Overrides {
    Overrides { config: node.config.clone(), data_dir: node.data_dir.clone(), ..Overrides::default() }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn runtime() -> Option<tokio::runtime::Runtime> {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            complain(&format!("the system gave no threads: {error}; nothing was started"));
            None
        }
    }
}

/// Says on stderr why, with the causes, and answers the exit code.
fn refuse(error: &StartError) -> u8 {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text.push_str(&format!("\n  because: {source}"));
        cause = source.source();
    }
    complain(&text);
    error.exit_code()
}

fn print(text: &str) -> u8 {
    // Whoever closed our output does not want to read it.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    exit::OK
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "error: {text}");
}
