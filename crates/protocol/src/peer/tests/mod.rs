//! Tests of a peer's machine: by example for each promise, and with random events for what must always hold.

mod bench;
mod links;
mod random;
mod refusals;
mod retries;
mod rounds;
