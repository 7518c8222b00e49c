//! The one form of a title, host or vault name that is compared and looked up: the same on client and server.

use url::Url;

/// A title: trimmed, lower-cased.
pub fn normalise_title(title: &str) -> String {
    title.trim().to_lowercase()
}

/// The name of a vault: trimmed, lower-cased.
pub fn normalise_vault_name(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The host of a URL, or of a text such as `example.org:8443/path`: lower-cased (international names in their ASCII
/// form), without user, port and closing dot. `None` where there is no host.
pub fn normalise_host(url: &str) -> Option<String> {
    let text = url.trim();
    let parsed = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("https://{text}")) };
    let host = parsed.ok()?.host_str()?.to_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_compare_without_port_case_or_user() {
        let check = |url: &str, host: Option<&str>| assert_eq!(normalise_host(url).as_deref(), host, "{url}");
        check("https://Mail.Example.org:8443/inbox?q=1#x", Some("mail.example.org"));
        check("http://me:pw@example.org./", Some("example.org"));
        check("example.org", Some("example.org"));
        check(" Example.org:8443/login ", Some("example.org"));
        check("localhost:1984", Some("localhost"));
        check("ssh://Git.Example.org:22", Some("git.example.org"));
        check("https://[::1]:1984", Some("[::1]"));
        check("https://bücher.example/", Some("xn--bcher-kva.example"));
        check("http://192.0.2.7/", Some("192.0.2.7"));
        for none in ["", "   ", "https://", "not a host", "file:///etc/hosts"] {
            check(none, None);
        }
    }

    #[test]
    fn titles_and_names_compare_trimmed_and_without_case() {
        assert_eq!(normalise_title("  ÜBER Bank "), "über bank");
        assert_eq!(normalise_vault_name("\tHome\n"), "home");
    }
}
