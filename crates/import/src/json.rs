//! JSON as a tree that loses nothing: members in their order, repeated keys kept, texts zeroized when dropped.
//!
//! The parser is `serde_json`; the caps against hostile files are ours.

use std::cell::Cell;
use std::fmt;

use clavitor_core::limits;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::error::ImportError;

/// A JSON value.
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(Zeroizing<String>),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Whether there is nothing in it: null, an empty text, or only such things.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(_) | Self::Number(_) => false,
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.iter().all(Self::is_empty),
            Self::Object(members) => members.iter().all(|(_, value)| value.is_empty()),
        }
    }

    /// The value as one line of JSON.
    pub(crate) fn to_line(&self) -> Zeroizing<String> {
        Zeroizing::new(serde_json::to_string(self).expect("a tree with text keys is always writable"))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(members) => serializer.collect_map(members.iter().map(|(key, value)| (key, value))),
        }
    }
}

/// Why the parser stopped for a reason of ours.
#[derive(Clone, Copy, PartialEq)]
enum Stop {
    No,
    Depth,
    Values,
}

/// What one parse has used up.
struct Budget {
    values: Cell<usize>,
    stop: Cell<Stop>,
}

/// Reads the next value, `depth` levels below the top.
#[derive(Clone, Copy)]
struct Value<'b> {
    budget: &'b Budget,
    depth: usize,
}

impl Value<'_> {
    fn inner(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    fn stop<E: serde::de::Error>(self, stop: Stop) -> E {
        self.budget.stop.set(stop);
        E::custom("a cap was reached")
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let used = self.budget.values.get() + 1;
        self.budget.values.set(used);
        if used > limits::IMPORT_VALUES_MAX {
            return Err(self.stop(Stop::Values));
        }
        if self.depth > limits::IMPORT_DEPTH_MAX {
            return Err(self.stop(Stop::Depth));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        serde_json::Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(self.inner())? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            members.push((key, access.next_value_seed(self.inner())?));
        }
        Ok(Json::Object(members))
    }
}

/// Parses a whole text.
///
/// # Errors
/// Broken JSON by line and column, or the cap that it breaks.
pub(crate) fn parse(text: &str) -> Result<Json, ImportError> {
    let budget = Budget { values: Cell::new(0), stop: Cell::new(Stop::No) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Value { budget: &budget, depth: 0 };
    let parsed = seed.deserialize(&mut deserializer).and_then(|json| deserializer.end().map(|()| json));
    parsed.map_err(|error| match budget.stop.get() {
        Stop::Depth => ImportError::TooDeep { line: error.line(), column: error.column() },
        Stop::Values => ImportError::TooManyValues,
        Stop::No if error.is_eof() => ImportError::CutOff { line: error.line() },
        Stop::No => ImportError::Syntax { line: error.line(), column: error.column() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_repeated_keys_and_order() {
        let json = parse(r#"{"b":1,"a":[null,true,"x"],"b":2.5}"#).unwrap();
        assert_eq!(json.to_line().as_str(), r#"{"b":1,"a":[null,true,"x"],"b":2.5}"#);
    }

    #[test]
    fn empty_means_nothing_in_it() {
        for empty in ["null", "\"\"", "[]", "{}", "[null,{\"a\":\"\"}]"] {
            assert!(parse(empty).unwrap().is_empty(), "{empty}");
        }
        for full in ["false", "0", "\" \"", "[0]"] {
            assert!(!parse(full).unwrap().is_empty(), "{full}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion_trouble() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(&deep(limits::IMPORT_DEPTH_MAX)).is_ok());
        for n in [limits::IMPORT_DEPTH_MAX + 2, 100_000, 3_000_000] {
            assert!(matches!(parse(&deep(n)), Err(ImportError::TooDeep { line: 1, .. })), "{n}");
        }
    }

    #[test]
    fn broken_texts_say_where_and_nothing_else() {
        for broken in ["{\"a\": hunter2}", "{\"a\":1} trailing", "[1,]", "{\"a\":1e999}", "\"\u{1}\""] {
            let error = parse(broken).err().unwrap();
            assert!(matches!(error, ImportError::Syntax { line: 1, .. }), "{broken}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        assert_eq!(parse("{\"a\":\n[1").err(), Some(ImportError::CutOff { line: 2 }));
    }
}
