//! What happened, as a hash always and as text when asked for.

/// The trace of a run.
pub(crate) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(with_text: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: with_text.then(Vec::new) }
    }

    /// Folds a number into the hash.
    pub(crate) fn fold(&mut self, value: u64) {
        self.hash = (self.hash ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    /// Adds a line, where text is wanted; it is made only then.
    pub(crate) fn line(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }

    pub(crate) fn wants_text(&self) -> bool {
        self.lines.is_some()
    }

    pub(crate) fn finish(self) -> (u64, Vec<String>) {
        (self.hash, self.lines.unwrap_or_default())
    }
}
