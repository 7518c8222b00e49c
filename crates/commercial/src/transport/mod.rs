//! How messages travel between POPs: one listener, one client per peer, HTTP/1.1 over mutually pinned TLS 1.3.
//!
//! An idle connection costs no timer and no wake-up on either end: the kernel's keep-alive finds a dead peer.

pub(crate) mod body;
pub(crate) mod client;
mod gate;
pub(crate) mod listener;

use std::time::Duration;

/// `POST`: a greeting.
pub(crate) const HELLO_ROUTE: &str = "/api/replication/hello";
/// `POST`: a batch.
pub(crate) const APPLY_ROUTE: &str = "/api/replication/apply";
/// `POST`: the live link.
pub(crate) const WATCH_ROUTE: &str = "/api/replication/watch";
/// The content type of every body.
pub(crate) const CBOR: &str = "application/cbor";

/// An idle connection is probed by the kernel after this long.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
/// Between probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Unanswered probes until the connection is dead.
const KEEPALIVE_RETRIES: u32 = 3;
/// What was sent must be acknowledged within this time.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Sets what every POP connection has, on a connection that was accepted or dialled by hand.
///
/// # Errors
/// When the kernel refuses an option.
pub(crate) fn prepare_socket(stream: &tokio::net::TcpStream) -> std::io::Result<()> {
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_tcp_nodelay(true)
}

/// What went wrong, with its causes, without the URL.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
