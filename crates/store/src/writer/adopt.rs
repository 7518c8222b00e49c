//! The node's place in a cell: which cell, which name, which role.

use clavitor_core::order::{Epoch, Seq};
use clavitor_core::replica::{Adopt, ApplyError, Role};

use crate::writer::group::Refusal;
use crate::writer::operation::set_local;
use crate::writer::{Log, Writer};

impl Writer {
    /// Writes what a joined or newly started member is.
    ///
    /// An empty node may join a cell at any epoch: it has no history that a jump could fence, and whom it joins is pinned.
    /// [`clavitor_core::limits::EPOCH_JUMP_MAX`] is for promotions of members that have one.
    ///
    /// A node with changes of its own keeps its cell and its role: it may only learn its name. Another role for it is
    /// a promotion or a demotion, which go another way.
    pub(crate) fn adopt(&mut self, adopt: Adopt) -> Result<(), Refusal> {
        let Adopt { cell, pop, role, local } = adopt;
        let empty = self.state.heads.seq == Seq::ZERO;
        let place = &self.state.place;
        let another_cell = cell.is_some_and(|cell| cell != place.cell);
        if self.log == Log::None || (!empty && (another_cell || role != place.role)) {
            return Err(ApplyError::WrongRole.into());
        }
        // A history that was minted here and never used bars no other; one that came from a primary stays.
        let unused_own = place.role == Role::Primary && place.history != Epoch::NONE;
        let forget = empty && role == Role::Backup && (another_cell || unused_own);
        let takes_over = empty && role == Role::Primary && place.role == Role::Backup;
        let place = self.state.place_mut();
        place.cell = cell.unwrap_or(place.cell);
        place.pop = Some(pop);
        place.role = role;
        if forget {
            place.epoch_seen = Epoch::NONE;
        }
        if forget || takes_over {
            place.history = Epoch::NONE;
        }
        if role == Role::Primary {
            self.mint_history()?;
        }
        set_local(&self.db, &local)?;
        Ok(())
    }
}
