//! `LICENSING.md` says which path is under which licence; manifests and licence files must agree with it.

use super::Problem;
use super::workspace::Workspace;

const PLACE: &str = "LICENSING.md";
const OPEN: &str = "Apache-2.0";
/// The row of all that has no row of its own.
const REST: &str = "everything else";

/// Checks that the table names every member, and that each row agrees with the member's manifest and has its text.
pub(super) fn check(workspace: &Workspace, page: &str, exists: impl Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let rows = rows(page);
    for (path, licence, text) in &rows {
        let known = workspace.members.iter().any(|member| member.dir == *path);
        if !known && path != REST {
            problems.push(Problem::new(PLACE, format!("`{path}` is no member of the workspace")));
        }
        if !exists(text) {
            problems.push(Problem::new(PLACE, format!("the text of {licence} is not at {text}")));
        }
    }
    if !rows.iter().any(|(path, licence, _)| path == REST && licence == OPEN) {
        problems.push(Problem::new(PLACE, format!("a row must say that {REST} is under {OPEN}")));
    }
    for member in &workspace.members {
        let mut own = rows.iter().filter(|(path, ..)| *path == member.dir);
        let (Some((_, licence, text)), None) = (own.next(), own.next()) else {
            problems.push(Problem::new(PLACE, format!("`{}` must have exactly one row", member.dir)));
            continue;
        };
        let open = licence == OPEN;
        let manifest_open = member.license.as_deref() == Some(OPEN) && !member.license_file;
        let manifest_own = member.license.is_none() && member.license_file;
        if (open && !manifest_open) || (!open && !manifest_own) {
            let what = format!("its manifest says another licence than {licence}, which {PLACE} says");
            problems.push(Problem::new(format!("{}/Cargo.toml", member.dir), what));
        }
        let expected = if open { "LICENSE".to_owned() } else { format!("{}/LICENSE", member.dir) };
        if *text != expected {
            problems
                .push(Problem::new(PLACE, format!("the licence of `{}` must lie in {expected}", member.dir)));
        }
    }
    problems
}

/// Path, licence and text of each row of the first table.
fn rows(page: &str) -> Vec<(String, String, String)> {
    let lines = page.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| -> Option<(String, String, String)> {
        let mut cells =
            line.trim().trim_matches('|').split('|').map(|c| c.trim().trim_matches('`').to_owned());
        Some((cells.next()?, cells.next()?, cells.next()?))
    };
    lines.filter_map(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::super::workspace::Member;
    use super::super::workspace::testing::{member, workspace};
    use super::*;

    const PAGE: &str = "| path | licence | text |\n|---|---|---|\n| `crates/core` | Apache-2.0 | `LICENSE` |\n\
                        | `crates/protocol` | Clavitor Commercial | `crates/protocol/LICENSE` |\n\
                        | everything else | Apache-2.0 | `LICENSE` |\n";

    fn tree() -> Workspace {
        let paid = Member { license: None, license_file: true, ..member("protocol", Vec::new()) };
        workspace(vec![member("core", Vec::new()), paid])
    }

    #[test]
    fn a_page_that_agrees_is_fine() {
        assert_eq!(check(&tree(), PAGE, |_| true), []);
    }

    #[test]
    fn disagreements_are_found() {
        assert_eq!(check(&tree(), PAGE, |path| path == "LICENSE").len(), 1, "a licence without its text");
        let without = PAGE.replace("| `crates/core` | Apache-2.0 | `LICENSE` |\n", "");
        assert_eq!(check(&tree(), &without, |_| true).len(), 1, "a member without a row");
        let gone = PAGE.replace("crates/core", "crates/gone");
        assert_eq!(check(&tree(), &gone, |_| true).len(), 2, "a row without a member");
        let mut wrong = tree();
        wrong.members[1].license = Some(OPEN.into());
        assert_eq!(check(&wrong, PAGE, |_| true).len(), 1, "a manifest that says otherwise");
        assert_eq!(check(&tree(), "", |_| true).len(), 3);
    }
}
