//! Readers of other managers' exports: bytes in, entries and a report out.
//!
//! Pure: no file, no network, no clock, no randomness. Whatever a source holds either lands in a draft or is named in
//! the report by its path and a reason; a value is never repeated in a report or an error.
//!
//! Deliberately absent: finding duplicates in a vault and writing to one, which is the command line's work.

mod builder;
mod error;
mod json;
mod model;
mod report;
mod walk;

pub mod bitwarden;

pub use builder::estimated_bytes;
pub use error::ImportError;
pub use model::{Import, ImportedEntry, Options};
pub use report::{Level, Report, ReportLine};
