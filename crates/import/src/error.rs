//! Why a file cannot be read at all. Places are paths, lines and offsets; a value of the file is never repeated.

use clavitor_core::limits;
use thiserror::Error;

/// A file that was not read. Nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportError {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// More than [`limits::IMPORT_BYTES_MAX`].
    #[error("the file has {bytes} bytes, more than the {max} that are read", max = limits::IMPORT_BYTES_MAX)]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// Not text.
    #[error("the file is not UTF-8 text: byte {at} is not part of any character")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        at: usize,
    },
    /// Text, but in two-byte units.
    #[error("the file is UTF-16 text, and only UTF-8 is read")]
    Utf16,
    /// An archive.
    #[error("the file is a ZIP archive, and archives are not read yet")]
    Zip,
    /// A table instead of JSON.
    #[error("the file is a CSV export, and CSV is not read yet")]
    Csv,
    /// Bitwarden, protected by a password.
    #[error("the file is a Bitwarden export that is encrypted with a password, and those are not read yet")]
    EncryptedWithPassword,
    /// Bitwarden, encrypted under the key of the account that exported it.
    #[error("the file is a Bitwarden export that only the account which made it can ever open")]
    AccountRestricted,
    /// JSON of something else.
    #[error("the file is JSON, but not a Bitwarden export: {missing}")]
    NotBitwarden {
        /// What a Bitwarden export would have.
        missing: &'static str,
    },
    /// Neither JSON nor anything else that is known.
    #[error("the file is not a known export: it is not JSON")]
    Unknown,
    /// Broken JSON.
    #[error("the JSON is broken at line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON that ends too early.
    #[error("the JSON ends in the middle, at line {line}: the file was cut off")]
    CutOff {
        /// From 1.
        line: usize,
    },
    /// Nested more deeply than [`limits::IMPORT_DEPTH_MAX`].
    #[error("the JSON is nested more than {max} deep, at line {line}, column {column}", max = limits::IMPORT_DEPTH_MAX)]
    TooDeep {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// More values than [`limits::IMPORT_VALUES_MAX`].
    #[error("the JSON holds more than {max} values", max = limits::IMPORT_VALUES_MAX)]
    TooManyValues,
    /// More items than [`limits::IMPORT_ENTRIES_MAX`].
    #[error("the file holds {count} items, more than the {max} of one import", max = limits::IMPORT_ENTRIES_MAX)]
    TooManyEntries {
        /// How many.
        count: usize,
    },
    /// A value that the whole file hangs on has another type.
    #[error("{path} should be {expected}")]
    WrongType {
        /// Where, such as `items`.
        path: &'static str,
        /// What was expected, such as `a list`.
        expected: &'static str,
    },
}

impl ImportError {
    /// What to do about it: one sentence.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Empty | Self::CutOff { .. } | Self::Syntax { .. } | Self::NotUtf8 { .. } => {
                "Make the export again; nothing was imported."
            }
            Self::TooLarge { .. } | Self::TooManyEntries { .. } | Self::TooManyValues => {
                "Export one folder or collection at a time; nothing was imported."
            }
            Self::Utf16 => "Save the file as UTF-8; nothing was imported.",
            Self::Zip => "Export as .json without attachments; nothing was imported.",
            Self::Csv => {
                "Export as .json, which also holds cards, identities and keys; nothing was imported."
            }
            Self::EncryptedWithPassword => {
                "A later version reads it; until then export as .json (not encrypted). Nothing was imported."
            }
            Self::AccountRestricted => {
                "Export again as .json, not as encrypted JSON restricted to the account; nothing was imported."
            }
            Self::NotBitwarden { .. } | Self::Unknown | Self::WrongType { .. } => {
                "Export from Bitwarden with the file format .json; nothing was imported."
            }
            Self::TooDeep { .. } => {
                "No export is nested so deeply: check where the file comes from. Nothing was imported."
            }
        }
    }
}
