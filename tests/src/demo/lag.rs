//! How long a write takes to be readable on a backup: from before the call on the primary until a busy read sees it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clavitor_client::{ClientError, OpenVault};
use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::{EntryType, FieldKind};
use clavitor_core::ids::RecordId;
use clavitor_core::order::Version;
use tokio::time::Instant;

/// One vault, open on the primary and on two backups.
pub(super) struct Watched<'a> {
    /// Where writes go.
    pub(super) primary: &'a OpenVault,
    /// Where they must arrive.
    pub(super) backups: [&'a OpenVault; 2],
}

impl Watched<'_> {
    /// Creates an entry and waits until both backups show it.
    ///
    /// # Errors
    /// When a node refuses, or does not answer.
    pub(super) async fn create(&self, title: &str) -> Result<RecordId> {
        let mut draft = EntryDraft::new(EntryType::Login, title);
        draft.push("password", FieldKind::Password, "changed two hundred times".to_owned());
        let began = Instant::now();
        let id = self.primary.create(&draft).await?.id;
        self.arrived(id, Version::FIRST, began).await?;
        Ok(id)
    }

    /// Changes an entry and measures when each backup shows that version.
    ///
    /// # Errors
    /// When a node refuses, or does not answer.
    pub(super) async fn change(&self, id: RecordId, value: &str) -> Result<[Duration; 2]> {
        let mut entry = self.primary.get(id).await?;
        let password = entry.draft.fields.first_mut().context("the entry has its password")?;
        password.value = clavitor_core::secret::SecretText::new(value.to_owned());
        let began = Instant::now();
        let written = self.primary.update(&entry).await?;
        self.arrived(id, written.version, began).await
    }

    async fn arrived(&self, id: RecordId, version: Version, began: Instant) -> Result<[Duration; 2]> {
        let [first, second] = self.backups;
        let (first, second) =
            tokio::join!(arrival(first, id, version, began), arrival(second, id, version, began));
        Ok([first?, second?])
    }
}

/// Reads until the backup shows the version, and says how long that took.
async fn arrival(backup: &OpenVault, id: RecordId, version: Version, began: Instant) -> Result<Duration> {
    loop {
        match backup.get(id).await {
            Ok(entry) if entry.version >= version => return Ok(began.elapsed()),
            Ok(_) | Err(ClientError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
