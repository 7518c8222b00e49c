//! Group commit: one transaction and one fsync for all that waits, a savepoint for each operation, and after the
//! COMMIT, in this one place: publish the head, tell the observer, answer the callers.

use clavitor_core::change::WriteError;
use clavitor_core::replica::{Applied, ApplyError, CommitObserver};

use crate::cursors::{self, Unsaved};
use crate::meta::{self, State};
use crate::prepare::Work;
use crate::writer::{Job, Reply, Writer};

/// Why one operation of a group was not carried out.
pub(crate) enum Refusal {
    /// It may not.
    Apply(ApplyError),
    /// SQLite could not.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        Self::Apply(ApplyError::Write(error))
    }
}

impl From<ApplyError> for Refusal {
    fn from(error: ApplyError) -> Self {
        Self::Apply(error)
    }
}

type Answer = (Reply, Result<Applied, ApplyError>);

impl Writer {
    /// Commits one group and answers everyone in it.
    pub(crate) fn commit_group(&mut self, group: &mut Vec<Job>, observer: &dyn CommitObserver) {
        let committed = self.state.clone();
        let unsaved = self.shared.cursors().unsaved();
        let mut answers = Vec::with_capacity(group.len());
        let wrote = match self.transact(group, &mut answers, &committed, &unsaved) {
            Ok(wrote) => wrote,
            Err(error) => {
                self.state = committed;
                self.roll_back_all();
                tracing::error!(event = "commit_failed", %error, "a group of writes was not committed");
                return fail_all(answers, group, &disk(&error));
            }
        };
        self.shared.count(answers.len(), wrote);
        if wrote {
            self.shared.cursors().saved(&unsaved);
            if self.shared.publish(&self.state) {
                observer.committed(self.state.heads.seq);
            }
        }
        for (reply, result) in answers {
            reply.send(result);
        }
    }

    /// Writes the cursors that the disk does not have, outside any group.
    pub(crate) fn flush_cursors(&mut self) -> rusqlite::Result<()> {
        let unsaved = self.shared.cursors().unsaved();
        if unsaved.is_empty() {
            return Ok(());
        }
        self.execute("BEGIN IMMEDIATE")?;
        cursors::save(&self.db, &unsaved)?;
        self.execute("COMMIT")?;
        self.shared.cursors().saved(&unsaved);
        Ok(())
    }

    /// Runs the group in one transaction; returns whether anything was written.
    ///
    /// An error means that nothing of the group is on disk, whatever `answers` says so far.
    fn transact(
        &mut self,
        group: &mut Vec<Job>,
        answers: &mut Vec<Answer>,
        committed: &State,
        unsaved: &Unsaved,
    ) -> rusqlite::Result<bool> {
        self.execute("BEGIN IMMEDIATE")?;
        let (mut wrote, mut flush) = (false, false);
        for Job { work, reply } in group.drain(..) {
            flush |= matches!(work, Work::FlushCursors);
            answers.push((reply, Err(ApplyError::Write(WriteError::Closed))));
            let rows_before = self.db.total_changes();
            let result = self.under_savepoint(work)?;
            wrote |= result.is_ok() && self.db.total_changes() > rows_before;
            answers.last_mut().expect("pushed above").1 = result;
        }
        wrote |= self.state != *committed;
        meta::save(&self.db, committed, &self.state)?;
        if (wrote || flush) && !unsaved.is_empty() {
            cursors::save(&self.db, unsaved)?;
            wrote = true;
        }
        self.execute("COMMIT")?;
        Ok(wrote)
    }

    /// Carries out one write; if it is refused, nothing of it remains, in the transaction or in memory.
    ///
    /// An error means that the transaction itself is lost.
    fn under_savepoint(&mut self, work: Work) -> rusqlite::Result<Result<Applied, ApplyError>> {
        let before = self.state.clone();
        self.execute("SAVEPOINT operation")?;
        let refusal = match self.carry_out(work) {
            Ok(applied) => {
                self.execute("RELEASE operation")?;
                return Ok(Ok(applied));
            }
            Err(refusal) => refusal,
        };
        self.state = before;
        if self.db.is_autocommit() {
            // SQLite has already rolled back the whole transaction, as it does when the disk is full.
            return Err(match refusal {
                Refusal::Sqlite(error) => error,
                Refusal::Apply(_) => rusqlite::Error::InvalidQuery,
            });
        }
        self.execute("ROLLBACK TO operation")?;
        self.execute("RELEASE operation")?;
        Ok(Err(match refusal {
            Refusal::Apply(error) => error,
            Refusal::Sqlite(error) => {
                tracing::error!(event = "write_failed", %error, "one operation was not written");
                ApplyError::Write(disk(&error))
            }
        }))
    }

    fn carry_out(&mut self, work: Work) -> Result<Applied, Refusal> {
        match work {
            Work::Operation(operation) => self.operate(operation).map(Applied::Committed),
            Work::Apply(batch) => self.apply(batch),
            Work::Adopt(adopt) => self.adopt(adopt).map(|()| Applied::Done),
            Work::FlushCursors => Ok(Applied::Done),
        }
    }

    /// Ends a transaction that failed, if SQLite has not done so already.
    fn roll_back_all(&self) {
        if !self.db.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(event = "rollback_failed", %error, "a failed transaction could not be ended");
        }
    }

    fn execute(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([]).map(|_| ())
    }
}

/// Answers everyone of a group whose transaction was lost, and those whose turn had not come.
fn fail_all(answers: Vec<Answer>, group: &mut Vec<Job>, error: &WriteError) {
    let waiting = group.drain(..).map(|job| job.reply);
    for reply in answers.into_iter().map(|(reply, _)| reply).chain(waiting) {
        reply.send(Err(ApplyError::Write(error.clone())));
    }
}

fn disk(error: &rusqlite::Error) -> WriteError {
    WriteError::Disk(error.to_string())
}
