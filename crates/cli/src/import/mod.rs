//! Importing: a plan made from the file and the vault, shown before anything is written, then operations.

pub(crate) mod plan;
pub(crate) mod run;
