//! What a reader answers.

use clavitor_core::draft::EntryDraft;

use crate::report::Report;

/// A file, read.
#[derive(Debug)]
pub struct Import {
    /// The format that was found, such as `bitwarden-json`.
    pub format: &'static str,
    /// What can be written, in the order of the file.
    pub entries: Vec<ImportedEntry>,
    /// What did not land, or not as it was.
    pub report: Report,
}

/// One item of the source.
#[derive(Debug)]
pub struct ImportedEntry {
    /// The entry, every value within the limits of `clavitor_core::limits`.
    pub draft: EntryDraft,
    /// Where it comes from, for people: `item 3`.
    pub source: String,
    /// When the source says that it last changed, in milliseconds since 1970.
    pub revised_at_ms: Option<u64>,
}

/// How to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Read what lies in the source's trash too, tagged `trash`; otherwise it is skipped and reported.
    pub with_trash: bool,
}
