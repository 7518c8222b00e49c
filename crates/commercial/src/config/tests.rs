//! One table of bad configurations: what is said, on which line.

use super::*;

const GOOD: &str = r#"
listen = "127.0.0.1:1984"
[replication]
pop = "calgary-01"
role = "primary"
listen = "0.0.0.0:1985"
[[replication.backups]]
pop = "zurich-01"
url = "https://zurich-01.example.org:1985"
[alerts]
webhook = { url = "https://alerts.example.org/x", token = { file = "/etc/token" } }
"#;

#[test]
fn a_good_configuration_is_read_whole() {
    let config = parse(GOOD).unwrap();
    let replication = config.replication.unwrap();
    assert_eq!(replication.pop.as_str(), "calgary-01");
    assert_eq!(replication.role, Role::Primary);
    assert_eq!(replication.listen.port(), 1985);
    assert_eq!(replication.backups.len(), 1);
    assert_eq!(config.webhook.unwrap().token_file, Some(PathBuf::from("/etc/token")));
}

#[test]
fn no_tables_are_no_problem() {
    assert_eq!(parse("listen = \"127.0.0.1:1\"\n"), Ok(Config::default()));
}

#[track_caller]
fn check(text: &str, expected: &[(usize, &str)]) {
    let problems = parse(text).unwrap_err();
    let got: Vec<_> = problems.iter().map(|problem| (problem.line, problem.what.as_str())).collect();
    assert_eq!(got, expected);
    assert!(problems.iter().all(|problem| !problem.remedy.is_empty()), "each has a remedy");
}

#[test]
fn all_problems_come_together_with_their_lines() {
    let text = "[replication]\npop = \"Calgary\"\nrol = \"primary\"\nlisten = 7\n[alerts]\nwebhok = 1\n";
    check(
        text,
        &[
            (1, "replication has no role"),
            (2, "replication.pop is not a POP name"),
            (3, "replication has no key \"rol\""),
            (4, "replication.listen is not a text"),
            (6, "alerts has no key \"webhok\""),
        ],
    );
    let problems = parse(text).unwrap_err();
    assert_eq!(problems[2].remedy, "did you mean \"role\"?");
    assert_eq!(problems[4].remedy, "did you mean \"webhook\"?");
}

const BASE: &str = "[replication]\npop = \"a\"\nlisten = \"0.0.0.0:1\"\n";
const PRIMARY: &str =
    "[replication.primary]\npop = \"p\"\nurl = \"https://p:1\"\npublic_url = \"https://v\"\n";

#[test]
fn roles_do_not_mix() {
    check(&format!("{BASE}role = \"backup\"\n"), &[(4, "a backup does not name its primary")]);
    check(&format!("{BASE}role = \"primary\"\n{PRIMARY}"), &[(5, "a primary has no primary")]);
    check(&format!("{BASE}role = \"leader\"\n"), &[(4, "replication.role is not a known word")]);
    let backups = "[[replication.backups]]\npop = \"b\"\nurl = \"https://b:1\"\n";
    check(
        &format!("{BASE}role = \"backup\"\n{PRIMARY}{backups}"),
        &[(5, "replication has both backups and a primary: a node has one role")],
    );
    check(
        &format!("{BASE}role = \"backup\"\n{backups}"),
        &[(4, "a backup does not name its primary"), (5, "a backup passes nothing on")],
    );
}

#[test]
fn names_and_urls_are_unique() {
    let text = format!(
        "{BASE}role = \"primary\"\n[[replication.backups]]\npop = \"a\"\nurl = \"https://b:1\"\n\
         [[replication.backups]]\npop = \"c\"\nurl = \"https://b:1\"\n\
         [[replication.backups]]\npop = \"c\"\nurl = \"https://d:1\"\n"
    );
    check(
        &text,
        &[
            (6, "this POP is listed as its own backup"),
            (10, "two backups share a URL"),
            (12, "two backups share a name"),
        ],
    );
    let own = PRIMARY.replace("\"p\"", "\"a\"");
    check(&format!("{BASE}role = \"backup\"\n{own}"), &[(6, "this POP is listed as its own primary")]);
}

#[test]
fn a_secret_is_never_a_value_and_never_repeated() {
    let text = "[alerts]\nwebhook = { url = \"https://h/\", token = \"hunter2\" }\n";
    check(text, &[(2, "alerts.webhook.token is a secret given as a value")]);
    assert!(!format!("{:?}", parse(text)).contains("hunter2"));
    let text = "[alerts]\nwebhook = { url = \"https://u:hunter2@h/\" }\n";
    check(text, &[(2, "alerts.webhook.url holds a secret (user or password)")]);
    assert!(!format!("{:?}", parse(text)).contains("hunter2"));
}

#[test]
fn urls_are_what_they_must_be() {
    for (url, what) in [
        ("nonsense", "alerts.webhook.url is not a URL"),
        ("http://alerts.example.org/", "alerts.webhook.url is not encrypted"),
        ("https://169.254.169.254/", "alerts.webhook.url points to an address that is never called"),
        ("https://[::ffff:169.254.1.1]/", "alerts.webhook.url points to an address that is never called"),
    ] {
        check(&format!("[alerts]\nwebhook = {{ url = \"{url}\" }}\n"), &[(2, what)]);
    }
    for (url, what) in [
        ("http://b:1", "replication.url is not an https URL with a host"),
        ("https://b:1/path", "replication.url has more than a host and a port"),
        ("https://u@b:1", "replication.url has more than a host and a port"),
    ] {
        check(&format!("{BASE}role = \"primary\"\nurl = \"{url}\"\n"), &[(5, what)]);
    }
}

#[test]
fn broken_toml_is_one_problem() {
    let problems = parse("[replication\npop = 1\n").unwrap_err();
    assert_eq!((problems.len(), problems[0].line), (1, 1));
}
