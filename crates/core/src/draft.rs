//! An entry as its owner knows it: every value open. It exists only where the keys are, and dies zeroized.

use crate::entry::{EntryType, FieldId, FieldKind, Tier};
use crate::secret::SecretText;

/// One field with its value.
#[derive(Debug)]
pub struct DraftField {
    /// Its number, where the entry has been sealed before; a new field has none.
    pub id: Option<FieldId>,
    /// Its name as people read it.
    pub name: String,
    /// What its value is.
    pub kind: FieldKind,
    /// Who may open it; at least [`FieldKind::tier_min`].
    pub tier: Tier,
    /// The value.
    pub value: SecretText,
}

/// An entry to be sealed, or one that has been opened.
#[derive(Debug)]
pub struct EntryDraft {
    /// What it is about.
    pub entry_type: EntryType,
    /// The title.
    pub title: String,
    /// URLs.
    pub urls: Vec<String>,
    /// The user name.
    pub username: String,
    /// Tags.
    pub tags: Vec<String>,
    /// The folder, nested by `/`; empty for none.
    pub folder: String,
    /// Whether it is a favourite.
    pub favorite: bool,
    /// When it was created, by the source's clock, in milliseconds; 0 for unknown.
    pub created_at_ms: u64,
    /// Its fields, in the order in which people see them.
    pub fields: Vec<DraftField>,
}

impl EntryDraft {
    /// An empty entry of a type.
    pub fn new(entry_type: EntryType, title: impl Into<String>) -> Self {
        Self {
            entry_type,
            title: title.into(),
            urls: Vec::new(),
            username: String::new(),
            tags: Vec::new(),
            folder: String::new(),
            favorite: false,
            created_at_ms: 0,
            fields: Vec::new(),
        }
    }

    /// Adds a field in the least tier of its kind.
    pub fn push(&mut self, name: impl Into<String>, kind: FieldKind, value: String) {
        let tier = kind.tier_min();
        self.fields.push(DraftField {
            id: None,
            name: name.into(),
            kind,
            tier,
            value: SecretText::new(value),
        });
    }

    /// The first field of a kind.
    pub fn field_of(&self, kind: FieldKind) -> Option<&DraftField> {
        self.fields.iter().find(|f| f.kind == kind)
    }

    /// The field of a name, compared without case.
    pub fn field(&self, name: &str) -> Option<&DraftField> {
        self.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name))
    }
}
