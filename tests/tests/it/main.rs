//! The one integration binary: real processes of the edition that is built, in temporary folders, on loopback.
//!
//! Which edition it is, the server says. What only the commercial edition can do is left out of a community run, loudly.

mod configuration;
mod editions;
mod idle;
mod joining;
mod outages;
mod replication;
mod secrets;
mod support;
mod vault;
