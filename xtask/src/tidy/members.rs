//! Who may depend on whom: the table of the architecture, exact.

use super::Problem;
use super::workspace::{Member, Workspace};

/// What a member uses for building, exactly, and what its tests may use beside that.
struct Rule {
    member: &'static str,
    uses: &'static [&'static str],
    tests_may_use: &'static [&'static str],
}

const fn rule(
    member: &'static str,
    uses: &'static [&'static str],
    tests_may_use: &'static [&'static str],
) -> Rule {
    Rule { member, uses, tests_may_use }
}

const CORE: &str = "clavitor-core";
const CRYPTO: &str = "clavitor-crypto";
const STORE: &str = "clavitor-store";
const PROTOCOL: &str = "clavitor-protocol";
const COMMUNITY: &str = "clavitor-community";
const COMMERCIAL: &str = "clavitor-commercial";
const SERVER: &str = "clavitor-server";
const CLIENT: &str = "clavitor-client";
const CLI: &str = "clavitor-cli";
const IMPORT: &str = "clavitor-import";

/// Every member but `tests`, which may use any of them.
const RULES: [Rule; 12] = [
    rule(CORE, &[], &[]),
    rule(CRYPTO, &[CORE], &[]),
    rule(STORE, &[CORE, CRYPTO], &[]),
    rule(PROTOCOL, &[CORE], &[CRYPTO]),
    rule("clavitor-sim", &[CORE, CRYPTO, PROTOCOL], &[]),
    rule(COMMUNITY, &[CORE], &[]),
    rule(COMMERCIAL, &[CORE, CRYPTO, PROTOCOL], &[STORE]),
    rule(SERVER, &[CORE, CRYPTO, STORE, CLI, COMMUNITY, COMMERCIAL], &[CLIENT]),
    rule(CLIENT, &[CORE, CRYPTO], &[]),
    rule(CLI, &[CORE, CLIENT, IMPORT], &[]),
    rule(IMPORT, &[CORE], &[]),
    rule("xtask", &[], &[]),
];
const TESTS: &str = "clavitor-tests";
/// The paid feature of the server, and of the tests, which only forward it.
const PAID: &str = "commercial";

/// Checks members against the table, and that nothing turns the paid edition on by itself.
pub(super) fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in &RULES {
        match workspace.member(rule.member) {
            Some(member) => check_uses(rule, member, &mut problems),
            None => problems
                .push(Problem::new(rule.member, "is in the table of members but not in the workspace")),
        }
    }
    for member in &workspace.members {
        let known = RULES.iter().any(|rule| rule.member == member.name) || member.name == TESTS;
        if !known {
            problems.push(Problem::new(
                &member.name,
                "is in no row of the table of members: say what it may use",
            ));
        }
        check_edition(member, &mut problems);
    }
    problems
}

fn check_uses(rule: &Rule, member: &Member, problems: &mut Vec<Problem>) {
    let building = |dev: bool| member.dependencies.iter().filter(move |d| d.member && d.dev == dev);
    for dependency in building(false).filter(|d| !rule.uses.contains(&d.name.as_str())) {
        problems.push(Problem::new(&member.name, format!("must never use {}", dependency.name)));
    }
    for unused in rule.uses.iter().filter(|name| !building(false).any(|d| d.name == **name)) {
        problems
            .push(Problem::new(&member.name, format!("no longer uses {unused}: take it out of the table")));
    }
    let for_tests =
        |name: &str| name == CORE || rule.uses.contains(&name) || rule.tests_may_use.contains(&name);
    for dependency in building(true).filter(|d| !for_tests(&d.name)) {
        problems.push(Problem::new(&member.name, format!("its tests must never use {}", dependency.name)));
    }
}

fn check_edition(member: &Member, problems: &mut Vec<Problem>) {
    if member.default_features.iter().any(|feature| feature.contains(PAID)) {
        problems.push(Problem::new(&member.name, "its default features turn the paid edition on"));
    }
    for dependency in member.dependencies.iter().filter(|d| d.member) {
        if dependency.features.iter().any(|feature| feature == PAID) {
            let what = format!("turns the paid edition of {} on unconditionally", dependency.name);
            problems.push(Problem::new(&member.name, what));
        }
        if dependency.name == COMMERCIAL && (member.name != SERVER || !dependency.optional) {
            problems
                .push(Problem::new(&member.name, "only the server may use the paid edition, as optional"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::workspace::Dependency;
    use super::super::workspace::testing::{member, on_member, workspace};
    use super::*;

    fn good() -> Workspace {
        let mut members: Vec<Member> = RULES
            .iter()
            .map(|rule| Member {
                name: rule.member.into(),
                dependencies: rule
                    .uses
                    .iter()
                    .map(|name| Dependency { optional: *name == COMMERCIAL, ..on_member(name) })
                    .collect(),
                ..Member::default()
            })
            .collect();
        members.push(member("tests", vec![on_member(SERVER), on_member(STORE)]));
        workspace(members)
    }

    /// Changes one member of a good workspace and returns what is said of it.
    fn said(name: &str, change: impl FnOnce(&mut Member)) -> Vec<String> {
        let mut workspace = good();
        change(workspace.members.iter_mut().find(|m| m.name == name).unwrap());
        check(&workspace).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_table_itself_holds() {
        assert_eq!(check(&good()), []);
    }

    #[test]
    fn a_forbidden_edge_is_named() {
        let said = said(PROTOCOL, |m| m.dependencies.push(on_member(STORE)));
        assert_eq!(said, ["clavitor-protocol: must never use clavitor-store"]);
    }

    #[test]
    fn a_forbidden_edge_of_tests_is_named() {
        let dev = Dependency { dev: true, ..on_member(SERVER) };
        assert_eq!(said(COMMERCIAL, |m| m.dependencies.push(dev)).len(), 1);
        let dev = Dependency { dev: true, features: vec!["testing".into()], ..on_member(CORE) };
        assert!(said(COMMERCIAL, |m| m.dependencies.push(dev)).is_empty());
    }

    #[test]
    fn an_edge_that_went_away_is_named() {
        let said = said(CLI, |m| m.dependencies.retain(|d| d.name != IMPORT));
        assert_eq!(said.len(), 1, "{said:?}");
    }

    #[test]
    fn the_paid_edition_is_never_on_by_itself() {
        let on = |m: &mut Member| m.dependencies.iter_mut().for_each(|d| d.optional = false);
        assert_eq!(said(SERVER, on).len(), 1);
        let paid = Dependency { features: vec![PAID.into()], ..on_member(SERVER) };
        assert_eq!(said(TESTS, |m| m.dependencies.push(paid)).len(), 1);
        assert_eq!(said(TESTS, |m| m.dependencies.push(on_member(COMMERCIAL))).len(), 1);
        assert_eq!(said(SERVER, |m| m.default_features.push(PAID.into())).len(), 1);
    }

    #[test]
    fn a_member_without_a_row_is_named() {
        let mut workspace = good();
        workspace.members.push(member("surprise", Vec::new()));
        workspace.members.retain(|m| m.name != IMPORT);
        assert_eq!(check(&workspace).len(), 2);
    }
}
