//! Every way in which a configuration can be wrong is told at once, with its place.

use std::collections::BTreeMap;

use clavitor_core::exit;

use super::{Config, ConfigErrors, KeyringPlace, LogFormat, Overrides, Sources};
use crate::edition;

fn load(text: &str, env: &[(&str, &str)], flags: Overrides) -> Result<Config, ConfigErrors> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clavitor.toml");
    std::fs::write(&path, text).unwrap();
    let mut env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    env.entry("HOME".into()).or_insert("/home/ada".into());
    let flags = Overrides { config: Some(path), ..flags };
    Sources { env: &|name| env.get(name).cloned(), flags }.load()
}

/// Each problem as `line what | remedy`.
fn problems(text: &str) -> Vec<String> {
    let errors = load(text, &[], Overrides::default()).unwrap_err();
    let line = |place: &str| place.rsplit(':').next().unwrap_or_default().to_owned();
    errors.0.iter().map(|p| format!("{} {} | {}", line(&p.place), p.what, p.remedy)).collect()
}

#[test]
fn nothing_needs_to_be_said() {
    let config = load("", &[], Overrides::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:1984");
    assert_eq!(config.data_dir.to_str(), Some("/home/ada/.local/share/clavitor"));
    assert_eq!(config.keyring, KeyringPlace::File("/home/ada/.local/share/clavitor.keyring".into()));
    assert_eq!((config.log.filter.as_str(), config.log.format), ("info", LogFormat::Text));
    let config = load("", &[("XDG_DATA_HOME", "/data")], Overrides::default()).unwrap();
    assert_eq!(config.data_dir.to_str(), Some("/data/clavitor"));
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let text =
        "listen = \"127.0.0.1:1\"\ndata_dir = \"/file\"\n[log]\nfilter = \"warn\"\nformat = \"json\"\n";
    let config = load(text, &[], Overrides::default()).unwrap();
    assert_eq!((config.listen.port(), config.data_dir.to_str()), (1, Some("/file")));
    assert_eq!((config.log.filter.as_str(), config.log.format), ("warn", LogFormat::Json));
    let env =
        [("CLAVITOR_LISTEN", "[::1]:2"), ("CLAVITOR_DATA_DIR", "/env/"), ("CLAVITOR_LOG_FILTER", "debug")];
    let config = load(text, &env, Overrides::default()).unwrap();
    assert_eq!((config.listen.port(), config.data_dir.to_str()), (2, Some("/env/")));
    assert_eq!(config.keyring.path().to_str(), Some("/env.keyring"));
    assert_eq!(config.log.filter, "debug");
    let flags = Overrides {
        listen: Some("127.0.0.1:0".into()),
        data_dir: Some("/flag".into()),
        keyring_file: Some("/keys/node".into()),
        ..Overrides::default()
    };
    let config = load(text, &env, flags).unwrap();
    assert_eq!((config.listen.port(), config.data_dir.to_str()), (0, Some("/flag")));
    assert_eq!(config.keyring.path().to_str(), Some("/keys/node"));
}

#[test]
fn a_credential_of_the_service_manager_is_the_keyring() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().to_str().unwrap().to_owned();
    let env = [("CREDENTIALS_DIRECTORY", credentials.as_str())];
    let without = load("", &env, Overrides::default()).unwrap();
    assert!(matches!(without.keyring, KeyringPlace::File(_)), "no such credential was given");
    let path = folder.path().join("clavitor-keyring");
    std::fs::write(&path, "").unwrap();
    assert_eq!(load("", &env, Overrides::default()).unwrap().keyring, KeyringPlace::Credential(path));
    let named = load("keyring_file = \"/keys/node\"", &env, Overrides::default()).unwrap();
    assert_eq!(named.keyring, KeyringPlace::File("/keys/node".into()));
}

#[test]
fn all_problems_are_told_together_with_line_and_remedy() {
    let found = problems(
        "listne = \"127.0.0.1:1984\"\n\
         public_url = \"vault.example.org\"\n\
         data_dir = 7\n\
         zzz = true\n\
         [log]\n\
         formt = \"json\"\n\
         format = \"yaml\"\n",
    );
    assert_eq!(
        found,
        [
            "3 `data_dir` must be a text | write data_dir = \"…\"",
            "1 unknown key `listne` | did you mean `listen`? Otherwise remove it",
            "6 unknown key `log.formt` | did you mean `log.format`? Otherwise remove it",
            "4 unknown key `zzz` | remove it; the keys here are listen, public_url, data_dir, keyring_file, log, \
             replication, alerts",
            "2 `public_url` is not a URL | write it as https://vault.example.org",
            "7 `log.format` is not a format | write text or json",
        ]
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let found = problems("listen = \"127.0.0.1:1984\"\ndata_dir = \n[log\n");
    assert!(found.iter().any(|problem| problem.starts_with("2 not TOML")), "{found:?}");
    assert!(found.iter().any(|problem| problem.starts_with("3 not TOML")), "{found:?}");
}

#[test]
fn a_listener_that_others_reach_is_refused_without_tls() {
    for listen in ["0.0.0.0:1984", "192.0.2.1:1984", "[::]:1984"] {
        let found = problems(&format!("listen = \"{listen}\""));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("without TLS") && found[0].contains("reverse proxy"), "{found:?}");
    }
    assert!(problems("listen = \"localhost\"")[0].contains("127.0.0.1:1984"));
}

#[test]
fn a_public_url_is_an_origin_that_can_be_trusted() {
    for good in [
        "https://vault.example.org",
        "https://vault.example.org:8443/",
        "http://localhost:1984",
        "http://[::1]:1",
    ] {
        let config = load(&format!("public_url = \"{good}\""), &[], Overrides::default()).unwrap();
        assert!(config.public_url.is_some(), "{good}");
    }
    for bad in [
        "http://vault.example.org",
        "https://vault.example.org/path",
        "https://user:hunter2@vault.example.org",
        "https://vault.example.org?x",
        "ftp://vault.example.org",
        "mailto:a@example.org",
    ] {
        let found = problems(&format!("public_url = \"{bad}\""));
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
        assert!(!found[0].contains("hunter2"));
    }
}

#[test]
fn the_other_editions_tables_are_read_or_refused_with_their_own_exit_code() {
    let text = "listen = \"127.0.0.1:1984\"\n\n[replication]\npop = \"calgary-01\"\nrole = \"primary\"\n\
                listen = \"127.0.0.1:1985\"\n";
    let loaded = load(text, &[], Overrides::default());
    if edition::REPLICATES {
        let config = loaded.unwrap();
        assert!(config.text.is_some_and(|given| given.text == text), "the edition gets all of it");
        let errors = load(&text.replace("primary", "king"), &[], Overrides::default()).unwrap_err();
        assert_eq!((errors.0.len(), errors.exit_code()), (1, exit::CHECK_FAILED), "and judges its tables");
        assert!(errors.0[0].place.ends_with(":5"), "{errors}");
    } else {
        let errors = loaded.unwrap_err();
        assert_eq!((errors.0.len(), errors.exit_code()), (1, exit::OTHER_EDITION));
        assert!(errors.0[0].place.ends_with(":3") && errors.0[0].remedy.contains("--features commercial"));
    }
    let other = load("zzz = 1", &[], Overrides::default()).unwrap_err();
    assert_eq!(other.exit_code(), exit::CHECK_FAILED);
}

#[test]
fn a_named_file_must_be_there() {
    let env = |name: &str| (name == "HOME").then(|| "/home/ada".to_owned());
    let flags = Overrides { config: Some("/no/such/clavitor.toml".into()), ..Overrides::default() };
    let errors = Sources { env: &env, flags }.load().unwrap_err();
    assert!(errors.0[0].place.contains("/no/such/clavitor.toml"), "{errors}");
    let errors = Sources { env: &|_| None, flags: Overrides::default() }.load().unwrap_err();
    assert!(errors.to_string().contains("--data-dir"), "{errors}");
}
