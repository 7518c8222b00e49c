//! The workspace as the rules see it: members and their declared dependencies, from `cargo metadata`.

use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// The members, in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// The members.
    pub(crate) members: Vec<Member>,
}

/// One member.
#[derive(Debug, Default)]
pub(crate) struct Member {
    /// Its package name.
    pub(crate) name: String,
    /// Its folder below the root, with `/`.
    pub(crate) dir: String,
    /// What it declares.
    pub(crate) dependencies: Vec<Dependency>,
    /// `license`, where it says one.
    pub(crate) license: Option<String>,
    /// Whether it says `license-file`.
    pub(crate) license_file: bool,
    /// What its feature `default` turns on.
    pub(crate) default_features: Vec<String>,
}

/// One declared dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's name.
    pub(crate) name: String,
    /// Only for tests, benches and examples.
    pub(crate) dev: bool,
    /// Behind a feature.
    pub(crate) optional: bool,
    /// A member of this workspace.
    pub(crate) member: bool,
    /// The features that it asks for.
    pub(crate) features: Vec<String>,
}

impl Workspace {
    /// A member by its package name.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

/// Reads the workspace. The lock file must fit the manifests.
///
/// # Errors
/// When `cargo metadata` fails, which includes a lock file that would change.
pub(crate) fn read(root: &Path) -> Result<Workspace> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .context("cargo metadata --locked")?;
    let packages = metadata.workspace_packages();
    let is_member = |name: &str| packages.iter().any(|package| package.name.as_str() == name);
    let mut members = Vec::new();
    for package in &packages {
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
        let dir = folder.as_std_path().strip_prefix(root).context("a member lies below the root")?;
        members.push(Member {
            name: package.name.to_string(),
            dir: dir.to_string_lossy().replace('\\', "/"),
            dependencies: package
                .dependencies
                .iter()
                .map(|dependency| Dependency {
                    name: dependency.name.clone(),
                    dev: dependency.kind == DependencyKind::Development,
                    optional: dependency.optional,
                    member: dependency.path.is_some() && is_member(&dependency.name),
                    features: dependency.features.clone(),
                })
                .collect(),
            license: package.license.clone(),
            license_file: package.license_file.is_some(),
            default_features: package.features.get("default").cloned().unwrap_or_default(),
        });
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Workspace { members })
}

#[cfg(test)]
pub(crate) mod testing {
    //! Hand-made workspaces for the tests of the rules.

    use super::{Dependency, Member, Workspace};

    /// A dependency on a member, for building.
    pub(crate) fn on_member(name: &str) -> Dependency {
        Dependency { name: name.into(), dev: false, optional: false, member: true, features: Vec::new() }
    }

    /// A dependency on an external crate, for building.
    pub(crate) fn on_external(name: &str) -> Dependency {
        Dependency { member: false, ..on_member(name) }
    }

    /// A member with its dependencies.
    pub(crate) fn member(folder: &str, dependencies: Vec<Dependency>) -> Member {
        Member {
            name: format!("clavitor-{folder}"),
            dir: format!("crates/{folder}"),
            dependencies,
            license: Some("Apache-2.0".into()),
            ..Member::default()
        }
    }

    /// A workspace of members.
    pub(crate) fn workspace(members: Vec<Member>) -> Workspace {
        Workspace { members }
    }
}
