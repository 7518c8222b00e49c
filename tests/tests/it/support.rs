//! What the tests share: the binary, the edition, and entries to write.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::{EntryType, FieldKind};
use clavitor_tests::harness::{Links, PASSPHRASE, TestCluster};

/// The binary of the edition that is built.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_clavitor-under-test");

/// Whether that is the commercial edition.
pub(crate) fn commercial() -> bool {
    clavitor_server::edition::NAME == "commercial"
}

/// A running cell with a vault; `None`, said loudly, in the edition that has none.
#[expect(clippy::print_stderr, reason = "a test that cannot run here says so")]
pub(crate) async fn cell(backups: usize, links: Links) -> Result<Option<TestCluster>> {
    if !commercial() {
        eprintln!("SKIPPED: this is the community edition, which has no cells");
        return Ok(None);
    }
    Ok(Some(TestCluster::start(BINARY, backups, links).await?))
}

/// A log-in with a password.
pub(crate) fn login(title: &str, password: &str) -> EntryDraft {
    let mut draft = EntryDraft::new(EntryType::Login, title);
    draft.username = "ann@mail.example".into();
    draft.urls = vec!["https://mail.example/login".into()];
    draft.push("password", FieldKind::Password, password.to_owned());
    draft
}

/// The password of an opened log-in.
pub(crate) fn password(draft: &EntryDraft) -> Option<&str> {
    draft.field("password").map(|field| field.value.expose())
}

/// A file with the passphrase of the tests, which only its owner can read.
pub(crate) fn passphrase_file(folder: &Path) -> Result<PathBuf> {
    secret_file(folder, "passphrase", PASSPHRASE)
}

/// A file with a secret, which only its owner can read.
pub(crate) fn secret_file(folder: &Path, name: &str, secret: &str) -> Result<PathBuf> {
    let file = folder.join(name);
    std::fs::write(&file, secret)?;
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have names in UTF-8")
}
