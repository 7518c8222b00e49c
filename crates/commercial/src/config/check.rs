//! What the edition's tables may say, key by key, and the rules between them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clavitor_core::edition::ConfigProblem;
use clavitor_core::ids::PopName;
use clavitor_core::replica::Role;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::section::{Found, Problems, Section};
use super::{Backup, Config, Primary, Replication, Webhook};

const REPLICATION_KEYS: [&str; 7] = ["pop", "role", "listen", "identity_file", "url", "backups", "primary"];

pub(super) fn parse(text: &str) -> Result<Config, Vec<ConfigProblem>> {
    let mut problems = Problems::new(text);
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            problems.at(&span, format!("not TOML: {}", error.message()), "correct the syntax");
            return Err(problems.into_sorted());
        }
    };
    let find =
        |name: &str| document.get_ref().iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value);
    let replication = find("replication").and_then(|value| replication(value, &mut problems));
    let webhook = find("alerts").and_then(|value| alerts(value, &mut problems));
    let found = problems.into_sorted();
    if found.is_empty() { Ok(Config { replication, webhook }) } else { Err(found) }
}

/// `[replication]`. `None` only where a problem was noted.
fn replication(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Replication> {
    let section = Section::open("replication", value, &REPLICATION_KEYS, problems)?;
    let pop = pop(&section, "calgary-01", problems);
    let role = section.word::<Role>("role", &["primary", "backup"], problems);
    let listen = section.required("listen", "0.0.0.0:1985", problems);
    let listen = section.convert("listen", listen, problems, |text| {
        text.parse::<SocketAddr>().map_err(|_| {
            let what = "is not an address with a port".to_owned();
            (what, "write listen = \"0.0.0.0:1985\" or \"[::]:1985\"".to_owned())
        })
    });
    let identity_file = section.text("identity_file", problems).map(|found| PathBuf::from(found.value));
    let url = section.text("url", problems);
    let url = section.convert("url", url, problems, pop_url);
    let backups = section.get("backups").map(|value| backups(value, problems)).unwrap_or_default();
    let primary = section.get("primary").and_then(|value| primary(value, problems));
    rules_between(&section, pop.as_ref(), role.as_ref(), &backups, primary.as_ref(), problems);
    Some(Replication {
        pop: pop?.value,
        role: role?.value,
        listen: listen?.value,
        identity_file,
        url: url.map(|found| found.value),
        backups: backups
            .into_iter()
            .map(|backup| Backup { pop: backup.pop.value, url: backup.url.value })
            .collect(),
        primary: primary.map(|found| Primary {
            pop: found.pop.value,
            url: found.url.value,
            public_url: found.public_url.value,
        }),
    })
}

struct FoundBackup {
    pop: Found<PopName>,
    url: Found<Url>,
}

struct FoundPrimary {
    pop: Found<PopName>,
    url: Found<Url>,
    public_url: Found<Url>,
}

fn backups(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Vec<FoundBackup> {
    let DeValue::Array(items) = value.get_ref() else {
        problems.at(
            &value.span(),
            "replication.backups is not a list",
            "write each as [[replication.backups]]",
        );
        return Vec::new();
    };
    let mut found = Vec::new();
    for item in items.iter() {
        let Some(section) = Section::open("replication.backups", item, &["pop", "url"], problems) else {
            continue;
        };
        let pop = pop(&section, "zurich-01", problems);
        let url = section.required("url", "https://zurich-01.example.org:1985", problems);
        let url = section.convert("url", url, problems, pop_url);
        if let (Some(pop), Some(url)) = (pop, url) {
            found.push(FoundBackup { pop, url });
        }
    }
    found
}

fn primary(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<FoundPrimary> {
    let section = Section::open("replication.primary", value, &["pop", "url", "public_url"], problems)?;
    let pop = pop(&section, "calgary-01", problems);
    let url = section.required("url", "https://calgary-01.example.org:1985", problems);
    let url = section.convert("url", url, problems, pop_url);
    let public_url = section.required("public_url", "https://vault.example.org", problems);
    let public_url = section.convert("public_url", public_url, problems, public_location);
    Some(FoundPrimary { pop: pop?, url: url?, public_url: public_url? })
}

fn pop(section: &Section<'_, '_>, example: &str, problems: &mut Problems<'_>) -> Option<Found<PopName>> {
    let found = section.required("pop", example, problems);
    section.convert("pop", found, problems, |text| {
        text.parse::<PopName>().map_err(|_| {
            let what = "is not a POP name".to_owned();
            (what, format!("use 1 to 63 of a-z, 0-9 and '-', such as {example}"))
        })
    })
}

/// A URL on which a POP listener is reached: `https://host:port`, nothing after it.
pub(crate) fn pop_url(text: &str) -> Result<Url, (String, String)> {
    let refusal = |what: &str| {
        (what.to_owned(), "write it as https://host:port, without user, path or query".to_owned())
    };
    let url = Url::parse(text).map_err(|_| refusal("is not a URL"))?;
    if url.scheme() != "https" || url.host_str().is_none() {
        return Err(refusal("is not an https URL with a host"));
    }
    if url.path() != "/" || has_extras(&url) {
        return Err(refusal("has more than a host and a port"));
    }
    Ok(url)
}

fn public_location(text: &str) -> Result<Url, (String, String)> {
    let refusal = |what: &str| (what.to_owned(), "write it as https://vault.example.org".to_owned());
    let url = Url::parse(text).map_err(|_| refusal("is not a URL"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(refusal("is not an https URL with a host"));
    }
    if has_extras(&url) {
        return Err(refusal("has a user, a query or a fragment"));
    }
    Ok(url)
}

fn has_extras(url: &Url) -> bool {
    !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
}

fn rules_between(
    section: &Section<'_, '_>,
    pop: Option<&Found<PopName>>,
    role: Option<&Found<Role>>,
    backups: &[FoundBackup],
    primary: Option<&FoundPrimary>,
    problems: &mut Problems<'_>,
) {
    let span_of = |key: &str| section.get(key).map_or_else(|| section.span.clone(), Spanned::span);
    let (has_backups, has_primary) = (section.get("backups").is_some(), section.get("primary").is_some());
    if has_backups && has_primary {
        let what = "replication has both backups and a primary: a node has one role";
        problems.at(
            &span_of("primary"),
            what,
            "keep [replication.primary] on a backup, [[replication.backups]] on a primary",
        );
    } else if role.is_some_and(|role| role.value == Role::Backup) && has_backups {
        problems.at(
            &span_of("backups"),
            "a backup passes nothing on",
            "remove [[replication.backups]], or set role = \"primary\"",
        );
    } else if role.is_some_and(|role| role.value == Role::Primary) && has_primary {
        problems.at(
            &span_of("primary"),
            "a primary has no primary",
            "remove [replication.primary], or set role = \"backup\"",
        );
    }
    if role.is_some_and(|role| role.value == Role::Backup) && !has_primary {
        let span = role.map_or_else(|| section.span.clone(), |role| role.span.clone());
        problems.at(
            &span,
            "a backup does not name its primary",
            "add [replication.primary] with pop, url and public_url",
        );
    }
    if let (Some(own), Some(primary)) = (pop, primary)
        && own.value == primary.pop.value
    {
        problems.at(
            &primary.pop.span,
            "this POP is listed as its own primary",
            "give the name of the other POP",
        );
    }
    for (index, backup) in backups.iter().enumerate() {
        if pop.is_some_and(|own| own.value == backup.pop.value) {
            problems.at(
                &backup.pop.span,
                "this POP is listed as its own backup",
                "remove it from [[replication.backups]]",
            );
        }
        let earlier = &backups[..index];
        if earlier.iter().any(|other| other.pop.value == backup.pop.value) {
            problems.at(&backup.pop.span, "two backups share a name", "give each its own");
        }
        if earlier.iter().any(|other| other.url.value == backup.url.value) {
            problems.at(&backup.url.span, "two backups share a URL", "give each its own");
        }
    }
}

/// `[alerts]`.
fn alerts(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Webhook> {
    let section = Section::open("alerts", value, &["webhook"], problems)?;
    let section = Section::open("alerts.webhook", section.get("webhook")?, &["url", "token"], problems)?;
    let url = section.required("url", "https://alerts.example.org/clavitor", problems);
    let url = section.convert("url", url, problems, webhook_url)?;
    let token_file = match section.get("token") {
        None => None,
        Some(token) => Some(secret_file("alerts.webhook.token", token, problems)?),
    };
    Some(Webhook { url: url.value, token_file })
}

/// `{ file = "…" }`. A secret that stands in the file itself is a problem, and is not repeated.
fn secret_file(name: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<PathBuf> {
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        let remedy = "put it into a file with mode 0600 and write { file = \"/path\" }; replace the secret, it may have been read";
        problems.at(&value.span(), format!("{name} is a secret given as a value"), remedy);
        return None;
    }
    let section = Section::open(name, value, &["file"], problems)?;
    section.required("file", "/etc/clavitor/webhook-token", problems).map(|found| PathBuf::from(found.value))
}

fn webhook_url(text: &str) -> Result<Url, (String, String)> {
    let url =
        Url::parse(text).map_err(|_| ("is not a URL".to_owned(), "write https://host/path".to_owned()))?;
    let loopback = match url.host() {
        Some(url::Host::Domain(host)) => host == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(("has no host".to_owned(), "write https://host/path".to_owned())),
    };
    if !(url.scheme() == "https" || url.scheme() == "http" && loopback) {
        let what = "is not encrypted".to_owned();
        return Err((what, "use https; plain http is allowed to this machine only".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let what = "holds a secret (user or password)".to_owned();
        return Err((what, "use token = { file = \"/path\" }".to_owned()));
    }
    if let Some(address) = crate::alerts::literal_address(&url)
        && !crate::alerts::may_be_called(address)
    {
        let what = "points to an address that is never called".to_owned();
        return Err((what, "use the address of your alert receiver".to_owned()));
    }
    Ok(url)
}
