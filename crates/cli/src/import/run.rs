//! Carrying a plan out: operations of at most 256 entries under one import id.

use std::collections::BTreeMap;

use clavitor_client::{Change, ClientError, OpenVault, chunk_drafts};
use clavitor_core::draft::EntryDraft;
use clavitor_core::exit;
use clavitor_core::ids::{ImportId, RecordId};
use clavitor_core::order::Seq;
use clavitor_import::{Import, Options, bitwarden};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use uuid::Uuid;

use super::plan::{Index, Plan, Preview, plan};
use crate::args::ImportArgs;
use crate::commands::failure::of_client;
use crate::commands::vault;
use crate::error::Failure;
use crate::render;
use crate::shell::{self, Shell};

/// What an import did; a written contract as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// Under which its entries are known; `null` where nothing was written.
    pub(crate) import_id: Option<ImportId>,
    /// How many entries were written.
    pub(crate) imported: usize,
    /// In how many operations.
    pub(crate) operations: usize,
    /// The node's head after the last of them.
    pub(crate) seq: Option<Seq>,
    /// What was shown before.
    pub(crate) preview: Preview,
}

/// `import bitwarden`.
pub(crate) async fn bitwarden(args: &ImportArgs, shell: &mut Shell) -> Result<u8, Failure> {
    let bytes = shell::read_file(&args.file, clavitor_core::limits::IMPORT_BYTES_MAX)?;
    let import = bitwarden::read(&bytes, Options { with_trash: args.with_trash })
        .map_err(|error| Failure::usage(error.to_string(), error.remedy()))?;
    drop(bytes);
    vault::with(shell, &args.vault, async |shell, vault| import_into(args, shell, vault, import).await).await
}

async fn import_into(
    args: &ImportArgs,
    shell: &mut Shell,
    vault: &OpenVault,
    import: Import,
) -> Result<u8, Failure> {
    let index = Index::new(vault.list_all().await.map_err(of_client)?);
    let opened = open_likely(vault, &index, &import).await?;
    let plan = plan(import, &index, &opened);
    drop(opened);
    if !shell.json {
        shell.note(render::import::preview(&plan.preview))?;
    }
    let outcome = if args.dry_run {
        Outcome { import_id: None, imported: 0, operations: 0, seq: None, preview: plan.preview }
    } else {
        if !args.yes && !plan.drafts.is_empty() {
            let question = format!("Write {}?", render::counted(plan.drafts.len(), "entry"));
            shell.confirm(&question, "--yes")?;
        }
        write_all(shell, vault, plan).await?
    };
    if shell.json {
        shell.say_json(&outcome)?;
    } else if !args.dry_run {
        shell.say(render::import::outcome(&outcome))?;
    }
    if outcome.imported > 0 && !shell.json {
        shell.note(format!(
            "{} still holds every value in the open: delete it, and empty the trash and cloud folders that may hold it",
            render::printable(&args.file.display().to_string())
        ))?;
    }
    Ok(exit_code(&outcome.preview))
}

/// 10 where something of the file is missing afterwards or was skipped.
fn exit_code(preview: &Preview) -> u8 {
    if preview.report.has_loss() || preview.identical > 0 { exit::SKIPPED } else { exit::OK }
}

/// Opens those entries that could be identical to one of the file.
async fn open_likely(
    vault: &OpenVault,
    index: &Index,
    import: &Import,
) -> Result<BTreeMap<RecordId, EntryDraft>, Failure> {
    let mut opened = BTreeMap::new();
    for id in index.to_open(&import.entries) {
        match vault.get(id).await {
            Ok(entry) => {
                opened.insert(id, entry.draft);
            }
            // Deleted since it was listed.
            Err(ClientError::NotFound { .. }) => {}
            Err(error) => return Err(of_client(error)),
        }
    }
    Ok(opened)
}

async fn write_all(shell: &Shell, vault: &OpenVault, plan: Plan) -> Result<Outcome, Failure> {
    let Plan { preview, drafts } = plan;
    let total = drafts.len();
    if total == 0 {
        return Ok(Outcome { import_id: None, imported: 0, operations: 0, seq: None, preview });
    }
    let import_id = ImportId::from_bytes(*Uuid::now_v7().as_bytes());
    let bar = bar(shell, total);
    let mut outcome = Outcome { import_id: Some(import_id), imported: 0, operations: 0, seq: None, preview };
    for chunk in chunk_drafts(drafts) {
        let count = chunk.len();
        let changes = chunk.into_iter().map(|draft| Change::Create { id: None, draft }).collect();
        let done = vault.operations(changes, Some(import_id)).await.map_err(|error| {
            bar.abandon();
            stopped(error, outcome.imported, total, import_id)
        })?;
        outcome.imported += count;
        outcome.operations += 1;
        outcome.seq = Some(done.seq);
        bar.inc(u64::try_from(count).unwrap_or_default());
    }
    bar.finish_and_clear();
    Ok(outcome)
}

/// A failure on the way, with what was kept.
fn stopped(error: ClientError, imported: usize, total: usize, import_id: ImportId) -> Failure {
    let failure = of_client(error);
    let kept = format!(
        "{imported} of {total} entries are written (import {import_id}). Run the same command again: what is here is skipped."
    );
    let hint = if failure.hint.is_empty() { kept } else { format!("{} {kept}", failure.hint) };
    Failure::new(failure.code, failure.what, hint)
}

/// A bar on standard error, where that is a terminal; elsewhere nothing moves.
fn bar(shell: &Shell, total: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(
        Some(u64::try_from(total).unwrap_or(u64::MAX)),
        if shell.err_is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} entries, {eta} left");
    bar.with_style(style.expect("a constant template"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::import::plan::tests::sample;

    #[test]
    fn operations_stay_within_the_limits() {
        let mut drafts = Vec::new();
        for _ in 0..30 {
            drafts.extend(sample().entries.into_iter().map(|entry| entry.draft));
        }
        let total = drafts.len();
        let chunks = chunk_drafts(drafts);
        assert!(chunks.len() >= total.div_ceil(clavitor_core::limits::OPERATION_RECORDS_MAX));
        assert!(chunks.iter().all(|c| c.len() <= clavitor_core::limits::OPERATION_RECORDS_MAX));
        assert_eq!(chunks.iter().map(Vec::len).sum::<usize>(), total);
    }

    #[test]
    fn the_outcome_is_a_contract() {
        let plan = plan(sample(), &Index::new(Vec::new()), &BTreeMap::new());
        assert_eq!(exit_code(&plan.preview), exit::SKIPPED, "the trash was left behind");
        let mut outcome = Outcome {
            import_id: Some(ImportId::from_bytes([9; 16])),
            imported: 24,
            operations: 1,
            seq: Some(Seq(26)),
            preview: plan.preview,
        };
        outcome.preview.report.lines.truncate(2);
        insta::assert_json_snapshot!(outcome);
        insta::assert_snapshot!(render::import::outcome(&outcome));
    }

    #[test]
    fn a_stop_says_what_was_kept() {
        let error =
            ClientError::Unreachable { server: "http://localhost:1".into(), reason: "refused".into() };
        let failure = stopped(error, 256, 300, ImportId::from_bytes([9; 16]));
        assert_eq!(failure.code, exit::UNREACHABLE);
        assert!(failure.hint.contains("256 of 300") && failure.hint.contains("again"));
    }
}
