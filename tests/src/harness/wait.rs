//! Waiting for a state, with a deadline, and finding a free port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// How long any one step may take.
pub const STEP_LIMIT: Duration = Duration::from_secs(60);
/// How often a state that cannot tell us that it changed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks at a state until it is there.
///
/// - `what`: for the error, as in "waited 60 s for …".
/// - `look`: answers `None` while it is not there; its errors end the wait.
///
/// # Errors
/// When the limit passed, or when `look` failed.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let looking = async {
        loop {
            if let Some(found) = look().await? {
                return Ok::<T, anyhow::Error>(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(STEP_LIMIT, looking).await {
        Ok(found) => found.with_context(|| format!("while waiting for {what}")),
        Err(_) => bail!("waited {} s for {what}", STEP_LIMIT.as_secs()),
    }
}

/// An address on loopback that nobody listens on, for a listener whose URL must be known before it is bound. Below the
/// range from which the system takes ports for outgoing connections, so that none of those takes it meanwhile.
///
/// # Errors
/// When none was found.
pub fn free_address() -> Result<SocketAddr> {
    const FIRST: u16 = 20_000;
    const COUNT: u64 = 12_000;
    for _ in 0..100 {
        let offset = u16::try_from(clavitor_crypto::random::u64() % COUNT)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + offset));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port on loopback")
}
