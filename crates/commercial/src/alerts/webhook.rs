//! Posting alerts to the operator's own URL: each address checked before it is called, no redirects, no proxy, bounded.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use clavitor_core::edition::EditionError;
use clavitor_core::limits;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect;
use tokio::sync::mpsc;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::Notice;
use crate::config;

/// How often one notice is tried again, and how long after each failure.
const RETRIES_S: [u64; 2] = [1, 5];
/// The most bytes that a token file may have.
const TOKEN_BYTES_MAX: u64 = 4 * 1024;

/// A webhook, ready to be called.
pub(crate) struct Webhook {
    client: reqwest::Client,
    url: Url,
}

impl Webhook {
    /// Reads the token and prepares the client.
    ///
    /// # Errors
    /// [`EditionError::Failed`]: the token cannot be read or is none, or the TLS library refuses.
    pub(crate) fn open(config: &config::Webhook) -> Result<Self, EditionError> {
        let mut headers = HeaderMap::new();
        if let Some(path) = &config.token_file {
            headers.insert(AUTHORIZATION, bearer(path)?);
        }
        let timeout = Duration::from_secs(limits::WEBHOOK_TIMEOUT_S);
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .pool_max_idle_per_host(0)
            .dns_resolver(CheckedResolver)
            .build()
            .map_err(|error| EditionError::Failed {
                what: format!("the webhook cannot be prepared: {error}"),
                remedy: "check the system's certificate store".to_owned(),
            })?;
        Ok(Self { client, url: config.url.clone() })
    }

    /// Posts what arrives, in order, until the queue is closed.
    pub(crate) async fn deliver(self, mut queue: mpsc::Receiver<Notice>) {
        while let Some(notice) = queue.recv().await {
            let mut waits = RETRIES_S.iter();
            while let Err(reason) = self.post(&notice).await {
                let Some(wait_s) = waits.next() else {
                    tracing::error!(kind = %notice.kind, reason, "an alert did not reach the webhook; it is in the log");
                    break;
                };
                tokio::time::sleep(Duration::from_secs(*wait_s)).await;
            }
        }
    }

    /// One try. The reason of a failure never repeats the URL, whose path may be a secret.
    pub(super) async fn post(&self, notice: &Notice) -> Result<(), String> {
        let sent = self.client.post(self.url.clone()).json(notice).send().await;
        let mut answer = sent.map_err(|error| error.without_url().to_string())?;
        let mut read = 0;
        while let Some(piece) = answer.chunk().await.map_err(|error| error.without_url().to_string())? {
            read += piece.len();
            if read > limits::WEBHOOK_ANSWER_BYTES_MAX {
                break;
            }
        }
        if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status())) }
    }
}

fn bearer(path: &Path) -> Result<HeaderValue, EditionError> {
    let failed = |what: String| EditionError::Failed {
        what,
        remedy: "write the token into that file, alone, readable by this process".to_owned(),
    };
    let unreadable =
        |error| failed(format!("the webhook token {} could not be read: {error}", path.display()));
    if std::fs::metadata(path).map_err(unreadable)?.len() > TOKEN_BYTES_MAX {
        return Err(failed(format!("{} is too large for a webhook token", path.display())));
    }
    let token = Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
    let text = Zeroizing::new(format!("Bearer {}", token.trim()));
    let header = HeaderValue::from_str(&text).ok().filter(|_| !token.trim().is_empty());
    let mut header = header.ok_or_else(|| failed(format!("{} holds no webhook token", path.display())))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Resolves once, drops what must not be called, and hands over exactly the addresses that were checked.
struct CheckedResolver;

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let own_name = name.as_str() == "localhost";
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let checked: Vec<SocketAddr> = found
                .filter(|address| {
                    let ip = address.ip().to_canonical();
                    may_be_called(ip) && (own_name || !ip.is_loopback())
                })
                .collect();
            if checked.is_empty() {
                return Err("the webhook's host has no address that may be called".into());
            }
            let addresses: Addrs = Box::new(checked.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address may be called at all: never link-local ones (metadata services), multicast or unspecified ones.
pub(crate) fn may_be_called(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            !(v4.is_unspecified() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast())
        }
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_unicast_link_local() || v6.is_multicast()),
    }
}

/// The address that a URL names as a literal: the resolver never sees it.
pub(crate) fn literal_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}
