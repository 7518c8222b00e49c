//! The rules of the tree that no compiler checks. Each rule is a function from plain data to the places that break it.
//!
//! The data comes from `cargo metadata`, `cargo tree` and a walk over the sources; nothing is built and nothing is changed.

mod editions;
mod externals;
mod licences;
mod manifests;
mod members;
mod scan;
mod sources;
mod workspace;

use std::fmt;

use anyhow::{Result, bail};

use crate::cargo;

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// A file (with its line), a crate or a folder.
    place: String,
    /// What is wrong, and what to do.
    what: String,
}

impl Problem {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Checks every rule and prints every problem.
///
/// # Errors
/// When a rule is broken, or the tree could not be read.
pub(crate) fn run() -> Result<()> {
    let root = cargo::root();
    let workspace = workspace::read(&root)?;
    let sources = sources::walk(&root)?;
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();

    let mut problems = members::check(&workspace);
    problems.extend(externals::check_direct(&workspace));
    problems.extend(externals::check_trees(&externals::read_trees(&workspace)?));
    problems.extend(externals::check_supply(
        &externals::read_whole()?,
        &text("Cargo.lock"),
        &text("deny.toml"),
    ));
    for member in &workspace.members {
        let place = format!("{}/Cargo.toml", member.dir);
        problems.extend(manifests::check(&place, &member.name, &text(&place)));
    }
    problems.extend(sources.iter().flat_map(sources::check));
    problems.extend(sources::check_community(&sources));
    problems.extend(editions::check(&text("crates/core/src/replicator.rs"), &text("editions.md")));
    problems.extend(licences::check(&workspace, &text("LICENSING.md"), |path| root.join(path).is_file()));

    problems.sort();
    problems.iter().for_each(|problem| println!("{problem}"));
    if !problems.is_empty() {
        bail!("tidy found {} problems", problems.len());
    }
    println!("tidy: {} members and {} source files, nothing to say", workspace.members.len(), sources.len());
    Ok(())
}
