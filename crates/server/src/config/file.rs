//! The TOML file: which keys there are, on which lines they stand, and every way in which the file is wrong.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::problem::Located;

/// The keys of the file's top level that are ours.
const KEYS: [&str; 5] = ["listen", "public_url", "data_dir", "keyring_file", "log"];
/// The keys of `[log]`.
const LOG_KEYS: [&str; 2] = ["filter", "format"];
/// Tables that the edition reads.
const EDITION_TABLES: [&str; 2] = ["replication", "alerts"];
/// How alike an unknown key and a known one must be for the known one to be suggested.
const SUGGEST_FROM: f64 = 0.7;

/// A value with the place that said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) value: String,
    pub(super) place: String,
}

/// What the file says, unchecked: all values are texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileValues {
    pub(super) listen: Option<Said>,
    pub(super) public_url: Option<Said>,
    pub(super) data_dir: Option<Said>,
    pub(super) keyring_file: Option<Said>,
    pub(super) log_filter: Option<Said>,
    pub(super) log_format: Option<Said>,
    /// Whether the text is TOML at all: an edition only looks at what is.
    pub(super) parses: bool,
}

/// Walks the file and notes every problem.
pub(super) fn read(path: &Path, text: &str, problems: &mut Vec<Located>) -> FileValues {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut walk = Walk { path, text, problems };
    for error in &errors {
        let offset = error.span().map_or(0, |span| span.start);
        walk.problem(offset, format!("not TOML: {}", first_line(error.message())), "mend the syntax".into());
    }
    let mut values = FileValues { parses: errors.is_empty(), ..FileValues::default() };
    for (key, value) in document.get_ref() {
        let name = key.get_ref().as_ref();
        let (at, value_at) = (key.span().start, value.span().start);
        match name {
            "listen" => values.listen = walk.text_value(name, value_at, value.get_ref()),
            "public_url" => values.public_url = walk.text_value(name, value_at, value.get_ref()),
            "data_dir" => values.data_dir = walk.text_value(name, value_at, value.get_ref()),
            "keyring_file" => values.keyring_file = walk.text_value(name, value_at, value.get_ref()),
            "log" => walk.log(at, value.get_ref(), &mut values),
            edition if EDITION_TABLES.contains(&edition) => {}
            unknown => {
                let known: Vec<&str> = KEYS.iter().chain(&EDITION_TABLES).copied().collect();
                walk.unknown(at, unknown, "", &known);
            }
        }
    }
    values
}

struct Walk<'a> {
    path: &'a Path,
    text: &'a str,
    problems: &'a mut Vec<Located>,
}

impl Walk<'_> {
    fn place(&self, offset: usize) -> String {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }

    fn problem(&mut self, offset: usize, what: String, remedy: String) {
        let place = self.place(offset);
        self.problems.push(Located::new(place, what, remedy));
    }

    fn text_value(&mut self, key: &str, offset: usize, value: &DeValue<'_>) -> Option<Said> {
        if let DeValue::String(text) = value {
            return Some(Said { value: text.to_string(), place: self.place(offset) });
        }
        self.problem(offset, format!("`{key}` must be a text"), format!("write {key} = \"…\""));
        None
    }

    fn log(&mut self, offset: usize, value: &DeValue<'_>, values: &mut FileValues) {
        let DeValue::Table(table) = value else {
            self.problem(offset, "`log` must be a table".into(), "write [log] with filter and format".into());
            return;
        };
        for (key, value) in table {
            let (name, value_at) = (key.get_ref().as_ref(), value.span().start);
            match name {
                "filter" => values.log_filter = self.text_value("log.filter", value_at, value.get_ref()),
                "format" => values.log_format = self.text_value("log.format", value_at, value.get_ref()),
                unknown => self.unknown(key.span().start, unknown, "log.", &LOG_KEYS),
            }
        }
    }

    fn unknown(&mut self, offset: usize, key: &str, prefix: &str, known: &[&str]) {
        let nearest = known
            .iter()
            .map(|candidate| (strsim::jaro_winkler(candidate, key), *candidate))
            .filter(|(likeness, _)| *likeness >= SUGGEST_FROM)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let remedy = match nearest {
            Some((_, candidate)) => format!("did you mean `{prefix}{candidate}`? Otherwise remove it"),
            None => format!("remove it; the keys here are {}", known.join(", ")),
        };
        self.problem(offset, format!("unknown key `{prefix}{key}`"), remedy);
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}
