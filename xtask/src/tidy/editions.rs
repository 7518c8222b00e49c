//! `editions.md` against the trait `Replicator`: every method has its row, and no row is of a method that is gone.

use std::collections::BTreeSet;

use super::Problem;

/// Where the rows of the trait stand.
const HEADING: &str = "## The `Replicator` trait";
const PLACE: &str = "editions.md";

/// Compares the methods of the trait with the rows of the table.
pub(super) fn check(source: &str, page: &str) -> Vec<Problem> {
    let methods = methods(source);
    if methods.is_empty() {
        return vec![Problem::new(
            "crates/core/src/replicator.rs",
            "no `pub trait Replicator` with methods was found",
        )];
    }
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    for cells in rows(page) {
        let name = cells.first().map(|cell| cell.trim_matches('`').to_owned()).unwrap_or_default();
        if cells.len() != 3 || cells.iter().any(String::is_empty) {
            problems
                .push(Problem::new(PLACE, format!("the row of `{name}` must say what each edition does")));
        }
        if !methods.contains(&name) {
            problems.push(Problem::new(PLACE, format!("`{name}` is not a method of the trait Replicator")));
        }
        if !named.insert(name.clone()) {
            problems.push(Problem::new(PLACE, format!("`{name}` has two rows")));
        }
    }
    for missing in methods.difference(&named) {
        problems.push(Problem::new(
            PLACE,
            format!("`{missing}` of the trait Replicator has no row under {HEADING}"),
        ));
    }
    problems
}

/// The names of the methods, in the shape that rustfmt gives the trait.
fn methods(source: &str) -> BTreeSet<String> {
    let body = source.lines().skip_while(|line| !line.starts_with("pub trait Replicator"));
    let body = body.skip(1).take_while(|line| *line != "}");
    let heads =
        body.filter_map(|line| line.strip_prefix("    fn ").or_else(|| line.strip_prefix("    async fn ")));
    heads.filter_map(|head| head.split(['(', '<']).next()).map(str::to_owned).collect()
}

/// The rows under the heading, without the table's own head and rule.
fn rows(page: &str) -> Vec<Vec<String>> {
    let section = page.lines().skip_while(|line| line.trim() != HEADING).skip(1);
    let lines = section.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with('|'));
    let cells =
        lines.map(|line| line.trim().trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect());
    cells.skip(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAIT: &str = "pub trait Replicator: Send {\n    /// Doc: fn not_one().\n    fn signal(&self);\n\n    \
                         fn drain(\n        &self,\n    ) -> X;\n}\n\nfn other() {}\n";
    const PAGE: &str = "# Editions\n\n## The `Replicator` trait\n\n| method | community | commercial |\n|---|---|---|\n\
                        | `signal` | nothing | wakes the worker |\n| `drain` | at once | finishes |\n\n## Next\n| x | y |\n";

    #[track_caller]
    fn said(page: &str, expected: &str) {
        let problems = check(TRAIT, page);
        assert!(problems.iter().any(|p| p.to_string().contains(expected)), "{problems:?}");
    }

    #[test]
    fn equal_sets_are_fine() {
        assert_eq!(check(TRAIT, PAGE), []);
    }

    #[test]
    fn differences_are_named() {
        said(
            &PAGE.replace("| `drain` | at once | finishes |\n", ""),
            "`drain` of the trait Replicator has no row",
        );
        said(&PAGE.replace("`drain`", "`flush`"), "`flush` is not a method");
        said(&PAGE.replace("at once", ""), "must say what each edition does");
        said(&PAGE.replace("`drain`", "`signal`"), "two rows");
        said("", "no row");
    }

    #[test]
    fn a_trait_that_moved_is_named() {
        assert_eq!(check("pub struct Replicator;", PAGE).len(), 1);
    }
}
