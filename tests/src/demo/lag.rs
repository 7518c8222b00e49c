//! How long a write takes to be readable on a backup: from before the call on the primary until a busy read sees it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clavitor_client::{ListRequest, OpenVault};
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
        self.arrived(title, Version::FIRST, began).await?;
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
        self.arrived(&entry.draft.title, written.version, began).await
    }

    async fn arrived(&self, title: &str, version: Version, began: Instant) -> Result<[Duration; 2]> {
        let [first, second] = self.backups;
        let both =
            tokio::join!(arrival(first, title, version, began), arrival(second, title, version, began));
        Ok([both.0?, both.1?])
    }
}

/// Asks the backup until it shows the version, and says how long that took.
///
/// It asks for the row of a list, which a node answers without writing. The read of the entry itself commits an audit row
/// first: on an idle backup that is fair, but asked again and again it would compete with the very change it waits for.
async fn arrival(backup: &OpenVault, title: &str, version: Version, began: Instant) -> Result<Duration> {
    let request = ListRequest { limit: Some(1), title: Some(title.to_owned()), ..ListRequest::default() };
    loop {
        let page = backup.list(&request).await?;
        if page.items.first().is_some_and(|row| row.version >= version) {
            return Ok(began.elapsed());
        }
    }
}
