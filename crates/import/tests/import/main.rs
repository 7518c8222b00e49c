//! The readers, from outside: samples, hostile files, and the rule that nothing is lost in silence.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod complete;
mod hostile;
mod samples;
