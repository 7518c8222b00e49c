//! The dialling side: one client per peer, pinned to that peer's key. It keeps its connection warm and retries nothing.

use std::time::Duration;

use clavitor_core::edition::EditionError;
use clavitor_core::limits;
use clavitor_core::order::Fingerprint;
use clavitor_protocol::frame::FrameReader;
use clavitor_protocol::message::{self, LinkEvent, Message, Reply, Request, Watch};
use http::{StatusCode, header};
use url::Url;

use super::{
    APPLY_ROUTE, CBOR, HELLO_ROUTE, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES, USER_TIMEOUT,
    WATCH_ROUTE, chain_of,
};
use crate::identity::Identity;
use crate::tls;

/// Talks to one peer.
pub(crate) struct PeerClient {
    http: reqwest::Client,
    hello: Url,
    apply: Url,
    watch: Url,
}

impl PeerClient {
    /// Prepares a client; nothing is dialled yet.
    ///
    /// # Errors
    /// [`EditionError::Failed`] when the identity key does not fit.
    pub(crate) fn new(identity: &Identity, base: &Url, pin: Fingerprint) -> Result<Self, EditionError> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(identity, pin)?)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(None)
            .pool_max_idle_per_host(1)
            .connect_timeout(Duration::from_secs(limits::PEER_CONNECT_TIMEOUT_S))
            .tcp_nodelay(true)
            .tcp_keepalive(KEEPALIVE_IDLE)
            .tcp_keepalive_interval(KEEPALIVE_INTERVAL)
            .tcp_keepalive_retries(KEEPALIVE_RETRIES);
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(USER_TIMEOUT);
        let failed = |what: String| EditionError::Failed {
            what: format!("no client towards another POP could be prepared: {what}"),
            remedy: "check the URLs of the members".to_owned(),
        };
        let http = builder.build().map_err(|error| failed(chain_of(&error)))?;
        let route = |path: &str| base.join(path).map_err(|error| failed(error.to_string()));
        Ok(Self { http, hello: route(HELLO_ROUTE)?, apply: route(APPLY_ROUTE)?, watch: route(WATCH_ROUTE)? })
    }

    /// Sends one request and waits for its answer, for a bounded time.
    ///
    /// # Errors
    /// Why there is none, in a phrase for the operator.
    pub(crate) async fn send(&self, request: &Request) -> Result<Reply, String> {
        let (url, body) = match request {
            Request::Hello(hello) => (&self.hello, message::encode(hello)),
            Request::Apply(apply) => (&self.apply, message::encode(apply.as_ref())),
        };
        let timeout = Duration::from_secs(limits::PEER_REQUEST_TIMEOUT_S);
        let request = self.post(url, body).timeout(timeout);
        let mut answer = request.send().await.map_err(phrase)?;
        expect_message(&answer)?;
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(phrase)? {
            if bytes.len() + piece.len() > Reply::BYTES_MAX {
                return Err("the answer is larger than any answer can be".to_owned());
            }
            bytes.extend_from_slice(&piece);
        }
        message::decode(&bytes).map_err(|error| format!("the answer does not decode: {error}"))
    }

    /// Opens the live link and waits for its first event, for a bounded time.
    ///
    /// # Errors
    /// Why there is none, in a phrase for the operator.
    pub(crate) async fn open_link(&self, watch: &Watch) -> Result<OpenLink, String> {
        let opening = async {
            let answer = self.post(&self.watch, message::encode(watch)).send().await.map_err(phrase)?;
            expect_message(&answer)?;
            let mut link = OpenLink { answer, reader: FrameReader::default() };
            match link.next().await? {
                LinkEvent::Opened { .. } => Ok(link),
                LinkEvent::Refused(refusal) => Err(format!("the primary refused the link: {refusal}")),
            }
        };
        let timeout = Duration::from_secs(limits::PEER_REQUEST_TIMEOUT_S);
        let opened = tokio::time::timeout(timeout, opening).await;
        opened.unwrap_or_else(|_| Err("the primary did not open the link in time".to_owned()))
    }

    fn post(&self, url: &Url, body: Vec<u8>) -> reqwest::RequestBuilder {
        self.http.post(url.clone()).header(header::CONTENT_TYPE, CBOR).body(body)
    }
}

/// An open link. Dropping it closes it.
pub(crate) struct OpenLink {
    answer: reqwest::Response,
    reader: FrameReader,
}

impl OpenLink {
    /// The next event. Waits without a timer.
    ///
    /// # Errors
    /// Why the link has ended.
    pub(crate) async fn next(&mut self) -> Result<LinkEvent, String> {
        loop {
            if let Some(event) = self.reader.next_message::<LinkEvent>() {
                return event.map_err(|error| format!("an event on the link does not decode: {error}"));
            }
            match self.answer.chunk().await.map_err(phrase)? {
                Some(piece) => self.reader.push(&piece),
                None => return Err("the primary closed the link".to_owned()),
            }
        }
    }
}

/// Whether the answer is one of ours, whatever its status; a peer that does not know our pin answers 403 without one.
fn expect_message(answer: &reqwest::Response) -> Result<(), String> {
    let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type == Some(CBOR) {
        return Ok(());
    }
    Err(match answer.status() {
        StatusCode::FORBIDDEN => "it does not know this POP's key: it is not a member there".to_owned(),
        status => format!("it answered {status}"),
    })
}

fn phrase(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_body() || error.is_decode() {
        // The library's chain ends in advice to programmers; to an operator a killed peer is a connection that ended.
        "the connection ended: the other POP has stopped, or the network between has failed".to_owned()
    } else {
        chain_of(&error)
    }
}
