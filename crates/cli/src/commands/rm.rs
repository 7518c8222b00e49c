//! `rm`: deletes an entry; a tombstone stays.

use clavitor_core::exit;

use super::failure::of_client;
use super::vault;
use crate::args::RmArgs;
use crate::error::Failure;
use crate::render::printable;
use crate::shell::Shell;

/// Runs it.
pub(crate) async fn run(args: &RmArgs, shell: &mut Shell) -> Result<u8, Failure> {
    vault::with(shell, &args.vault, async |shell, vault| {
        let entry = vault::resolve(vault, &args.name).await?;
        let title = printable(&entry.draft.title).into_owned();
        if !args.yes {
            shell.confirm(&format!("Delete {title} ({})?", entry.id), "--yes")?;
        }
        let done = vault.delete(entry.id, entry.version).await.map_err(of_client)?;
        if shell.json {
            shell.say_json(&done)?;
        } else {
            shell.say(format!("deleted {title} ({})", done.id))?;
        }
        Ok(exit::OK)
    })
    .await
}
