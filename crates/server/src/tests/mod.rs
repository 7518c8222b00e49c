//! The API without sockets, as a client meets it: `router.oneshot`, real seals, a clock that the test moves.

mod backups;
mod bed;
mod bodies;
mod entries;
mod gates;
mod lists;
mod logins;
mod operators;
mod serving;
mod setup;
mod starting;
