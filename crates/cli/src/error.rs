//! How a command fails: an exit code, what happened, and what to do. The only place that prints an error.

use std::io::Write;

use clavitor_core::exit;

/// A command that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One of `clavitor_core::exit`.
    pub(crate) code: u8,
    /// What happened; never a secret.
    pub(crate) what: String,
    /// What was kept, and what to do; may be empty.
    pub(crate) hint: String,
}

impl Failure {
    /// A failure with its exit code.
    pub(crate) fn new(code: u8, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, what: what.into(), hint: hint.into() }
    }

    /// A wrong command line.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(exit::USAGE, what, hint)
    }

    /// Something unexpected.
    pub(crate) fn unexpected(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(exit::UNEXPECTED, what, hint)
    }

    /// Whoever read our output went away: no error, as for any filter.
    pub(crate) fn is_quiet(&self) -> bool {
        self.what.is_empty()
    }

    /// Prints it on two lines. Control characters do not reach the terminal.
    pub(crate) fn print(&self, to: &mut dyn Write) {
        if self.is_quiet() {
            return;
        }
        // Nothing can be done where even this cannot be written.
        let _ = writeln!(to, "error: {}", crate::render::printable(&self.what));
        if !self.hint.is_empty() {
            let _ = writeln!(to, " hint: {}", crate::render::printable(&self.hint));
        }
    }
}

impl From<std::io::Error> for Failure {
    /// A failure to write to standard output or error.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(exit::OK, "", "");
        }
        Self::unexpected(format!("the output could not be written: {error}"), "")
    }
}
