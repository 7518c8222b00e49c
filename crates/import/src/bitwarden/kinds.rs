//! The blocks that belong to one type each: login, card, identity, SSH key, secure note.

use clavitor_core::entry::{FieldKind, Tier};
use zeroize::Zeroizing;

use crate::builder::Builder;
use crate::json::Json;
use crate::report::Level;
use crate::walk::{Object, reason};

const CREDENTIALS_IN_URL: &str =
    "the URL holds a log-in; it is kept whole in a concealed field, and without the log-in as the URL";
const MATCH_KEPT: &str = "kept as a field; matching follows our own rules";

/// A key of the source, our name of the field, its kind and the tier where it lies at least.
type Rule = (&'static str, &'static str, FieldKind, Tier);

const CARD: [Rule; 6] = [
    ("cardholderName", "cardholder", FieldKind::Text, Tier::Credential),
    ("brand", "brand", FieldKind::Text, Tier::Credential),
    ("number", "card number", FieldKind::CardNumber, Tier::Identity),
    ("expMonth", "expiry month", FieldKind::Text, Tier::Credential),
    ("expYear", "expiry year", FieldKind::Text, Tier::Credential),
    ("code", "security code", FieldKind::CardCode, Tier::Identity),
];

const IDENTITY: [Rule; 17] = [
    ("title", "title", FieldKind::Text, Tier::Credential),
    ("firstName", "first name", FieldKind::Text, Tier::Credential),
    ("middleName", "middle name", FieldKind::Text, Tier::Credential),
    ("lastName", "last name", FieldKind::Text, Tier::Credential),
    ("address1", "address 1", FieldKind::Text, Tier::Credential),
    ("address2", "address 2", FieldKind::Text, Tier::Credential),
    ("address3", "address 3", FieldKind::Text, Tier::Credential),
    ("city", "city", FieldKind::Text, Tier::Credential),
    ("state", "state", FieldKind::Text, Tier::Credential),
    ("postalCode", "postal code", FieldKind::Text, Tier::Credential),
    ("country", "country", FieldKind::Text, Tier::Credential),
    ("company", "company", FieldKind::Text, Tier::Credential),
    ("email", "e-mail", FieldKind::Email, Tier::Credential),
    ("phone", "phone", FieldKind::Phone, Tier::Credential),
    ("ssn", "social security number", FieldKind::GovernmentId, Tier::Identity),
    ("passportNumber", "passport number", FieldKind::GovernmentId, Tier::Identity),
    ("licenseNumber", "licence number", FieldKind::GovernmentId, Tier::Identity),
];

const SSH_KEY: [Rule; 3] = [
    ("privateKey", "private key", FieldKind::PrivateKey, Tier::Credential),
    ("publicKey", "public key", FieldKind::PublicKey, Tier::Vault),
    ("keyFingerprint", "fingerprint", FieldKind::Text, Tier::Vault),
];

/// Reads every block that is there, whatever the type says: a block that does not belong to it holds values too.
pub(super) fn read_all(item: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>) {
    if let Some(mut login) = item.object("login") {
        read_login(&mut login, entry);
    }
    for (key, rules) in [("card", CARD.as_slice()), ("identity", &IDENTITY), ("sshKey", &SSH_KEY)] {
        if let Some(mut block) = item.object(key) {
            if key == "identity" {
                username(&mut block, entry);
            }
            by_rules(&mut block, entry, rules);
        }
    }
    if let Some(mut note) = item.object("secureNote") {
        note.internal("type", "Bitwarden knows one type of note only");
    }
}

fn by_rules(block: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>, rules: &[Rule]) {
    for &(key, name, kind, tier) in rules {
        if let Some(value) = block.text(key) {
            entry.field(&block.at(key), name, kind, tier, value);
        }
    }
}

fn username(block: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>) {
    if let Some(name) = block.text("username") {
        entry.username(&block.at("username"), name);
    }
}

fn read_login(login: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>) {
    username(login, entry);
    let rules = [
        ("password", "password", FieldKind::Password, Tier::Credential),
        ("totp", "totp", FieldKind::Totp, Tier::Credential),
    ];
    by_rules(login, entry, &rules);
    let path = format!("{}[]", login.at("uris"));
    for json in login.list("uris") {
        if let Some(mut uri) = Object::open(entry.scope, path.clone(), json) {
            read_uri(&mut uri, entry);
        }
    }
    let path = format!("{}[]", login.at("fido2Credentials"));
    for json in login.list("fido2Credentials") {
        if matches!(json, Json::Object(_)) {
            let whole = json.to_line();
            entry.field(&path, "passkey", FieldKind::Passkey, Tier::Credential, whole);
        } else {
            entry.scope.leave(path.clone(), reason::UNEXPECTED, json);
        }
    }
}

fn read_uri(uri: &mut Object<'_, '_>, entry: &mut Builder<'_, '_>) {
    let path = uri.at("uri");
    let mut name = "match".to_owned();
    if let Some(url) = uri.text("uri") {
        match without_login(&url) {
            Some(stripped) => {
                entry.scope.note(Level::Moved, &path, CREDENTIALS_IN_URL);
                entry.field(&path, "url with log-in", FieldKind::Concealed, Tier::Credential, url);
                entry.url(&path, Zeroizing::new(stripped));
            }
            None => entry.url(&path, url),
        }
        name = format!("match of url {}", entry.urls());
    }
    let path = uri.at("match");
    let Some(number) = uri.number("match") else { return };
    let how = match number {
        0 => "base domain",
        1 => "host",
        2 => "starts with",
        3 => "exact",
        4 => "regular expression",
        5 => "never",
        _ => {
            let number = Json::Number(number.into());
            entry.scope.leave(path, reason::UNEXPECTED, number);
            return;
        }
    };
    entry.scope.note(Level::Moved, &path, MATCH_KEPT);
    entry.field(&path, &name, FieldKind::Text, Tier::Vault, Zeroizing::new(how.to_owned()));
}

/// A URL without the log-in in front of its host; `None` where it has none. URLs lie where the server can read them.
fn without_login(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let (login, host) = authority.rsplit_once('@')?;
    login.contains(':').then(|| format!("{scheme}://{host}{}", &rest[authority.len()..]))
}

#[cfg(test)]
mod tests {
    use super::without_login;

    #[test]
    fn a_log_in_inside_a_url_is_found() {
        let stripped = without_login("https://ann:hunter2@host.example:8443/a@b?c:d@e");
        assert_eq!(stripped.as_deref(), Some("https://host.example:8443/a@b?c:d@e"));
        for plain in ["https://host.example/a:b@c", "https://ann@host.example", "mailto:ann@host", "host", ""]
        {
            assert_eq!(without_login(plain), None, "{plain}");
        }
    }
}
