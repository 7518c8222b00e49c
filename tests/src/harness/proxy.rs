//! A TCP proxy that can go silent: it stands between two nodes where a test needs a network that swallows everything.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A proxy on loopback, on a thread of its own, so that it works while the test blocks.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Bytes pass.
    Open { target: SocketAddr },
    /// Connections stay, or are accepted, and nothing passes: a black hole.
    Silent { target: SocketAddr },
    /// The test is over.
    Ended,
}

impl Proxy {
    /// Starts a proxy towards an address, where somebody may listen later.
    ///
    /// # Errors
    /// When no port could be bound.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let (state, watched) = watch::channel(State::Open { target });
        let (bound, address) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("proxy".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(serve(watched, bound));
        })?;
        let address = address.recv().context("the proxy could not bind a port")?;
        Ok(Self { address, state, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nothing pass any more; connections stay open and new ones are accepted.
    pub fn go_silent(&self) {
        self.state.send_modify(|state| *state = State::Silent { target: state.target() });
    }

    /// Lets bytes pass again. What was swallowed is lost, so connections of the silent time are broken: they are closed.
    pub fn heal(&self) {
        self.state.send_modify(|state| *state = State::Open { target: state.target() });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.send_replace(State::Ended);
        if let Some(thread) = self.thread.take() {
            // A proxy that panicked has nothing more to end.
            let _ = thread.join();
        }
    }
}

impl State {
    fn target(self) -> SocketAddr {
        match self {
            Self::Open { target } | Self::Silent { target } => target,
            Self::Ended => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
}

async fn serve(mut state: watch::Receiver<State>, bound: mpsc::SyncSender<SocketAddr>) {
    let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await else { return };
    let Ok(address) = listener.local_addr() else { return };
    if bound.send(address).is_err() {
        return;
    }
    let watched = state.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(carry(stream, watched.clone()));
                }
            }
            ended = state.wait_for(|state| *state == State::Ended) => {
                drop(ended);
                return;
            }
        }
    }
}

/// Carries one connection until it ends, or until the network changes under it.
async fn carry(near: TcpStream, mut state: watch::Receiver<State>) {
    let began = *state.borrow_and_update();
    let State::Open { target } = began else {
        swallow(near, state).await;
        return;
    };
    let Ok(far) = TcpStream::connect(target).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        _ = async { tokio::join!(pass(near_read, far_write, state.clone()), pass(far_read, near_write, state.clone())) } => {}
        _ = until_healed(state.clone()) => {}
    }
}

/// Accepts everything and answers nothing, until the network is whole again.
async fn swallow(mut stream: TcpStream, state: watch::Receiver<State>) {
    let reading = async {
        let mut buffer = vec![0; 16 * 1024];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        // The other side gave up; nothing says so to anybody.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = reading => {}
        () = until_healed(state) => {}
    }
}

/// Ends when a silent time is over.
async fn until_healed(mut state: watch::Receiver<State>) {
    if state.wait_for(|state| !matches!(state, State::Open { .. })).await.is_ok() {
        let _ = state.wait_for(|state| !matches!(state, State::Silent { .. })).await;
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: watch::Receiver<State>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return };
        let silent = !matches!(*state.borrow(), State::Open { .. });
        if silent {
            if read == 0 {
                // This side gave up; nothing says so to the other.
                std::future::pending::<()>().await;
            }
            continue;
        }
        let sent = read > 0 && to.write_all(&buffer[..read]).await.is_ok();
        if !sent {
            let _ = to.shutdown().await;
            return;
        }
    }
}
