//! How a new POP becomes a member: an invitation made on the primary, a proof by the joiner, a pin, and the keyring.
//!
//! - [`invitation`]: the line that travels by hand, and what the primary keeps of it.
//! - [`proof`]: the proof of the secret, bound to both keys and the TLS connection, and the sealing of the keyring.
//! - [`message`]: the bodies of `/pop/join`.
//! - [`judge`]: what the primary answers, pure.
//! - [`primary`]: the primary's side; [`joiner`]: the joiner's.
//!
//! The secret never travels over the network; the keyring leaves only after the pin is committed.

pub(crate) mod invitation;
pub(crate) mod joiner;
pub(crate) mod judge;
pub(crate) mod message;
pub(crate) mod primary;
pub(crate) mod proof;

/// The route of a join: the only one that does not demand a pin.
pub(crate) const JOIN_ROUTE: &str = "/pop/join";
