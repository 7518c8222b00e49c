//! Fills one draft within the limits of `core`: what does not fit is reported, never cut in silence.

use clavitor_core::draft::{DraftField, EntryDraft};
use clavitor_core::entry::{EntryType, FieldKind, Tier};
use clavitor_core::limits;
use clavitor_core::secret::SecretText;
use zeroize::Zeroizing;

use crate::json::Json;
use crate::report::Level;
use crate::walk::{Leftover, Scope, reason};

/// What sealing adds to a value: nonce, tag, header. The real figure is below 64.
const SEAL_BYTES: usize = 256;
/// What a field costs beside its name and value: its place in the vault tier, in the sealed list and in the manifest.
const FIELD_OVERHEAD_BYTES: usize = 512;
/// What an entry costs beside its texts: keys, manifest, lookups, record.
const ENTRY_OVERHEAD_BYTES: usize = 4 * 1024;
/// What a URL or tag costs beside its text, a lookup included.
const ITEM_OVERHEAD_BYTES: usize = 128;

/// The field that keeps what no rule took.
const OTHER: &str = "other";
const SHORTENED: &str =
    "longer than a name may be; shortened, the whole of it is kept in the field \"other\"";

/// At least the bytes of the record that a draft will be sealed into.
pub fn estimated_bytes(draft: &EntryDraft) -> usize {
    let listed = |texts: &[String]| texts.iter().map(|t| t.len() + ITEM_OVERHEAD_BYTES).sum::<usize>();
    let fields: usize = draft.fields.iter().map(|f| field_bytes(f.name.len(), f.value.expose().len())).sum();
    let texts = draft.title.len() + draft.username.len() + draft.folder.len();
    ENTRY_OVERHEAD_BYTES + texts + listed(&draft.urls) + listed(&draft.tags) + fields
}

const fn field_bytes(name: usize, value: usize) -> usize {
    2 * name + value + FIELD_OVERHEAD_BYTES
}

/// A text cut to at most `bytes_max` bytes, at the end of a character.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A draft that is being filled.
pub(crate) struct Builder<'s, 'c> {
    pub(crate) scope: &'s Scope<'c>,
    draft: EntryDraft,
    bytes: usize,
}

impl<'s, 'c> Builder<'s, 'c> {
    /// An empty draft.
    pub(crate) fn new(scope: &'s Scope<'c>, entry_type: EntryType) -> Self {
        let draft = EntryDraft::new(entry_type, "");
        let bytes = estimated_bytes(&draft);
        Self { scope, draft, bytes }
    }

    fn room_for(&mut self, bytes: usize) -> bool {
        let fits = self.bytes + bytes <= limits::RECORD_BYTES_MAX;
        if fits {
            self.bytes += bytes;
        }
        fits
    }

    /// A text for a name-like place, shortened where it must be; the whole is then left over.
    pub(crate) fn short(&self, path: &str, mut text: Zeroizing<String>) -> String {
        if text.len() <= limits::TITLE_BYTES_MAX {
            return std::mem::take(&mut *text);
        }
        let shortened = cut(&text, limits::TITLE_BYTES_MAX).to_owned();
        self.scope.leave(path.to_owned(), SHORTENED, Json::Text(text));
        shortened
    }

    /// Sets the title.
    pub(crate) fn title(&mut self, path: &str, text: Zeroizing<String>) {
        let title = self.short(path, text);
        self.bytes += title.len();
        self.draft.title = title;
    }

    /// Sets the folder.
    pub(crate) fn folder(&mut self, path: &str, text: Zeroizing<String>) {
        let folder = self.short(path, text);
        self.bytes += folder.len();
        self.draft.folder = folder;
    }

    /// Adds a tag, once.
    pub(crate) fn tag(&mut self, path: &str, text: Zeroizing<String>) {
        let tag = self.short(path, text);
        if self.draft.tags.contains(&tag) {
            return;
        }
        if self.draft.tags.len() < limits::TAGS_MAX && self.room_for(tag.len() + ITEM_OVERHEAD_BYTES) {
            self.draft.tags.push(tag);
        } else {
            self.field(path, "tag", FieldKind::Text, Tier::Vault, Zeroizing::new(tag));
        }
    }

    /// Sets the user name, or adds a field of that name where one is set.
    pub(crate) fn username(&mut self, path: &str, mut text: Zeroizing<String>) {
        let fits = self.draft.username.is_empty() && text.len() <= limits::VAULT_VALUE_BYTES_MAX;
        if fits && self.room_for(text.len()) {
            self.draft.username = std::mem::take(&mut *text);
        } else {
            self.field(path, "username", FieldKind::Text, Tier::Credential, text);
        }
    }

    /// Adds a URL; one too many or too long becomes a field.
    pub(crate) fn url(&mut self, path: &str, mut text: Zeroizing<String>) {
        let fits = self.draft.urls.len() < limits::URLS_MAX && text.len() <= limits::VAULT_VALUE_BYTES_MAX;
        if fits && self.room_for(text.len() + ITEM_OVERHEAD_BYTES) {
            self.draft.urls.push(std::mem::take(&mut *text));
        } else {
            self.field(path, "url", FieldKind::Url, Tier::Credential, text);
        }
    }

    /// How many URLs there are.
    pub(crate) fn urls(&self) -> usize {
        self.draft.urls.len()
    }

    /// Marks it as a favourite.
    pub(crate) fn favorite(&mut self) {
        self.draft.favorite = true;
    }

    /// Says when the source made it.
    pub(crate) fn created_at_ms(&mut self, ms: u64) {
        self.draft.created_at_ms = ms;
    }

    /// Whether a field of these lengths has room.
    fn fits(&self, name: usize, value: usize) -> bool {
        value + SEAL_BYTES <= limits::FIELD_BYTES_MAX
            && self.draft.fields.len() < limits::FIELDS_MAX
            && self.bytes + field_bytes(name, value) <= limits::RECORD_BYTES_MAX
    }

    fn push(&mut self, name: &str, kind: FieldKind, tier: Tier, mut value: Zeroizing<String>) {
        self.bytes += field_bytes(name.len(), value.len());
        let value = SecretText::new(std::mem::take(&mut *value));
        self.draft.fields.push(DraftField { id: None, name: name.to_owned(), kind, tier, value });
    }

    /// Adds a field in `tier`, or in the least tier of its kind where that is higher. Answers whether it had room;
    /// where not, that has been reported.
    pub(crate) fn field(
        &mut self,
        path: &str,
        name: &str,
        kind: FieldKind,
        tier: Tier,
        value: Zeroizing<String>,
    ) -> bool {
        let mut tier = tier.max(kind.tier_min());
        if tier == Tier::Vault && value.len() > limits::VAULT_VALUE_BYTES_MAX {
            tier = Tier::Credential;
        }
        let name = cut(name, limits::TITLE_BYTES_MAX);
        let fits = self.fits(name.len(), value.len());
        if fits {
            self.push(name, kind, tier, value);
        } else {
            self.scope.note(Level::Dropped, path, reason::TOO_LARGE);
        }
        fits
    }

    /// Puts all that is left over into one JSON field of the identity tier, and reports each path. Where one field
    /// cannot hold it, each value gets its own as far as there is room.
    pub(crate) fn keep_leftovers(&mut self, prefix: &str) {
        let leftovers = self.scope.take_leftovers();
        let mut parts = Vec::with_capacity(leftovers.len());
        for Leftover { path, reason, value } in leftovers {
            let shown = path.strip_prefix(prefix).unwrap_or(&path).to_owned();
            let members =
                vec![("path".to_owned(), Json::Text(Zeroizing::new(shown))), ("value".to_owned(), value)];
            parts.push((path, reason, Json::Object(members).to_line()));
        }
        let whole: usize = parts.iter().map(|(_, _, line)| line.len() + 1).sum();
        let per_group = if self.fits(OTHER.len(), whole + 1) { parts.len().max(1) } else { 1 };
        for group in parts.chunks(per_group) {
            let lines: Vec<&str> = group.iter().map(|(_, _, line)| line.as_str()).collect();
            let value = Zeroizing::new(format!("[{}]", lines.join(",")));
            let kept = self.fits(OTHER.len(), value.len());
            if kept {
                self.push(OTHER, FieldKind::Json, Tier::Identity, value);
            }
            for (path, reason, _) in group {
                if kept {
                    self.scope.note(Level::Moved, path, reason);
                } else {
                    self.scope.note(Level::Dropped, path, reason::TOO_LARGE);
                }
            }
        }
    }

    /// The draft.
    pub(crate) fn finish(self) -> EntryDraft {
        self.draft
    }
}
