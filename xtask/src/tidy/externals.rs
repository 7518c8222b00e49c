//! Which external crates a member must never bring in, directly or through others, and what nobody may bring in.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Problem;
use super::workspace::Workspace;
use crate::cargo::{self, cargo};

/// Runtimes, servers, clients, databases and sources of chance: absent from all that is pure.
const IMPURE: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "axum",
    "hyper",
    "reqwest",
    "tower",
    "rusqlite",
    "libsqlite3-sys",
    "rustls",
    "rand",
    "fastrand",
    "socket2",
    "tracing",
];
const CLOCKS: &[&str] = &["chrono", "time", "jiff"];
const NETWORK: &[&str] = &["tokio", "axum", "hyper", "reqwest", "rustls", "socket2"];
const HTTP: &[&str] = &["axum", "hyper", "reqwest", "tower", "tower-http", "http"];
const SQLITE: &[&str] = &["rusqlite", "libsqlite3-sys"];

/// What the whole tree of a member must not contain. The server's tree is the community edition.
const NEVER: [(&str, &[&[&str]]); 11] = [
    ("clavitor-core", &[IMPURE, CLOCKS]),
    ("clavitor-crypto", &[IMPURE]),
    ("clavitor-protocol", &[IMPURE, CLOCKS]),
    ("clavitor-sim", &[IMPURE]),
    ("clavitor-community", &[NETWORK, SQLITE, &["rand"]]),
    ("clavitor-import", &[NETWORK, SQLITE]),
    ("clavitor-store", &[HTTP]),
    ("clavitor-client", &[SQLITE, &["axum"]]),
    ("clavitor-cli", &[SQLITE, &["axum"]]),
    ("clavitor-commercial", &[SQLITE]),
    ("clavitor-server", &[&["clavitor-commercial", "clavitor-protocol"]]),
];
/// What a member must not declare itself, though it may reach it through another.
const NEVER_DIRECTLY: [(&str, &[&str]); 2] = [("clavitor-server", SQLITE), ("xtask", &["tokio", "reqwest"])];

/// The packages that one member is built from, by name, itself included.
#[derive(Debug)]
pub(super) struct Tree {
    member: String,
    packages: BTreeSet<String>,
}

/// Reads the tree of each member that a rule names, with default features.
///
/// # Errors
/// When `cargo tree` fails.
pub(super) fn read_trees(workspace: &Workspace) -> Result<Vec<Tree>> {
    let present = NEVER.iter().filter(|(member, _)| workspace.member(member).is_some());
    present
        .map(|(member, _)| Ok(Tree { member: (*member).to_owned(), packages: tree(&["--package", member])? }))
        .collect()
}

/// Reads what the whole workspace is built from, both editions and their tests together.
///
/// # Errors
/// When `cargo tree` fails.
pub(super) fn read_whole() -> Result<BTreeSet<String>> {
    tree(&["--workspace", "--all-features", "--edges", "dev"])
}

fn tree(arguments: &[&str]) -> Result<BTreeSet<String>> {
    let mut command = cargo(["tree", "--locked", "--target", "all", "--edges", "normal,build"]);
    command.args(["--prefix", "none", "--format", "{p}"]).args(arguments);
    Ok(names(&cargo::read(&mut command)?))
}

/// The first word of each line of `cargo tree --prefix none --format {p}`.
fn names(printed: &str) -> BTreeSet<String> {
    printed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Checks what each member is built from.
pub(super) fn check_trees(trees: &[Tree]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for tree in trees {
        let rules = NEVER.iter().filter(|(member, _)| *member == tree.member);
        for name in rules.flat_map(|(_, lists)| lists.iter()).flat_map(|list| list.iter()) {
            if tree.packages.contains(*name) {
                let remedy = format!("`cargo tree -p {} -i {name} --target all` shows the way", tree.member);
                problems
                    .push(Problem::new(&tree.member, format!("must never be built from {name}: {remedy}")));
            }
        }
    }
    problems
}

/// Checks what members declare themselves.
pub(super) fn check_direct(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (member, never) in NEVER_DIRECTLY {
        let declared = workspace.member(member).into_iter().flat_map(|m| &m.dependencies);
        for dependency in declared.filter(|d| !d.dev && never.contains(&d.name.as_str())) {
            problems.push(Problem::new(member, format!("must never use {} directly", dependency.name)));
        }
    }
    problems
}

/// Checks the lists of `deny.toml` that must hold also where cargo-deny could not be installed: the banned crates against
/// what the workspace is built from, the allowed sources against the lock file.
pub(super) fn check_supply(whole: &BTreeSet<String>, lock: &str, deny: &str) -> Vec<Problem> {
    let (Ok(lock), Ok(deny)) = (lock.parse::<toml::Table>(), deny.parse::<toml::Table>()) else {
        return vec![Problem::new("Cargo.lock, deny.toml", "both must be there and be TOML")];
    };
    let list = |table: &str, key: &str| -> Vec<toml::Value> {
        let value = deny.get(table).and_then(|t| t.get(key)).and_then(toml::Value::as_array);
        value.cloned().unwrap_or_default()
    };
    let allowed = list("sources", "allow-registry");
    let allowed: Vec<String> =
        allowed.iter().filter_map(|v| Some(format!("registry+{}", v.as_str()?))).collect();
    let banned = list("bans", "deny");
    let banned: Vec<&str> = banned.iter().filter_map(|v| v.get("crate")?.as_str()).collect();

    let mut problems = Vec::new();
    if allowed.is_empty() || banned.is_empty() {
        problems
            .push(Problem::new("deny.toml", "it bans nothing or allows no source: it is not what it was"));
    }
    for name in banned.iter().filter(|name| whole.contains(**name)) {
        let remedy = format!("`cargo tree --workspace --all-features -i {name} --target all` shows the way");
        problems.push(Problem::new("Cargo.lock", format!("{name} is banned by deny.toml: {remedy}")));
    }
    for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
        let text = |key: &str| package.get(key).and_then(toml::Value::as_str);
        if text("source").is_some_and(|source| !allowed.iter().any(|a| a == source)) {
            let name = text("name").unwrap_or_default();
            problems.push(Problem::new(
                "Cargo.lock",
                format!("{name} comes from a source that deny.toml does not allow"),
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::workspace::testing::{member, on_external, workspace};
    use super::*;

    fn tree(member: &str, printed: &str) -> Tree {
        Tree { member: member.into(), packages: names(printed) }
    }

    #[test]
    fn a_runtime_below_a_pure_crate_is_found() {
        let printed = "clavitor-protocol v0.1.0 (/src/crates/protocol)\nminicbor v2.3.1\ntokio v1.54.1 (*)\n";
        let problems = check_trees(&[tree("clavitor-protocol", printed)]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().contains("never be built from tokio"), "{}", problems[0]);
        assert_eq!(check_trees(&[tree("clavitor-protocol", "minicbor v2.3.1\n")]), []);
    }

    #[test]
    fn paid_code_in_the_community_server_is_found() {
        let printed = "clavitor-server v0.1.0\nclavitor-commercial v0.1.0\nclavitor-protocol v0.1.0\n";
        assert_eq!(check_trees(&[tree("clavitor-server", printed)]).len(), 2);
    }

    #[test]
    fn sqlite_belongs_to_the_store() {
        let bad = workspace(vec![member("server", vec![on_external("rusqlite"), on_external("axum")])]);
        assert_eq!(check_direct(&bad).len(), 1);
        assert_eq!(check_trees(&[tree("clavitor-commercial", "libsqlite3-sys v0.35.0")]).len(), 1);
    }

    const DENY: &str = r#"
        [bans]
        deny = [{ crate = "openssl-sys", reason = "one provider" }]
        [sources]
        allow-registry = ["https://github.com/rust-lang/crates.io-index"]
    "#;

    #[test]
    fn a_foreign_source_and_a_banned_crate_are_found() {
        let good = "[[package]]\nname = \"a\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
                    [[package]]\nname = \"member\"\n";
        let whole = names("a v1.0.0\nmember v0.1.0 (/src)\n");
        assert_eq!(check_supply(&whole, good, DENY), []);
        assert_eq!(check_supply(&names("openssl-sys v0.9.0"), good, DENY).len(), 1);
        let bad = "[[package]]\nname = \"a\"\nsource = \"git+https://example.org/a\"\n";
        assert_eq!(check_supply(&whole, bad, DENY).len(), 1);
        assert_eq!(check_supply(&whole, good, "[bans]\n").len(), 2, "an empty list is itself a problem");
        assert_eq!(check_supply(&whole, good, "not toml").len(), 1);
    }
}
