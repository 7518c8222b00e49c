//! Walking one TOML table while collecting problems with their lines. Knows no key by itself.

use std::ops::Range;

use clavitor_core::edition::ConfigProblem;
use serde::de::IntoDeserializer as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The problems found so far, and the text that their lines count in.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<ConfigProblem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Notes a problem at a place of the text.
    pub(super) fn at(&mut self, span: &Range<usize>, what: impl Into<String>, remedy: impl Into<String>) {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        self.found.push(ConfigProblem {
            line,
            what: what.into(),
            remedy: remedy.into(),
            other_edition: false,
        });
    }

    /// All problems in the order of their lines.
    pub(super) fn into_sorted(mut self) -> Vec<ConfigProblem> {
        self.found.sort_by_key(|problem| problem.line);
        self.found
    }
}

/// A value and where it stands.
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// One table: which keys it may have, and what it is called in sentences.
pub(super) struct Section<'a, 't> {
    name: String,
    table: &'a DeTable<'t>,
    /// Where the table stands, for what is missing in it.
    pub(super) span: Range<usize>,
}

impl<'a, 't> Section<'a, 't> {
    /// Opens a table and reports the keys that it must not have.
    pub(super) fn open(
        name: &str,
        value: &'a Spanned<DeValue<'t>>,
        known: &[&str],
        problems: &mut Problems<'_>,
    ) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            problems.at(&value.span(), format!("{name} is not a table"), format!("write it as [{name}]"));
            return None;
        };
        for key in table.keys() {
            let key_text = key.get_ref().as_ref();
            if !known.contains(&key_text) {
                problems.at(
                    &key.span(),
                    format!("{name} has no key {key_text:?}"),
                    suggestion(key_text, known),
                );
            }
        }
        Some(Self { name: name.to_owned(), table, span: value.span() })
    }

    /// The raw value under a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'t>>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// A text under a key; absent is no problem.
    pub(super) fn text(&self, key: &str, problems: &mut Problems<'_>) -> Option<Found<String>> {
        let value = self.get(key)?;
        if let DeValue::String(text) = value.get_ref() {
            return Some(Found { value: text.clone().into_owned(), span: value.span() });
        }
        let what = format!("{}.{key} is not a text", self.name);
        problems.at(&value.span(), what, format!("write {key} = \"…\""));
        None
    }

    /// A text under a key that must stand.
    pub(super) fn required(
        &self,
        key: &str,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Found<String>> {
        if self.get(key).is_none() {
            let what = format!("{} has no {key}", self.name);
            problems.at(&self.span, what, format!("add {key} = \"{example}\""));
        }
        self.text(key, problems)
    }

    /// Turns a text into a value, or notes why it is none.
    pub(super) fn convert<T>(
        &self,
        key: &str,
        found: Option<Found<String>>,
        problems: &mut Problems<'_>,
        convert: impl FnOnce(&str) -> Result<T, (String, String)>,
    ) -> Option<Found<T>> {
        let found = found?;
        match convert(&found.value) {
            Ok(value) => Some(Found { value, span: found.span }),
            Err((what, remedy)) => {
                problems.at(&found.span, format!("{}.{key} {what}", self.name), remedy);
                None
            }
        }
    }

    /// One of a few words, read by the type's own serde names.
    pub(super) fn word<T: for<'de> serde::Deserialize<'de>>(
        &self,
        key: &str,
        words: &[&str],
        problems: &mut Problems<'_>,
    ) -> Option<Found<T>> {
        let found = self.required(key, words[0], problems);
        self.convert(key, found, problems, |text| {
            let deserializer: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
                text.into_deserializer();
            let refusal = || ("is not a known word".to_owned(), format!("use one of: {}", words.join(", ")));
            T::deserialize(deserializer).map_err(|_| refusal())
        })
    }
}

/// What to do about an unknown key.
fn suggestion(key: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(key, word), *word))
        .filter(|(distance, word)| *distance <= 2.max(word.len() / 3))
        .min();
    match near {
        Some((_, word)) => format!("did you mean {word:?}?"),
        None => format!("remove it; known here: {}", known.join(", ")),
    }
}
