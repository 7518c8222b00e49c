//! What is wrong with a configuration, with its place.

use std::fmt;
use std::path::Path;

use clavitor_core::edition::ConfigProblem;
use clavitor_core::exit;
use serde::Serialize;

/// One problem and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Located {
    /// `FILE:LINE`, the name of an environment variable, or a flag.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Whether the other edition would accept it.
    pub other_edition: bool,
}

impl Located {
    /// A problem that this edition and the other share.
    pub fn new(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), remedy: remedy.into(), other_edition: false }
    }

    /// A problem that an edition found in its own tables.
    pub fn from_edition(file: &Path, problem: ConfigProblem) -> Self {
        let place = match problem.line {
            0 => file.display().to_string(),
            line => format!("{}:{line}", file.display()),
        };
        Self { place, what: problem.what, remedy: problem.remedy, other_edition: problem.other_edition }
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    {}", self.place, self.what, self.remedy)
    }
}

/// Every problem of a configuration: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Located>);

impl ConfigErrors {
    /// 13 where the other edition would accept the configuration's tables, else 11.
    pub fn exit_code(&self) -> u8 {
        if self.0.iter().any(|problem| problem.other_edition) {
            exit::OTHER_EDITION
        } else {
            exit::CHECK_FAILED
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
