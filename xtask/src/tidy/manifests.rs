//! Members take every external crate, and all its features, from the root manifest: else `--workspace` and `-p` build two
//! different things, and everything twice.

use super::Problem;

const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
/// The features that a member may ask of another member, only for its tests.
const MEMBER_FEATURES: [&str; 1] = ["testing"];

/// Checks the manifest of one member.
pub(super) fn check(place: &str, member: &str, manifest: &str) -> Vec<Problem> {
    let Ok(manifest) = manifest.parse::<toml::Table>() else {
        return vec![Problem::new(place, "it is not there, or not TOML")];
    };
    let mut problems = Vec::new();
    check_tables(place, &manifest, &mut problems);
    for target in manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|t| t.values())
    {
        target.as_table().into_iter().for_each(|table| check_tables(place, table, &mut problems));
    }
    let inherits_lints =
        manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true);
    if !inherits_lints {
        problems.push(Problem::new(place, format!("{member} does not take the lints of the workspace")));
    }
    problems
}

fn check_tables(place: &str, manifest: &toml::Table, problems: &mut Vec<Problem>) {
    for table in TABLES {
        let declared = manifest.get(table).and_then(toml::Value::as_table);
        for (name, value) in declared.into_iter().flatten() {
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                problems.push(Problem::new(place, format!("{name} must read `{name}.workspace = true`")));
                continue;
            }
            let keys = value.as_table().into_iter().flat_map(toml::Table::keys);
            for key in keys.filter(|key| !allowed(table, name, key, value)) {
                let what = format!("`{key}` of {name} belongs into [workspace.dependencies] of the root");
                problems.push(Problem::new(place, what));
            }
        }
    }
}

fn allowed(table: &str, name: &str, key: &str, value: &toml::Value) -> bool {
    match key {
        "workspace" | "optional" => true,
        "features" => {
            let features = value.get("features").and_then(toml::Value::as_array);
            let known =
                |feature: &toml::Value| feature.as_str().is_some_and(|f| MEMBER_FEATURES.contains(&f));
            table == "dev-dependencies"
                && name.starts_with("clavitor-")
                && features.is_some_and(|f| f.iter().all(known))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_dependencies(declared: &str, problems: usize) {
        let manifest = format!("[lints]\nworkspace = true\n{declared}");
        assert_eq!(check("Cargo.toml", "member", &manifest).len(), problems, "{declared}");
    }

    #[test]
    fn what_comes_from_the_workspace_is_fine() {
        check_dependencies(
            "[dependencies]\ntokio.workspace = true\nx = { workspace = true, optional = true }",
            0,
        );
        check_dependencies(
            "[dev-dependencies]\nclavitor-core = { workspace = true, features = [\"testing\"] }",
            0,
        );
    }

    #[test]
    fn versions_and_features_of_a_members_own_are_found() {
        check_dependencies("[dependencies]\ntokio = \"1\"", 1);
        check_dependencies("[dependencies]\ntokio = { version = \"1\", features = [\"full\"] }", 1);
        check_dependencies("[dependencies]\ntokio = { workspace = true, features = [\"full\"] }", 1);
        check_dependencies("[dev-dependencies]\ntokio = { workspace = true, default-features = false }", 1);
        check_dependencies("[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"", 1);
        check_dependencies(
            "[dependencies]\nclavitor-core = { workspace = true, features = [\"testing\"] }",
            1,
        );
        check_dependencies(
            "[dev-dependencies]\nclavitor-server = { workspace = true, features = [\"commercial\"] }",
            1,
        );
    }

    #[test]
    fn a_member_without_the_lints_is_found() {
        assert_eq!(check("Cargo.toml", "member", "[package]\nname = \"member\"").len(), 1);
        assert_eq!(check("Cargo.toml", "member", "not toml at all").len(), 1);
    }
}
