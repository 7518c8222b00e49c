//! Entries, sealed and opened where the keys are: data key, manifest, credential and identity fields.
//!
//! Sealing always makes every sealed value anew at the new version; the data key and its wraps are kept, so that a
//! scope that holds a wrap keeps it.

mod manifest;
mod open;
mod place;
mod seal;
#[cfg(test)]
mod tests;

pub use self::open::{OpenError, open};
pub use self::place::Place;
pub use self::seal::{SEAL_BYTES, SealError, manifest_bytes_max, seal};
