//! The commands of a stopped node: its fingerprint, and joining a cell.

use clavitor_core::edition::{EditionError, OfflineAnswer, OfflineCommand, OfflineInput};

use crate::identity::Identity;
use crate::join::joiner;
use crate::open::{identity_file, read_config};

/// Runs a command. Blocks until it is done; brings its own runtime, so it may be called from anywhere.
///
/// # Errors
/// [`EditionError`]: what was wrong and what to do.
pub fn offline(input: OfflineInput, command: OfflineCommand) -> Result<OfflineAnswer, EditionError> {
    let OfflineInput { edition: input } = input;
    let config = read_config(&input)?;
    let identity = Identity::load_or_create(&identity_file(&input, config.replication.as_ref()))?;
    match command {
        OfflineCommand::PopIdentity => {
            Ok(OfflineAnswer::Identity { key: identity.fingerprint().to_string() })
        }
        OfflineCommand::PopJoin { invitation } => {
            let table = config.replication.ok_or_else(|| EditionError::Failed {
                what: "this node has no [replication] table".to_owned(),
                remedy: "give its configuration with --config; a joiner has role = \"backup\" and [replication.primary]"
                    .to_owned(),
            })?;
            on_own_runtime(async { joiner::join(&input, &table, &identity, &invitation).await })
        }
    }
}

/// Runs a future on a thread of its own: the caller may itself be inside a runtime.
fn on_own_runtime<T: Send>(
    future: impl Future<Output = Result<T, EditionError>> + Send,
) -> Result<T, EditionError> {
    let failed = |what: String| EditionError::Failed { what, remedy: "run the command again".to_owned() };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| failed(format!("no runtime could be started: {error}")))?.block_on(future)
        });
        thread.join().unwrap_or_else(|_| Err(failed("the join ended by a fault of ours".to_owned())))
    })
}
