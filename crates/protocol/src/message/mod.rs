//! What travels between POPs: numbered-field messages behind one format byte, sizes checked before and
//! after reading.
//!
//! The bodies of `POST /api/replication/hello` ([`Hello`], answered by [`Reply`]), `/apply` ([`Apply`],
//! [`Reply`]) and `/watch` ([`Watch`], answered by a stream of [`LinkEvent`] frames, see [`crate::frame`]).
//! It never decides anything.

mod bodies;
mod codec;
mod refusal;
#[cfg(test)]
mod tests;

pub use bodies::{
    Ack, Apply, DENIED_MAX, Denied, FORMAT, FORMATS, FormatRange, Hello, LINK_EVENT_BYTES_MAX, LinkEvent,
    POINTS_MAX, Point, PositionReply, Reply, Request, SMALL_BYTES_MAX, Session, Watch,
};
pub use codec::{DecodeError, Message, decode, encode};
pub use refusal::Refusal;
