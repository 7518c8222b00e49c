//! Entries one by one, and operations of several: checked, sealed for the disk, written with their audit rows.

use clavitor_core::api::{EntryAnswer, OperationChange};
use clavitor_core::audit::{Action, Actor, Outcome};
use clavitor_core::change::{Change, Committed, Expect, Operation};
use clavitor_core::entry::Entry;
use clavitor_core::ids::{ImportId, RecordId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::Version;
use clavitor_core::problem::FieldProblem;

use super::audit::Told;
use super::refusal::expects;
use super::{Facts, Node, Owner, Refusal, content};

impl Node {
    /// Carries out one change of one entry.
    ///
    /// # Errors
    /// As [`Node::change_entries`], without an index.
    pub(crate) async fn change_entry(
        &self,
        owner: Owner,
        change: OperationChange,
        facts: &Facts,
    ) -> Result<Committed, Refusal> {
        let mut problems = Vec::new();
        check_change(&change, None, "", &mut problems);
        refuse_any(problems)?;
        self.write(owner, vec![change], None, facts).await.map_err(Refusal::alone)
    }

    /// Carries out all changes, or none.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming every wrong value, [`Refusal::At`] the first change that was refused, and those of
    /// a write.
    pub(crate) async fn change_entries(
        &self,
        owner: Owner,
        changes: Vec<OperationChange>,
        import_id: Option<ImportId>,
        facts: &Facts,
    ) -> Result<Committed, Refusal> {
        let mut problems = Vec::new();
        if changes.is_empty() || changes.len() > limits::OPERATION_RECORDS_MAX {
            let detail = format!("1 to {} changes", limits::OPERATION_RECORDS_MAX);
            problems.push(FieldProblem { pointer: "/changes".into(), detail });
        } else {
            for (i, change) in changes.iter().enumerate() {
                check_change(change, import_id, &format!("/changes/{i}"), &mut problems);
            }
        }
        refuse_any(problems)?;
        self.write(owner, changes, import_id, facts).await
    }

    async fn write(
        &self,
        owner: Owner,
        changes: Vec<OperationChange>,
        import_id: Option<ImportId>,
        facts: &Facts,
    ) -> Result<Committed, Refusal> {
        let mut audit = Vec::with_capacity(changes.len() + 1);
        let row = |action, id| self.audit(facts, Told::owner(owner.vault_id, action, id));
        if import_id.is_some() {
            audit.push(row(Action::Import, None));
        }
        for change in &changes {
            audit.push(match change {
                OperationChange::Create { id, .. } => row(Action::EntryCreate, Some(*id)),
                OperationChange::Update { id, .. } => row(Action::EntryUpdate, Some(*id)),
                OperationChange::Delete { id, .. } => row(Action::EntryDelete, Some(*id)),
            });
        }
        let changes: Vec<Change> =
            changes.into_iter().map(|change| self.at_rest(owner, change, import_id)).collect();
        let expected = expects(&changes);
        let operation = Operation { changes, audit, ..Operation::default() };
        self.store.write(operation).await.map_err(|error| self.refusal(error, &expected))
    }

    fn at_rest(&self, owner: Owner, change: OperationChange, import_id: Option<ImportId>) -> Change {
        let keys = self.keys.get();
        let seal = |id, version, entry: Box<Entry>| {
            let entry = Entry { import_id: import_id.or(entry.import_id), ..*entry };
            Some(content::seal(&keys, owner.vault_id, id, version, entry))
        };
        let (id, expect, content) = match change {
            OperationChange::Create { id, entry } => (id, Expect::Absent, seal(id, Version::FIRST, entry)),
            OperationChange::Update { id, if_version, entry } => {
                (id, Expect::Version(if_version), seal(id, if_version.next(), entry))
            }
            OperationChange::Delete { id, if_version } => (id, Expect::Version(if_version), None),
        };
        Change { id, vault_id: owner.vault_id, kind: Kind::ENTRY, expect, content }
    }

    /// Reads one entry. Its audit row is durable before this returns.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], alike for absent, deleted and elsewhere; [`Refusal::AuditUnavailable`].
    pub(crate) async fn read_entry(
        &self,
        owner: Owner,
        id: RecordId,
        facts: &Facts,
    ) -> Result<EntryAnswer, Refusal> {
        let stored = self.store.get(owner.vault_id, id)?;
        let living = stored.map(|s| s.record).filter(|r| r.kind == Kind::ENTRY && !r.deleted);
        let opened = living.map(|record| -> Result<_, Refusal> {
            let entry = content::open(&self.keys.get(), &record)?;
            Ok(EntryAnswer { id, version: record.version, updated_at_ms: record.updated_at_ms, entry })
        });
        let answer = opened.transpose()?;
        let outcome = if answer.is_some() { Outcome::Ok } else { Outcome::NotFound };
        let told = Told {
            vault_id: owner.vault_id,
            actor: Actor::Owner,
            action: Action::EntryRead,
            outcome,
            record_id: Some(id),
        };
        self.audit_now(facts, told).await?;
        answer.ok_or(Refusal::NotFound)
    }
}

fn refuse_any(problems: Vec<FieldProblem>) -> Result<(), Refusal> {
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
}

/// Notes what is wrong with a change; `at` is the pointer to it, or empty where the body is the entry itself.
fn check_change(
    change: &OperationChange,
    import_id: Option<ImportId>,
    at: &str,
    problems: &mut Vec<FieldProblem>,
) {
    let (id, version, entry) = match change {
        OperationChange::Create { id, entry } => (*id, Some(Version::FIRST), Some(entry)),
        OperationChange::Update { id, if_version, entry } => (*id, next(*if_version), Some(entry)),
        OperationChange::Delete { id, if_version } => (*id, next(*if_version), None),
    };
    let mut bad = |pointer: String, detail: String| problems.push(FieldProblem { pointer, detail });
    if id == RecordId::NIL {
        bad(format!("{at}/id"), "not the nil id".into());
    }
    let Some(version) = version else {
        bad(format!("{at}/if_version"), "a version that an entry can have, from 1".into());
        return;
    };
    let Some(entry) = entry else { return };
    let entry_at = if at.is_empty() { String::new() } else { format!("{at}/entry") };
    for problem in entry.check().err().unwrap_or_default() {
        bad(format!("{entry_at}{}", problem.pointer), problem.detail);
    }
    for (i, field) in entry.sealed.iter().enumerate() {
        if !(Version::FIRST..=version).contains(&field.sealed_at) {
            let detail = format!("sealed at a version from 1 to {version}, the one that this write makes");
            bad(format!("{entry_at}/sealed/{i}/sealed_at"), detail);
        }
    }
    if import_id.is_some() && entry.import_id.is_some_and(|own| Some(own) != import_id) {
        bad(format!("{entry_at}/import_id"), "the import id of the operation, or none".into());
    }
}

fn next(version: Version) -> Option<Version> {
    (version >= Version::FIRST && version < Version(i64::MAX as u64)).then(|| version.next())
}
