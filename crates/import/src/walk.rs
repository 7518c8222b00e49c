//! Walking a tree so that nothing can be forgotten: a value is taken out, or what remains is noted when its object is
//! dropped.

use std::cell::RefCell;

use zeroize::Zeroizing;

use crate::json::Json;
use crate::report::{Collector, Level, printable_key};

/// Why a value was left over.
pub(crate) mod reason {
    pub(crate) const UNKNOWN: &str = "unknown to this version; kept as JSON in the field \"other\"";
    pub(crate) const REPEATED: &str =
        "given more than once; the last one counts, the others are kept in \"other\"";
    pub(crate) const UNEXPECTED: &str = "not of the expected type; kept as JSON in the field \"other\"";
    pub(crate) const NOWHERE: &str = "unknown to this version; there is no entry to keep it in";
    pub(crate) const TOO_LARGE: &str = "larger than one field or entry may be";
}

/// What belongs to one item, or to the file itself.
pub(crate) struct Scope<'c> {
    collector: &'c RefCell<Collector>,
    /// The item's number from 1; `None` for the file itself.
    item: Option<usize>,
    leftovers: RefCell<Vec<Leftover>>,
}

/// A value that no rule took.
pub(crate) struct Leftover {
    pub(crate) path: String,
    pub(crate) reason: &'static str,
    pub(crate) value: Json,
}

impl<'c> Scope<'c> {
    /// A scope without leftovers.
    pub(crate) fn new(collector: &'c RefCell<Collector>, item: Option<usize>) -> Self {
        Self { collector, item, leftovers: RefCell::default() }
    }

    /// Notes what happened to the value at `path`.
    pub(crate) fn note(&self, level: Level, path: &str, reason: &'static str) {
        self.collector.borrow_mut().add(level, path, reason, self.item);
    }

    /// Sets a value aside; [`Scope::take_leftovers`] hands it out.
    pub(crate) fn leave(&self, path: String, reason: &'static str, value: Json) {
        if !value.is_empty() {
            self.leftovers.borrow_mut().push(Leftover { path, reason, value });
        }
    }

    /// Everything that was set aside so far.
    pub(crate) fn take_leftovers(&self) -> Vec<Leftover> {
        self.leftovers.take()
    }
}

/// An object whose members are taken out one by one. What remains when it is dropped is set aside in its scope.
pub(crate) struct Object<'s, 'c> {
    scope: &'s Scope<'c>,
    path: String,
    members: Vec<(String, Json)>,
    taken: Vec<&'static str>,
}

impl<'s, 'c> Object<'s, 'c> {
    /// Opens an object; anything else is set aside and answered as `None`.
    pub(crate) fn open(scope: &'s Scope<'c>, path: String, json: Json) -> Option<Self> {
        match json {
            Json::Object(members) => Some(Self { scope, path, members, taken: Vec::new() }),
            other => {
                scope.leave(path, reason::UNEXPECTED, other);
                None
            }
        }
    }

    /// The path of the object.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The path of a member.
    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() {
            printable_key(key)
        } else {
            format!("{}.{}", self.path, printable_key(key))
        }
    }

    /// Takes the last member of this key.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Json> {
        let index = self.members.iter().rposition(|(k, _)| k == key)?;
        self.taken.push(key);
        Some(self.members.remove(index).1)
    }

    /// Takes a text; an absent, null or empty one is `None`, a whole number or a truth value is its text.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<Zeroizing<String>> {
        match self.take(key)? {
            Json::Text(text) if !text.is_empty() => Some(text),
            Json::Number(number) if !number.is_f64() => Some(Zeroizing::new(number.to_string())),
            Json::Bool(value) => Some(Zeroizing::new(value.to_string())),
            other => {
                self.scope.leave(self.at(key), reason::UNEXPECTED, other);
                None
            }
        }
    }

    /// Takes a truth value; an absent or null one is `None`.
    pub(crate) fn bool(&mut self, key: &'static str) -> Option<bool> {
        match self.take(key)? {
            Json::Bool(value) => Some(value),
            other => {
                self.scope.leave(self.at(key), reason::UNEXPECTED, other);
                None
            }
        }
    }

    /// Takes a whole number from 0; an absent or null one is `None`.
    pub(crate) fn number(&mut self, key: &'static str) -> Option<u64> {
        match self.take(key)? {
            Json::Number(number) if number.is_u64() => number.as_u64(),
            other => {
                self.scope.leave(self.at(key), reason::UNEXPECTED, other);
                None
            }
        }
    }

    /// Takes a list; an absent or null one is empty.
    pub(crate) fn list(&mut self, key: &'static str) -> Vec<Json> {
        match self.take(key) {
            Some(Json::List(list)) => list,
            Some(other) => {
                self.scope.leave(self.at(key), reason::UNEXPECTED, other);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Takes an object; an absent or null one is `None`.
    pub(crate) fn object(&mut self, key: &'static str) -> Option<Object<'s, 'c>> {
        let json = self.take(key)?;
        Object::open(self.scope, self.at(key), json)
    }

    /// Gives up the whole object; what happened to it is reported as one.
    pub(crate) fn discard(mut self) {
        self.members.clear();
    }

    /// Takes a value that means something only inside the source, and says so.
    pub(crate) fn internal(&mut self, key: &'static str, why: &'static str) {
        if let Some(value) = self.take(key)
            && !value.is_empty()
        {
            self.scope.note(Level::Internal, &self.at(key), why);
        }
    }
}

impl Drop for Object<'_, '_> {
    fn drop(&mut self) {
        for (key, value) in std::mem::take(&mut self.members) {
            let why = if self.taken.contains(&key.as_str()) { reason::REPEATED } else { reason::UNKNOWN };
            self.scope.leave(self.at(&key), why, value);
        }
    }
}
