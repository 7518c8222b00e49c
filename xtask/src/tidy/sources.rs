//! Rules about the text of source files: how each begins, how long it is, and words that must not stand in it.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::Problem;
use super::scan::scan;

/// A file of this many lines is split.
const LINES_MAX: usize = 799;
/// The only shipped file that asks which edition is built.
const EDITION_SWITCH: &str = "crates/server/src/edition.rs";
/// What is never finished code, or a test that does not run or cannot say why it failed.
const STUBS: [&str; 4] = ["todo!", "unimplemented!", "#[ignore", "#[should_panic"];
/// What asks for the edition, blanks taken out.
const EDITION_QUESTIONS: [&str; 2] =
    [concat!("feature=", "\"commercial\""), concat!("CARGO_FEATURE_", "COMMERCIAL")];

/// What the shipped sources of a member must not name.
const PURE: [(&str, &[&str]); 4] = [
    (
        "crates/core/src/",
        &["std::fs", "std::net", "std::thread", "std::process", "std::env", "SystemTime", "Instant"],
    ),
    ("crates/crypto/src/", &["std::fs", "std::net", "std::thread", "std::process", "std::env", "std::time"]),
    (
        "crates/protocol/src/",
        &["std::fs", "std::net", "std::thread", "std::process", "std::env", "std::time", "HashMap"],
    ),
    ("crates/sim/src/", &["std::fs", "std::net", "SystemTime", "Instant"]),
];
const STORE: &str = "crates/store/src/";
const COMMUNITY: &str = "crates/community/src/";

/// A source file.
#[derive(Debug)]
pub(super) struct Source {
    /// Below the root, with `/`.
    path: String,
    text: String,
    /// Whether it is built only into tests.
    for_tests: bool,
}

/// Reads every Rust source, and every script, below the root; nothing that is built or hidden.
///
/// # Errors
/// When a folder or file cannot be read.
pub(super) fn walk(root: &Path) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = folder.read_dir().with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if entry.file_type()?.is_dir() {
                let skipped =
                    name.starts_with('.') || (folder == root && matches!(name.as_str(), "target" | "dist"));
                if !skipped {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") || name.ends_with(".sh") {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("{} is no text", path.display()))?;
                let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                let for_tests = path.ends_with("/tests.rs") || path.contains("/tests/");
                found.push(Source { path, text, for_tests });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let modules: Vec<String> = found.iter().flat_map(test_modules).collect();
    for source in &mut found {
        source.for_tests |= modules.iter().any(|module| {
            source
                .path
                .strip_prefix(module.as_str())
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
    }
    Ok(found)
}

/// The modules in files of their own that a source declares for its tests alone, as paths without `.rs`.
fn test_modules(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let below = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        other => format!("{folder}/{}", other.trim_end_matches(".rs")),
    };
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let names =
        declared.filter_map(|pair| pair[1].strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name));
    names.map(|name| format!("{below}/{name}")).collect()
}

/// Checks one file.
pub(super) fn check(source: &Source) -> Vec<Problem> {
    let path = source.path.as_str();
    if path.ends_with(".sh") {
        return vec![Problem::new(path, "a chore belongs into xtask, not into a script")];
    }
    let mut problems = Vec::new();
    if !source.text.starts_with("//!") {
        problems.push(Problem::new(path, "the file must open with `//!`: what it owns, what it never does"));
    }
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        problems.push(Problem::new(path, format!("{lines} lines: split it below {}", LINES_MAX + 1)));
    }
    let scanned = scan(&source.text);
    for (number, line) in (1..).zip(scanned.code.lines()) {
        for stub in STUBS.iter().filter(|stub| line.contains(**stub)) {
            problems.push(Problem::new(format!("{path}:{number}"), format!("`{stub}` must not stand here")));
        }
    }
    if path != EDITION_SWITCH {
        for (number, line) in (1..).zip(scanned.with_literals.lines()) {
            let line = line.replace(' ', "");
            if EDITION_QUESTIONS.iter().any(|question| line.contains(question)) {
                let what = format!("only {EDITION_SWITCH} may ask which edition is built");
                problems.push(Problem::new(format!("{path}:{number}"), what));
            }
        }
    }
    if !source.for_tests {
        check_shipped(path, &scanned.code, &mut problems);
    }
    problems
}

/// Rules for what ships: the tests inside a file may do more.
fn check_shipped(path: &str, code: &str, problems: &mut Vec<Problem>) {
    let lines: Vec<&str> = code.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
    for (number, line) in (1..).zip(&lines[..tests.unwrap_or(lines.len())]) {
        let mut bad = |what: String| problems.push(Problem::new(format!("{path}:{number}"), what));
        let rules = PURE.iter().filter(|(folder, _)| path.starts_with(folder));
        for name in rules.flat_map(|(_, names)| names.iter()).filter(|name| line.contains(**name)) {
            bad(format!("`{name}` must not be used in this crate"));
        }
        if path.starts_with(STORE) && line.split("tokio::").skip(1).any(|after| !after.starts_with("sync")) {
            bad("the store may use nothing of tokio but `tokio::sync`".to_owned());
        }
    }
}

/// The edition that does not replicate is one file, and never grows.
pub(super) fn check_community(sources: &[Source]) -> Vec<Problem> {
    let own = sources.iter().filter(|s| s.path.starts_with(COMMUNITY) && !s.path.ends_with("/lib.rs"));
    own.map(|source| Problem::new(&source.path, "the community edition is the one file lib.rs")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into(), for_tests: false }
    }

    #[track_caller]
    fn check_one(path: &str, text: &str, problems: usize) {
        let said = check(&source(path, text));
        assert_eq!(said.len(), problems, "{text}: {said:?}");
    }

    #[test]
    fn a_file_says_what_it_is_and_stays_short() {
        check_one("crates/core/src/a.rs", "//! What it owns.\n", 0);
        check_one("crates/core/src/a.rs", "use std::fmt;\n", 1);
        check_one("crates/core/src/a.rs", &format!("//! Long.\n{}", "\n".repeat(LINES_MAX - 1)), 0);
        check_one("crates/core/src/a.rs", &format!("//! Long.\n{}", "\n".repeat(LINES_MAX)), 1);
        check_one("scripts/build.sh", "cargo build\n", 1);
    }

    #[test]
    fn stubs_are_found_in_code_only() {
        for stub in STUBS {
            check_one("crates/cli/src/a.rs", &format!("//! A.\n    {stub}\n"), 1);
            check_one("crates/cli/src/a.rs", &format!("//! A.\n// {stub}\nlet x = \"{stub}\";\n"), 0);
        }
    }

    #[test]
    fn one_file_asks_for_the_edition() {
        for question in EDITION_QUESTIONS {
            let text = format!("//! A.\n#[cfg({question})]\n");
            check_one("crates/cli/src/a.rs", &text, 1);
            check_one("crates/cli/src/a.rs", &text.replace('=', " = "), 1);
            check_one(EDITION_SWITCH, &text, 0);
        }
    }

    #[test]
    fn pure_crates_name_nothing_impure() {
        check_one("crates/protocol/src/a.rs", "//! A.\nuse std::time::Duration;\n", 1);
        check_one("crates/core/src/a.rs", "//! A.\nuse std::time::Duration;\n", 0);
        check_one("crates/crypto/src/a.rs", "//! A.\n#[cfg(test)]\nmod tests { use std::fs; }\n", 0);
        check_one("crates/crypto/src/a.rs", "//! A.\n#[cfg(test)]\nuse x;\nuse std::fs;\n", 1);
        check_one("crates/crypto/src/a.rs", "//! A.\nfn f() { std::fs::read(\"a\"); }\n", 1);
        check_one("crates/cli/src/a.rs", "//! A.\nuse std::fs;\n", 0);
    }

    #[test]
    fn modules_for_tests_alone_are_known() {
        let lib = source("crates/crypto/src/lib.rs", "//! A.\nmod a;\n#[cfg(test)]\nmod vectors;\n");
        assert_eq!(test_modules(&lib), ["crates/crypto/src/vectors"]);
        let deeper = source("crates/crypto/src/a.rs", "//! A.\n#[cfg(test)]\npub(crate) mod fake;\n");
        assert_eq!(test_modules(&deeper), ["crates/crypto/src/a/fake"]);
        let for_tests =
            Source { for_tests: true, ..source("crates/core/src/a.rs", "//! A.\nuse std::fs;\n") };
        assert_eq!(check(&for_tests), []);
    }

    #[test]
    fn the_store_takes_only_sync_of_tokio() {
        check_one("crates/store/src/a.rs", "//! A.\nuse tokio::sync::watch;\n", 0);
        check_one("crates/store/src/a.rs", "//! A.\nfn f() { tokio::spawn(x) }\n", 1);
        check_one("crates/store/src/a.rs", "//! A.\n#[cfg(test)]\nmod tests { #[tokio::test] }\n", 0);
    }

    #[test]
    fn the_community_edition_is_one_file() {
        let files = [source("crates/community/src/lib.rs", ""), source("crates/community/src/more.rs", "")];
        assert_eq!(check_community(&files).len(), 1);
    }
}
