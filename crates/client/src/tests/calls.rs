//! Every call, done right and lied to.

use axum::response::IntoResponse as _;
use clavitor_core::api::PRIMARY_LOCATION;
use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::{EntryType, FieldKind};
use clavitor_core::exit;
use clavitor_core::ids::{CellId, ImportId, RecordId};
use clavitor_core::order::Version;
use clavitor_core::problem::code;
use clavitor_core::secret::SecretText;
use serde_json::{Value, json};

use super::node::{Node, problem};
use crate::{Change, ClientError, OpenVault, Query};

const PASSPHRASE: &str = "nine copper kettles hum at dusk";

fn text(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

fn draft(title: &str, url: &str) -> EntryDraft {
    let mut draft = EntryDraft::new(EntryType::Login, title);
    draft.urls.push(url.to_owned());
    draft.push("password", FieldKind::Password, "hunter2".into());
    draft.push("pin", FieldKind::Pin, "1234".into());
    draft
}

async fn open_vault() -> (Node, OpenVault) {
    let node = Node::start().await;
    node.client().setup(&text("setup"), "home", &text(PASSPHRASE)).await.unwrap();
    let vault = node.client().unlock("home", &text(PASSPHRASE)).await.unwrap();
    (node, vault)
}

async fn unlock_error(node: &Node, passphrase: &str) -> ClientError {
    node.client().unlock("home", &text(passphrase)).await.expect_err("the unlock must be refused")
}

#[tokio::test]
async fn unlocking_refuses_what_was_not_enrolled() {
    let node = Node::start().await;
    let weak = node.client().setup(&text("setup"), "home", &text("password1234")).await.unwrap_err();
    assert_eq!((weak.exit_code(), node.state().requests.len()), (exit::USAGE, 0), "{weak}");
    node.client().setup(&text("setup"), "home", &text(PASSPHRASE)).await.unwrap();

    let refused = unlock_error(&node, "another long passphrase").await;
    assert_eq!(refused.problem().unwrap().code, code::UNLOCK_REFUSED);
    assert_eq!(refused.exit_code(), exit::DENIED);

    node.lie(|what, json| {
        if what == "POST /api/v1/unlock/start" {
            json["kdf"]["memory_kib"] = json!(8);
        }
    });
    node.state().requests.clear();
    let weakened = unlock_error(&node, PASSPHRASE).await;
    assert!(matches!(weakened, ClientError::Derive(_)), "{weakened}");
    assert_eq!(node.state().requests, ["POST /api/v1/unlock/start"], "no proof was sent");

    for (pointer, value) in [
        ("/vault_id", json!(RecordId::NIL)),
        ("/unlocker_id", json!(RecordId::NIL)),
        ("/generation", json!(2)),
        ("/wrapped_key", json!("AQEBAQ==")),
    ] {
        node.lie(move |what, json| {
            if what == "POST /api/v1/unlock" {
                *json.pointer_mut(pointer).unwrap() = value.clone();
            }
        });
        let tampered = unlock_error(&node, PASSPHRASE).await;
        assert!(matches!(tampered, ClientError::Tampered { .. }), "{pointer}: {tampered}");
    }
}

#[tokio::test]
async fn a_log_in_signs_the_origin_that_was_dialled() {
    let (node, vault) = open_vault().await;
    assert_eq!(vault.cell(), CellId::NIL);
    node.client().sign_in(&vault).await.unwrap();
    node.state().origin = "https://vault.example.org".into();
    let refused = node.client().sign_in(&vault).await.unwrap_err();
    assert_eq!(refused.problem().unwrap().code, code::NOT_AUTHENTICATED);
}

#[tokio::test]
async fn an_entry_goes_its_whole_way() {
    let (node, vault) = open_vault().await;
    let created = vault.create(&draft("Bank", "https://bank.example")).await.unwrap();
    assert_eq!(created.version, Version(1));
    let stored = serde_json::to_string(&node.state().entries[&created.id].1).unwrap();
    assert!(!stored.contains("hunter2"), "the node never sees a secret value");

    let mut entry = vault.get(created.id).await.unwrap();
    assert_eq!(entry.draft.field("password").unwrap().value.expose(), "hunter2");
    entry.draft.fields[0].value = text("correct");
    assert_eq!(vault.update(&entry).await.unwrap().version, Version(2));
    let late = vault.update(&entry).await.unwrap_err();
    assert!(matches!(late, ClientError::Changed { current: Some(Version(9)), .. }), "{late}");
    assert_eq!(late.exit_code(), exit::CHANGED);

    let read = vault.get(created.id).await.unwrap();
    assert_eq!(read.draft.field("password").unwrap().value.expose(), "correct");
    let stale = vault.put(created.id, Version(1), draft("Bank", "https://bank.example")).await.unwrap_err();
    assert!(matches!(stale, ClientError::Changed { current: Some(Version(2)), .. }), "{stale}");
    let third = vault.put(created.id, Version(2), read.draft).await.unwrap();
    assert_eq!(third.version, Version(3));
    let taken = vault.create_as(created.id, &draft("Bank", "https://bank.example")).await.unwrap_err();
    assert_eq!(taken.problem().unwrap().code, code::EXISTS);
    assert!(vault.delete(created.id, Version(2)).await.is_err());
    vault.delete(created.id, Version(3)).await.unwrap();
    let gone = vault.get(created.id).await.unwrap_err();
    assert_eq!(gone.exit_code(), exit::NOT_FOUND);
    assert_eq!(vault.summary().await.unwrap().name, "home");
    vault.sign_out().await.unwrap();
}

#[tokio::test]
async fn a_session_that_ended_is_renewed_once() {
    let (node, vault) = open_vault().await;
    let id = vault.create(&draft("Bank", "https://bank.example")).await.unwrap().id;
    node.state().sessions += 1; // the token of before is no longer good
    vault.get(id).await.unwrap();
    node.state().requests.clear();
    node.instead(|what| what.contains("/entries").then(|| problem(401, code::NOT_AUTHENTICATED)));
    let refused = vault.get(id).await.unwrap_err();
    assert_eq!(refused.exit_code(), exit::DENIED);
    assert_eq!(node.state().requests.len(), 4, "read, challenge, session, read: {:?}", node.state().requests);
}

#[tokio::test]
async fn finding_opens_exactly_the_entry_asked_for() {
    let (node, vault) = open_vault().await;
    let bank = vault.create(&draft("Bank", "https://www.bank.example:8443/in")).await.unwrap();
    let mail = vault.create(&draft("Mail", "https://mail.example")).await.unwrap();
    let find = async |query: Query| vault.find(&query).await;
    assert_eq!(find(Query::Title(" bank ".into())).await.unwrap().id, bank.id);
    assert_eq!(find(Query::Host("https://WWW.bank.example/out".into())).await.unwrap().id, bank.id);
    assert_eq!(find(Query::Id(mail.id)).await.unwrap().draft.title, "Mail");
    let missing = find(Query::Title("Shop".into())).await.unwrap_err();
    assert_eq!(
        (missing.exit_code(), missing.to_string()),
        (exit::NOT_FOUND, "no entry has the title \"Shop\"".into())
    );
    assert!(matches!(find(Query::Host("   ".into())).await, Err(ClientError::NotFound { .. })));

    let second = vault.create(&draft("Bank", "https://other.example")).await.unwrap();
    let several = find(Query::Title("Bank".into())).await.unwrap_err();
    assert!(several.to_string().contains(&bank.id.to_string()), "{several}");
    assert!(several.to_string().contains(&second.id.to_string()), "{several}");
    assert!(matches!(several, ClientError::Ambiguous { matches } if matches.len() == 2));
    vault.delete(second.id, Version(1)).await.unwrap();

    // The node answers with the row of another entry, which is itself whole: only the comparison notices.
    node.lie(move |what, json| {
        if what.ends_with("/entries") {
            json["items"][0]["id"] = json!(mail.id);
        }
    });
    for query in [Query::Title("Bank".into()), Query::Host("www.bank.example".into())] {
        let other = find(query).await.unwrap_err();
        assert_eq!(
            (other.exit_code(), matches!(other, ClientError::Tampered { .. })),
            (exit::CHECK_FAILED, true)
        );
    }
}

#[tokio::test]
async fn an_entry_that_was_altered_is_refused() {
    let (node, vault) = open_vault().await;
    let id = vault.create(&draft("Bank", "https://bank.example")).await.unwrap().id;
    let other = vault.create(&draft("Mail", "https://mail.example")).await.unwrap().id;
    let stranger = serde_json::to_value(&node.state().entries[&other].1).unwrap();
    let lies: [(&str, Value); 6] = [
        ("/id", json!(other)),
        ("/version", json!(2)),
        ("/entry", stranger),
        ("/entry/vault/title", json!("Another bank")),
        ("/entry/vault/urls/0", json!("https://bank.example.evil.example")),
        ("/entry/vault/fields/1/tier", json!("credential")),
    ];
    for (pointer, value) in lies {
        node.lie(move |what, json| {
            if what.starts_with("GET") {
                *json.pointer_mut(pointer).unwrap() = value.clone();
            }
        });
        let tampered = vault.get(id).await.unwrap_err();
        assert_eq!(tampered.exit_code(), exit::CHECK_FAILED, "{pointer}: {tampered}");
    }
    node.state().lie = None;
    let entry = vault.get(id).await.unwrap();
    node.lie(|what, json| {
        if what.starts_with("PUT") {
            json["version"] = json!(7);
        }
    });
    assert!(matches!(vault.update(&entry).await, Err(ClientError::BadAnswer { .. })));
}

#[tokio::test]
async fn operations_are_capped_before_anything_is_sent() {
    let (node, vault) = open_vault().await;
    let create =
        |n: usize| Change::Create { id: None, draft: draft(&format!("entry {n}"), "https://a.example") };
    let import = ImportId::from_parts(1, &[1; 10]);
    let done = vault.operations((0..5).map(create).collect(), Some(import)).await.unwrap();
    assert_eq!(done.entries.len(), 5);
    let rows = vault.list_all().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>().len(), 5, "five entries are three pages");
    let mut first = vault.get(done.entries[0].0).await.unwrap();
    assert_eq!(first.import_id(), Some(import));
    first.draft.title = "renamed".into();
    let (renamed, gone) = (first.id, done.entries[1].0);
    let changes = vec![Change::Update(Box::new(first)), Change::Delete { id: gone, version: Version(1) }];
    let done = vault.operations(changes, None).await.unwrap();
    assert_eq!(done.entries, [(renamed, Version(2)), (gone, Version(2))]);
    assert_eq!(vault.get(renamed).await.unwrap().draft.title, "renamed");

    node.state().requests.clear();
    let too_many = vault.operations((0..257).map(create).collect(), None).await.unwrap_err();
    assert_eq!(too_many.exit_code(), exit::LIMIT);
    let none = vault.operations(vec![], None).await.unwrap_err();
    assert!(matches!(none, ClientError::OperationSize { changes: 0, .. }));
    let large = |n: usize| {
        let mut draft = draft(&format!("entry {n}"), "https://a.example");
        draft.push("note", FieldKind::Note, "x".repeat(150_000));
        Change::Create { id: None, draft }
    };
    assert!(vault.operations((0..4).map(large).collect(), None).await.is_err());
    assert_eq!(node.state().requests, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_that_goes_in_circles_ends() {
    let (node, vault) = open_vault().await;
    for title in ["a", "b"] {
        vault.create(&draft(title, "https://a.example")).await.unwrap();
    }
    node.lie(|what, json| {
        if what.ends_with("/entries") {
            json["next_cursor"] = json!(RecordId::NIL);
        }
    });
    assert!(matches!(vault.list_all().await, Err(ClientError::BadAnswer { .. })));
}

#[tokio::test]
async fn a_backup_refuses_writes_and_names_the_primary() {
    let (node, vault) = open_vault().await;
    let id = vault.create(&draft("Bank", "https://bank.example")).await.unwrap().id;
    node.instead(|what| {
        let refused =
            || ([(PRIMARY_LOCATION, "https://calgary.example.org")], problem(503, code::READ_ONLY_BACKUP));
        what.starts_with("PUT").then(|| refused().into_response())
    });
    vault.get(id).await.unwrap();
    let refused = vault.create(&draft("Shop", "https://shop.example")).await.unwrap_err();
    assert_eq!(refused.exit_code(), exit::READ_ONLY);
    let ClientError::ReadOnly { primary_location, .. } = refused else { panic!("{refused}") };
    assert_eq!(primary_location.as_deref(), Some("https://calgary.example.org"));
}

#[tokio::test]
async fn redirects_and_strange_answers_are_errors() {
    let (node, vault) = open_vault().await;
    let other = Node::start().await;
    let elsewhere = other.state().origin.clone();
    node.instead(move |_| {
        Some((axum::http::StatusCode::TEMPORARY_REDIRECT, [("location", elsewhere.clone())]).into_response())
    });
    assert!(matches!(vault.summary().await, Err(ClientError::BadAnswer { .. })));
    assert_eq!(other.state().requests, Vec::<String>::new(), "nobody else was asked");
    node.instead(|_| Some("not json".into_response()));
    assert!(matches!(vault.summary().await, Err(ClientError::BadAnswer { .. })));
    node.instead(|_| Some((axum::http::StatusCode::BAD_GATEWAY, "<html>").into_response()));
    assert!(matches!(vault.summary().await, Err(ClientError::BadAnswer { .. })));
}

#[tokio::test]
async fn an_absent_node_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let error = crate::AdminClient::new(folder.path()).unwrap().status().await.unwrap_err();
    assert_eq!(error.exit_code(), exit::UNREACHABLE, "{error}");
    assert!(error.to_string().contains("admin.sock"), "{error}");
}
