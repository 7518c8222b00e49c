//! Wrong configurations: every problem is named with its place and remedy, and nothing is started or made.

use anyhow::Result;
use clavitor_core::exit;
use clavitor_tests::harness::{Binary, Node};
use tempfile::TempDir;

use super::support::{BINARY, commercial};

/// What the configuration of a node with these tables is answered, by `config check` and by `serve`.
#[track_caller]
fn check(tables: &str, code: u8, said: &[&str]) -> Result<()> {
    let folder = TempDir::new()?;
    let binary = Binary::new(BINARY, folder.path().join("owner"));
    let node = Node::new("node", &binary, folder.path(), tables)?;
    let answers = [node.try_operate(&["config", "check"], None)?, node.fail_to_start()?];
    for answer in answers {
        assert_eq!(answer.code, code, "{tables}\n{}", answer.stderr);
        for words in said {
            assert!(answer.stderr.contains(words), "`{words}` is not in\n{}", answer.stderr);
        }
    }
    assert!(!node.files().data_dir().exists(), "a refused configuration makes no data folder");
    Ok(())
}

/// A table that only the commercial edition knows: a problem of its own there, exit code 13 in the community edition.
#[track_caller]
fn check_replication(tables: &str, said: &[&str]) -> Result<()> {
    if commercial() {
        check(tables, exit::CHECK_FAILED, said)
    } else {
        check(tables, exit::OTHER_EDITION, &["clavitor.toml:", "commercial"])
    }
}

#[test]
fn an_unknown_key_comes_with_its_place_and_a_suggestion() -> Result<()> {
    check(
        "datadir = \"x\"\n",
        exit::CHECK_FAILED,
        &["clavitor.toml:3", "unknown key `datadir`", "`data_dir`"],
    )
}

#[test]
fn all_problems_are_reported_at_once() -> Result<()> {
    check("surprise = 1\nkeyring_file = 7\n", exit::CHECK_FAILED, &["clavitor.toml:3", "clavitor.toml:4"])
}

#[test]
fn a_file_that_is_no_toml_is_named() -> Result<()> {
    check("= nothing\n", exit::CHECK_FAILED, &["clavitor.toml:3", "not TOML"])
}

#[test]
fn a_node_has_one_role() -> Result<()> {
    let tables = "[replication]\npop = \"a\"\nrole = \"primary\"\nlisten = \"127.0.0.1:0\"\n\
                  [[replication.backups]]\npop = \"b\"\nurl = \"https://127.0.0.1:1\"\n\
                  [replication.primary]\npop = \"c\"\nurl = \"https://127.0.0.1:2\"\npublic_url = \"http://127.0.0.1:3\"\n";
    check_replication(tables, &["both backups and a primary"])
}

#[test]
fn a_backup_names_its_primary() -> Result<()> {
    let tables = "[replication]\npop = \"a\"\nrole = \"backup\"\nlisten = \"127.0.0.1:0\"\n";
    check_replication(tables, &["does not name its primary", "[replication.primary]"])
}

#[test]
fn a_secret_given_as_a_value_is_refused_and_not_repeated() -> Result<()> {
    let tables = "[alerts.webhook]\nurl = \"https://alerts.example.org\"\ntoken = \"hunter2-in-the-file\"\n";
    let folder = TempDir::new()?;
    let binary = Binary::new(BINARY, folder.path().join("owner"));
    let node = Node::new("node", &binary, folder.path(), tables)?;
    let answer = node.try_operate(&["config", "check"], None)?;
    let code = if commercial() { exit::CHECK_FAILED } else { exit::OTHER_EDITION };
    assert_eq!(answer.code, code, "{}", answer.stderr);
    assert!(!format!("{}{}", answer.stdout, answer.stderr).contains("hunter2"));
    Ok(())
}
