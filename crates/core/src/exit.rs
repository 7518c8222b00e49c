//! Exit codes of the `clavitor` binary. Never renumbered.

/// All went well.
pub const OK: u8 = 0;
/// Something unexpected.
pub const UNEXPECTED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// Not found.
pub const NOT_FOUND: u8 = 3;
/// Denied by scope or tier, or the log-in failed.
pub const DENIED: u8 = 4;
/// Locked.
pub const LOCKED: u8 = 5;
/// Changed meanwhile by someone else.
pub const CHANGED: u8 = 6;
/// A limit was reached.
pub const LIMIT: u8 = 7;
/// The server cannot be reached.
pub const UNREACHABLE: u8 = 8;
/// The node is read-only, or its copy is too old.
pub const READ_ONLY: u8 = 9;
/// Finished, with items skipped.
pub const SKIPPED: u8 = 10;
/// A check failed.
pub const CHECK_FAILED: u8 = 11;
/// Warnings only.
pub const WARNINGS: u8 = 12;
/// Needs the other edition.
pub const OTHER_EDITION: u8 = 13;
/// The person declined.
pub const DECLINED: u8 = 14;
