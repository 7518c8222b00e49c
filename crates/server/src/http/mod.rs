//! The node over HTTP: routes, who may ask from where, bodies, and every refusal as a problem (RFC 9457).
//!
//! A handler is one extractor, one call of the node, one conversion. Nothing here decides what a caller may do.

mod body;
mod entries;
mod gate;
mod login;
mod operator;
mod origin;
mod problem;
mod request;
mod routes;
mod status;
mod vaults;

pub(crate) use gate::Peer;
#[cfg(test)]
pub(crate) use gate::within;
pub(crate) use operator::OperatorUid;
pub(crate) use origin::Origins;
#[cfg(test)]
pub(crate) use routes::{OnBackup, ROUTES, around};
pub(crate) use routes::{operator_router, public_router};
