//! Members of a cell: the payload of a `pop` record, which is also the pin store.

use minicbor::{Decode, Encode};

use crate::ids::PopName;
use crate::order::Fingerprint;

/// One member. A pin is its `key`; name and role come from here, never from a certificate or a message.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Member {
    /// Its name.
    #[n(0)]
    pub pop: PopName,
    /// Where its POP listener is reached, `https://host:port`; empty for one that is never dialled.
    #[n(1)]
    pub url: String,
    /// Where its users reach it.
    #[n(2)]
    pub public_url: String,
    /// The SHA-256 of its identity key's SubjectPublicKeyInfo.
    #[n(3)]
    pub key: Fingerprint,
    /// Whether a promotion signed by it counts.
    #[n(4)]
    pub may_lead: bool,
    /// Whether it never gets the keyring.
    #[n(5)]
    pub blind: bool,
}
