//! Which situations a run has been in, so that a test can show that each is reached.

/// A situation worth reaching; the first ten are crash points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Situation {
    /// Crash with operations waiting for their COMMIT.
    CrashBeforeCommit,
    /// Crash after COMMIT, before the signal.
    CrashBeforeSignal,
    /// Crash after the signal, before the client's answer.
    CrashBeforeAnswer,
    /// Crash of the worker woken, before it read.
    CrashBeforeRead,
    /// Crash after reading, before sending.
    CrashBeforeSend,
    /// Crash of a backup to which a request was sent, before it began.
    CrashBeforeBegin,
    /// Crash of a backup in mid-transaction.
    CrashMidTransaction,
    /// Crash of a backup after COMMIT; the acknowledgement is lost.
    CrashAckLost,
    /// Crash of a primary that received an acknowledgement and has not stored it.
    CrashAckNotStored,
    /// Crash of a primary before its start check.
    CrashBeforeStart,
    /// A link opened before the start check.
    LinkBeforeStart,
    /// A link opened during a request.
    LinkDuringRequest,
    /// A batch of an older session was refused.
    OldSession,
    /// A message met an unfinished batch.
    Busy,
    /// A member was removed while a request was under way.
    RemovedDuringRequest,
    /// A signal was lost between commit and sleep.
    SignalLost,
    /// A backup came back with an older copy.
    BackupRestored,
    /// The primary came back with an older copy.
    PrimaryRestored,
    /// The retries were used up.
    Parked,
    /// A copy was found to differ.
    Diverged,
    /// A lower epoch was refused.
    Fenced,
    /// A batch did not reach the head, so another followed.
    SeveralBatches,
    /// The alert of a lost link was told.
    LinkAlerted,
    /// A backup without a link was greeted though nothing was dirty.
    GreetedWithoutLink,
    /// A message was delivered twice.
    Duplicated,
    /// The wall clock jumped.
    ClockJumped,
}

impl Situation {
    /// All of them, in their order.
    pub const ALL: [Self; 26] = [
        Self::CrashBeforeCommit,
        Self::CrashBeforeSignal,
        Self::CrashBeforeAnswer,
        Self::CrashBeforeRead,
        Self::CrashBeforeSend,
        Self::CrashBeforeBegin,
        Self::CrashMidTransaction,
        Self::CrashAckLost,
        Self::CrashAckNotStored,
        Self::CrashBeforeStart,
        Self::LinkBeforeStart,
        Self::LinkDuringRequest,
        Self::OldSession,
        Self::Busy,
        Self::RemovedDuringRequest,
        Self::SignalLost,
        Self::BackupRestored,
        Self::PrimaryRestored,
        Self::Parked,
        Self::Diverged,
        Self::Fenced,
        Self::SeveralBatches,
        Self::LinkAlerted,
        Self::GreetedWithoutLink,
        Self::Duplicated,
        Self::ClockJumped,
    ];
}

/// How often each situation was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage([u64; Situation::ALL.len()]);

impl Default for Coverage {
    fn default() -> Self {
        Self([0; Situation::ALL.len()])
    }
}

impl Coverage {
    pub(crate) fn note(&mut self, situation: Situation) {
        self.0[situation as usize] += 1;
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// How often one was reached.
    pub fn of(&self, situation: Situation) -> u64 {
        self.0[situation as usize]
    }

    /// Each situation with how often it was reached.
    pub fn iter(&self) -> impl Iterator<Item = (Situation, u64)> + '_ {
        Situation::ALL.iter().map(|situation| (*situation, self.of(*situation)))
    }
}
