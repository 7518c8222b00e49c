//! The client against a node that keeps what it is sent, and against the same node lying.

mod calls;
mod node;
