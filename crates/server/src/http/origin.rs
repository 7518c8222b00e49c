//! Which names are ours: in `Host`, in `Origin`, and in what a log-in signed.

use std::net::SocketAddr;

use http::HeaderMap;
use http::header;
use url::Url;

/// The loopback names under which every node can be reached on its own machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names of this node. Everything else is refused: a page of another site, and a name that was made to point here.
#[derive(Debug, Clone)]
pub(crate) struct Origins {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Origins {
    /// The loopback names at `listen`, and the public URL.
    pub(crate) fn new(listen: SocketAddr, public_url: &Url) -> Self {
        let mut hosts: Vec<String> = LOOPBACK.map(str::to_owned).into();
        hosts.extend(public_url.host_str().map(str::to_owned));
        let local =
            LOOPBACK.iter().filter_map(|host| Url::parse(&format!("http://{host}:{}", listen.port())).ok());
        let origins =
            local.chain([public_url.clone()]).map(|url| url.origin().ascii_serialization()).collect();
        Self { hosts, origins }
    }

    /// Whether an origin, as a browser or a client writes it, is ours: scheme, host and port.
    pub(crate) fn is_our_origin(&self, origin: &str) -> bool {
        let Ok(url) = Url::parse(origin) else { return false };
        let origin = url.origin();
        origin.is_tuple() && self.origins.contains(&origin.ascii_serialization())
    }

    /// Whether `host[:port]` is a name of ours, at any port: what matters is the name that a browser resolved.
    fn is_our_host(&self, authority: &str) -> bool {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))
    }

    /// Whether a request is addressed to us, and does not come from a page of another site.
    pub(super) fn admit(&self, headers: &HeaderMap, uri: &http::Uri) -> bool {
        let named = uri.authority().map(http::uri::Authority::as_str);
        let host = header_text(headers, header::HOST);
        let host_is_ours = match (named, host) {
            (None, None) => false,
            (named, host) => named.into_iter().chain(host).all(|name| self.is_our_host(name)),
        };
        let mut origins = headers.get_all(header::ORIGIN).iter();
        host_is_ours && origins.all(|origin| origin.to_str().is_ok_and(|origin| self.is_our_origin(origin)))
    }
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    // A value that is no text names nobody.
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins::new("127.0.0.1:1984".parse().unwrap(), &Url::parse("https://vault.example.org").unwrap())
    }

    #[test]
    fn only_our_own_origins_are_ours() {
        for (origin, ours) in [
            ("http://localhost:1984", true),
            ("http://127.0.0.1:1984", true),
            ("http://[::1]:1984", true),
            ("https://vault.example.org", true),
            ("https://vault.example.org:443", true),
            ("https://VAULT.example.org", true),
            ("http://vault.example.org", false),
            ("https://localhost:1984", false),
            ("http://localhost:1985", false),
            ("https://vault.example.org.evil.example", false),
            ("https://evil.example", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(origins().is_our_origin(origin), ours, "{origin}");
        }
    }

    #[test]
    fn only_our_own_hosts_are_admitted() {
        for (host, ours) in [
            ("localhost:1984", true),
            ("LOCALHOST", true),
            ("127.0.0.1:9", true),
            ("[::1]:1984", true),
            ("[::1]", true),
            ("vault.example.org", true),
            ("vault.example.org:8443", true),
            ("rebound.evil.example:1984", false),
            ("localhost.evil.example", false),
            ("evil.example:localhost", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            assert_eq!(origins().admit(&headers, &"/livez".parse().unwrap()), ours, "{host}");
        }
        assert!(!origins().admit(&HeaderMap::new(), &"/livez".parse().unwrap()), "no host at all");
        let headers = HeaderMap::from_iter([(header::HOST, "localhost".parse().unwrap())]);
        assert!(!origins().admit(&headers, &"http://evil.example/livez".parse().unwrap()));
    }
}
