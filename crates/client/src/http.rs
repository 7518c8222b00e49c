//! One HTTP connection pool towards one node: requests with bounds, answers with bounds, problems as errors.

use std::path::Path;
use std::time::Duration;

use clavitor_core::api::PRIMARY_LOCATION;
use clavitor_core::limits;
use clavitor_core::order::Version;
use clavitor_core::problem::{Problem, code};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::error::ClientError;

/// The most that is read of an answer: a page of the largest entries is below it in practice.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The connections to one node.
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    /// For errors.
    name: String,
}

/// A request, before it is sent.
pub(crate) struct Call {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl Http {
    /// Towards a URL. Only its origin is used.
    pub(crate) fn new(server: &Url, timeout: Duration) -> Result<Self, ClientError> {
        check_server(server)?;
        let client = builder(timeout).build();
        Self::built(client, server.clone(), server.origin().ascii_serialization())
    }

    /// Towards a Unix socket.
    pub(crate) fn unix(socket: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let client = builder(timeout).unix_socket(socket).build();
        let base = Url::parse("http://localhost").expect("a constant URL");
        Self::built(client, base, socket.display().to_string())
    }

    fn built(client: reqwest::Result<reqwest::Client>, base: Url, name: String) -> Result<Self, ClientError> {
        let client = client.map_err(|e| ClientError::BadServer { what: chain(&e) })?;
        Ok(Self { client, base, name })
    }

    /// The origin that is dialled, as a log-in signs it.
    pub(crate) fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// A request. `path`: the segments below `/api/v1`, escaped here.
    pub(crate) fn call(&self, method: Method, path: &[&str]) -> Call {
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.path_segments_mut().expect("an http URL has a path").clear().extend(["api", "v1"]).extend(path);
        Call { method, url, headers: HeaderMap::new(), body: None }
    }

    /// Sends and reads a JSON answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        let response = self.accepted(call).await?;
        let bytes = self.body(response).await?;
        serde_json::from_slice(&bytes)
            .map_err(|e| self.bad_answer(format!("its JSON: {:?} error", e.classify())))
    }

    /// Sends; the answer's body does not matter.
    pub(crate) async fn empty(&self, call: Call) -> Result<(), ClientError> {
        self.accepted(call).await.map(drop)
    }

    /// Sends, and turns every refusal into an error.
    async fn accepted(&self, call: Call) -> Result<Response, ClientError> {
        let mut request = self.client.request(call.method, call.url).headers(call.headers);
        if let Some(body) = call.body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        if status.is_success() { Ok(response) } else { Err(self.refusal(status, response).await) }
    }

    async fn refusal(&self, status: StatusCode, response: Response) -> ClientError {
        let header = response.headers().get(PRIMARY_LOCATION);
        let primary_location = header.and_then(|v| v.to_str().ok()).map(str::to_owned);
        let bytes = match self.body(response).await {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        let Ok(problem) = serde_json::from_slice::<Problem>(&bytes) else {
            return self.bad_answer(format!("status {}", status.as_u16()));
        };
        let problem = Box::new(problem);
        match problem.code.as_str() {
            code::NOT_FOUND => ClientError::NotFound { what: problem.title },
            code::CHANGED => {
                ClientError::Changed { current: problem.current_version.map(Version), problem: Some(problem) }
            }
            code::READ_ONLY_BACKUP => ClientError::ReadOnly { primary_location, problem },
            _ => ClientError::Refused(problem),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.bad_answer(format!("more than {ANSWER_BYTES_MAX} bytes")));
            }
            bytes.extend(&chunk);
        }
        Ok(bytes)
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let reason = if error.is_timeout() { "no answer in time".to_owned() } else { chain(error) };
        ClientError::Unreachable { server: self.name.clone(), reason }
    }

    /// An answer that the API does not provide for.
    pub(crate) fn bad_answer(&self, what: impl Into<String>) -> ClientError {
        ClientError::BadAnswer { server: self.name.clone(), what: what.into() }
    }
}

impl Call {
    /// Adds `Authorization: <scheme> <secret>`, kept out of every log.
    pub(crate) fn authorize(mut self, scheme: &str, secret: &str) -> Result<Self, ClientError> {
        let mut value = HeaderValue::try_from(format!("{scheme} {secret}"))
            .map_err(|_| ClientError::BadServer { what: format!("the {scheme} secret is not one line") })?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// Adds a header of our own making.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::try_from(value).expect("a header value of our own is ASCII"));
        self
    }

    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Adds a JSON body.
    pub(crate) fn body<T: Serialize>(self, body: &T) -> Self {
        self.encoded_body(encode(body))
    }

    /// Adds a body that [`encode`] made.
    pub(crate) fn encoded_body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }
}

/// A type of the API as JSON.
pub(crate) fn encode<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).expect("the API's types have text keys")
}

fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(timeout.min(Duration::from_secs(limits::PEER_CONNECT_TIMEOUT_S)))
        .timeout(timeout)
        .referer(false)
        .user_agent(concat!("clavitor/", env!("CARGO_PKG_VERSION")))
}

/// Only https, or http to this machine: a proof or session never travels in the clear.
fn check_server(server: &Url) -> Result<(), ClientError> {
    let bad = |what: &str| Err(ClientError::BadServer { what: what.to_owned() });
    let loopback = match server.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return bad("it names no host; write it as https://vault.example.org"),
    };
    if !server.username().is_empty() || server.password().is_some() {
        return bad("it must not contain a user name or password");
    }
    if !matches!(server.path(), "" | "/") {
        return bad("it must not contain a path");
    }
    match server.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => bad("http goes only to this machine; use https"),
        _ => bad("it must start with https:// (or http:// for this machine)"),
    }
}

/// An error and its sources, once each.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = if text.is_empty() { next } else { format!("{text}: {next}") };
        }
        source = error.source();
    }
    if text.is_empty() { "the request failed".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine() {
        let check = |url: &str| check_server(&Url::parse(url).unwrap()).is_ok();
        for good in [
            "https://vault.example.org",
            "https://vault.example.org:8443/",
            "http://localhost:1984",
            "http://127.0.0.1:1984",
            "http://[::1]:1984",
        ] {
            assert!(check(good), "{good}");
        }
        for bad in [
            "http://vault.example.org",
            "http://localhost.example.org",
            "http://192.0.2.1",
            "ftp://localhost",
            "https://me:secret@vault.example.org",
            "https://vault.example.org/below",
            "data:text/plain,x",
        ] {
            assert!(!check(bad), "{bad}");
        }
    }

    #[test]
    fn no_text_leaves_its_path_segment() {
        let server = Url::parse("http://localhost:1?x=1#y").unwrap();
        let http = Http::new(&server, Duration::from_secs(1)).unwrap();
        let call = http.call(Method::GET, &["vaults", "../a?b#c"]).query("title", "a&b=c");
        assert_eq!(call.url.as_str(), "http://localhost:1/api/v1/vaults/..%2Fa%3Fb%23c?title=a%26b%3Dc");
        assert_eq!(http.origin(), "http://localhost:1");
    }
}
