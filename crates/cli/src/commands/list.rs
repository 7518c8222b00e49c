//! `list`: every entry, or those of a folder or tag.

use clavitor_core::api::EntrySummary;
use clavitor_core::exit;

use super::failure::of_client;
use super::vault;
use crate::args::ListArgs;
use crate::error::Failure;
use crate::render;
use crate::shell::Shell;

/// Runs it.
pub(crate) async fn run(args: &ListArgs, shell: &mut Shell) -> Result<u8, Failure> {
    let rows =
        vault::with(shell, &args.vault, async |_, vault| vault.list_all().await.map_err(of_client)).await?;
    let mut rows: Vec<EntrySummary> = rows.into_iter().filter(|row| wanted(args, row)).collect();
    rows.sort_by_cached_key(|row| (row.title.to_lowercase(), row.id));
    if shell.json {
        shell.say_json(&rows)?;
    } else if rows.is_empty() {
        shell.note("no entries")?;
    } else {
        shell.say(render::list::text(&rows))?;
    }
    Ok(exit::OK)
}

fn wanted(args: &ListArgs, row: &EntrySummary) -> bool {
    let below = |folder: &str| {
        let rest = row.folder.strip_prefix(folder.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    args.folder.as_deref().is_none_or(below) && args.tag.as_ref().is_none_or(|tag| row.tags.contains(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::VaultArgs;
    use crate::import::plan::tests::{sample, vault_of};

    #[test]
    fn folders_hold_those_below() {
        let (rows, _) = vault_of(sample().entries.into_iter().map(|entry| entry.draft).collect());
        let count = |folder: &str| {
            let folder = Some(folder.to_owned());
            let args = ListArgs { folder, tag: None, vault: VaultArgs::default() };
            rows.iter().filter(|row| wanted(&args, row)).count()
        };
        assert_eq!((count("Home/Utilities"), count("Home"), count("Home/"), count("Ho")), (3, 9, 9, 0));
    }
}
