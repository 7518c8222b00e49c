//! Entries: created, read, updated, deleted, refused.

use clavitor_core::api::{EntryAnswer, OperationChange, OperationRequest, WriteAnswer};
use clavitor_core::audit::{Action, Outcome};
use clavitor_core::order::Version;
use clavitor_crypto::entry::{Place, open};
use clavitor_crypto::random;
use http::Method;

use super::bed::{Bed, Owner, START_MS, new_id};

#[tokio::test]
async fn what_the_owner_sealed_comes_back_and_opens() {
    let bed = Bed::start().await;
    let (owner, id) = (bed.owner().await, new_id());
    let created = bed.send(owner.create(id, "Mail")).await;
    assert_eq!((created.status.as_u16(), created.header("etag")), (201, Some("\"1\"")));
    let written: WriteAnswer = created.read();
    assert_eq!((written.id, written.version), (id, Version(1)));

    let read = bed.send(owner.read(id)).await;
    assert_eq!((read.status.as_u16(), read.header("etag")), (200, Some("\"1\"")));
    let answer: EntryAnswer = read.read();
    let place = Place { vault_id: owner.vault_id, entry_id: id, version: answer.version };
    let opened = open(&owner.key, place, &answer.entry).unwrap();
    assert_eq!(opened.field("password").unwrap().value.expose(), "hunter2");
    assert_eq!((opened.title.as_str(), answer.updated_at_ms), ("Mail", START_MS));

    let updated = bed.send(owner.update(id, 1, "Mail")).await;
    assert_eq!((updated.status.as_u16(), updated.header("etag")), (200, Some("\"2\"")));
    assert_eq!(bed.send(owner.read(id)).await.json["version"], 2);

    let deleted = bed.send(owner.delete(id, 2)).await;
    assert_eq!((deleted.status.as_u16(), deleted.header("etag")), (200, Some("\"3\"")));
    bed.send(owner.read(id)).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn a_write_says_which_version_it_replaces() {
    let bed = Bed::start().await;
    let (owner, id) = (bed.owner().await, new_id());
    bed.send(owner.create(id, "Mail").without("if-none-match"))
        .await
        .is_problem(428, "precondition-required");
    bed.send(owner.update(id, 1, "Mail")).await.is_problem(404, "not-found");
    bed.send(owner.create(id, "Mail")).await;

    let exists = bed.send(owner.create(id, "Mail")).await;
    exists.is_problem(412, "exists");
    assert_eq!((exists.header("etag"), exists.json["current_version"].as_u64()), (Some("\"1\""), Some(1)));
    bed.send(owner.update(id, 1, "Mail")).await;
    for stale in [owner.update(id, 1, "Mail"), owner.update(id, 3, "Mail"), owner.delete(id, 1)] {
        let changed = bed.send(stale).await;
        changed.is_problem(412, "changed");
        assert_eq!(
            (changed.header("etag"), changed.json["current_version"].as_u64()),
            (Some("\"2\""), Some(2))
        );
        assert!(changed.json.get("failed_index").is_none(), "one change needs no index");
    }
    bed.send(owner.delete(id, 2).without("if-match")).await.is_problem(428, "precondition-required");
    bed.send(owner.delete(id, 2).without("if-match").header("if-none-match", "*"))
        .await
        .is_problem(400, "malformed");
    bed.send(owner.update(id, 2, "Mail").header("if-none-match", "*")).await.is_problem(400, "malformed");
    for tag in ["2", "*", "W/\"2\"", "\"2\", \"3\"", "\"x\""] {
        bed.send(owner.update(id, 2, "Mail").header("if-match", tag)).await.is_problem(400, "malformed");
    }
    bed.send(owner.update(id, 2, "Mail").header("if-match", "\"0\"")).await.is_problem(400, "malformed");
    assert_eq!(bed.send(owner.read(id)).await.json["version"], 2, "none of these changed anything");
}

#[tokio::test]
async fn absent_deleted_and_foreign_entries_answer_alike() {
    let bed = Bed::start().await;
    let (owner, id) = (bed.owner().await, new_id());
    let absent = bed.send(owner.read(new_id())).await;
    absent.is_problem(404, "not-found");
    bed.send(owner.create(id, "Mail")).await;
    bed.send(owner.delete(id, 1)).await;
    assert_eq!(bed.send(owner.read(id)).await.comparable(), absent.comparable(), "deleted");
    let vault = format!("/api/v1/vaults/{}/entries/{id}", random::vault_id(START_MS));
    let text = owner.path("/entries/hunter2");
    let record_of_the_vault = owner.entry_path(owner.vault_id.into());
    for path in [vault, text, record_of_the_vault, format!("/api/v1/vaults/hunter2/entries/{id}")] {
        let answer = bed.send(owner.call(Method::GET, &path)).await;
        assert_eq!(answer.comparable(), absent.comparable(), "{path}");
    }
    bed.send(owner.delete(id, 2)).await.is_problem(404, "not-found");
    let again = bed.send(owner.create(id, "Mail")).await;
    again.is_problem(412, "exists");
    assert!(again.header("etag").is_none(), "a tombstone's version is of no use");
}

#[tokio::test]
async fn another_record_is_never_overwritten() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    // The vault's own record and its unlocker live under ids that an entry must not take.
    for id in [owner.vault_id.into(), unlocker_id(&bed, &owner)] {
        bed.send(owner.create(id, "Mail")).await.is_problem(412, "exists");
        bed.send(owner.update(id, 1, "Mail")).await.is_problem(404, "not-found");
        bed.send(owner.delete(id, 1)).await.is_problem(404, "not-found");
    }
    bed.sign_in(&owner).await;
}

fn unlocker_id(bed: &Bed, owner: &Owner) -> clavitor_core::ids::RecordId {
    let kind = clavitor_core::kind::Kind::UNLOCKER;
    bed.app.store.list(owner.vault_id, kind, None, 1).unwrap()[0].record.id
}

fn create(owner: &Owner, id: clavitor_core::ids::RecordId, title: &str) -> OperationChange {
    OperationChange::Create { id, entry: Box::new(owner.entry(id, 1, title, "hunter2")) }
}

#[tokio::test]
async fn an_operation_is_done_whole_or_not_at_all() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let (one, two, three) = (new_id(), new_id(), new_id());
    let operate = |changes, import_id| {
        let request = OperationRequest { changes, import_id };
        bed.send(owner.call(Method::POST, &owner.path("/operations")).json(&request))
    };
    let import_id = Some(random::import_id(START_MS));
    let done = operate(vec![create(&owner, one, "One"), create(&owner, two, "Two")], import_id).await;
    assert_eq!((done.status.as_u16(), done.json["versions"].to_string()), (200, "[1,1]".to_owned()));
    let read: EntryAnswer = bed.send(owner.read(two)).await.read();
    assert_eq!(read.entry.import_id, import_id);

    let update = Box::new(owner.entry(one, 2, "One", "hunter3"));
    let changes = vec![
        OperationChange::Update { id: one, if_version: Version(1), entry: update },
        OperationChange::Delete { id: two, if_version: Version(7) },
        create(&owner, three, "Three"),
    ];
    let refused = operate(changes, None).await;
    refused.is_problem(412, "changed");
    assert_eq!(
        (refused.json["failed_index"].as_u64(), refused.json["current_version"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(bed.send(owner.read(one)).await.json["version"], 1, "nothing of it was done");
    bed.send(owner.read(three)).await.is_problem(404, "not-found");

    let absent = operate(vec![OperationChange::Delete { id: three, if_version: Version(1) }], None).await;
    absent.is_problem(404, "not-found");
    assert_eq!(absent.json["failed_index"], 0);
    operate(Vec::new(), None).await.is_problem(422, "invalid");
    let many = (0..257).map(|_| OperationChange::Delete { id: new_id(), if_version: Version(1) }).collect();
    operate(many, None).await.is_problem(422, "invalid");
}

#[tokio::test]
async fn wrong_values_are_named_and_never_repeated() {
    let bed = Bed::start().await;
    let (owner, id) = (bed.owner().await, new_id());
    let mut entry = owner.entry(id, 1, "Mail", "hunter2");
    entry.vault.fields[0].value = Some("hunter2".into());
    entry.sealed[0].sealed_at = Version(2);
    let call = owner.call(Method::PUT, &owner.entry_path(id)).header("if-none-match", "*").json(&entry);
    let answer = bed.send(call).await;
    answer.is_problem(422, "invalid");
    let pointers: Vec<_> = answer.json["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
    assert_eq!(pointers, ["/vault/fields/0/value", "/sealed/0/sealed_at"]);
    assert!(!answer.json.to_string().contains("hunter2"));

    let changes = vec![
        create(&owner, new_id(), "One"),
        OperationChange::Create { id: new_id(), entry: Box::new(entry) },
    ];
    let request = OperationRequest { changes, import_id: None };
    let answer = bed.send(owner.call(Method::POST, &owner.path("/operations")).json(&request)).await;
    assert_eq!(answer.json["errors"][0]["pointer"], "/changes/1/entry/vault/fields/0/value");
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused() {
    let bed = Bed::start().await;
    let (owner, id) = (bed.owner().await, new_id());
    let mut entry = owner.entry(id, 1, "Mail", "hunter2");
    entry.manifest = vec![0; clavitor_core::limits::RECORD_BYTES_MAX];
    let call = owner.call(Method::PUT, &owner.entry_path(id)).header("if-none-match", "*").json(&entry);
    bed.send(call).await.is_problem(413, "too-large");
    bed.send(owner.read(id)).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn every_write_read_and_log_in_leaves_its_row() {
    let bed = Bed::start().await;
    let (owner, id) = (bed.owner().await, new_id());
    bed.send(owner.create(id, "Mail")).await;
    bed.send(owner.read(id).header("x-request-id", "from-the-caller")).await;
    bed.send(owner.read(new_id())).await;
    bed.send(owner.update(id, 1, "Mail")).await;
    bed.send(owner.update(id, 1, "Mail")).await.is_problem(412, "changed");
    bed.send(owner.delete(id, 2)).await;
    bed.send(bed.login(&owner, "http://evil.example").await).await;
    let keys = bed.app.node.keys();
    let rows = bed.app.store.audit_rows(0, 100).unwrap();
    let events: Vec<_> = rows.iter().map(|row| keys.open_audit(&row.event).unwrap()).collect();
    let told: Vec<_> = events.iter().map(|event| (event.action, event.outcome)).collect();
    assert_eq!(
        told,
        [
            (Action::VaultCreate, Outcome::Ok),
            (Action::Login, Outcome::Ok),
            (Action::EntryCreate, Outcome::Ok),
            (Action::EntryRead, Outcome::Ok),
            (Action::EntryRead, Outcome::NotFound),
            (Action::EntryUpdate, Outcome::Ok),
            (Action::EntryDelete, Outcome::Ok),
            (Action::Login, Outcome::Denied),
        ]
    );
    let read = &events[3];
    assert_eq!((read.record_id, read.request_id.as_deref()), (Some(id), Some("from-the-caller")));
    assert!(read.address.as_ref().is_some_and(|address| address.starts_with("10.")));
}

#[tokio::test]
async fn no_secret_leaves_without_its_audit_row() {
    let bed = Bed::start().await;
    let (owner, id) = (bed.owner().await, new_id());
    bed.send(owner.create(id, "Mail")).await;
    bed.app.store.close().unwrap();
    let answer = bed.send(owner.read(id)).await;
    answer.is_problem(503, "audit-unavailable");
    assert!(answer.json.get("entry").is_none());
    bed.send(bed.login(&owner, "http://localhost").await).await.is_problem(503, "audit-unavailable");
    bed.send(owner.update(id, 1, "Mail")).await.is_problem(503, "shutting-down");
}

#[tokio::test]
async fn what_rests_on_the_disk_shows_no_title_name_or_password() {
    let bed = Bed::start().await;
    let (owner, id) = (bed.owner().await, new_id());
    bed.send(owner.create(id, "Conspicuous title")).await;
    bed.app.drain().await;
    let bytes = std::fs::read(bed.folder.path().join("data/clavitor.db")).unwrap();
    let shows = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(shows(id.as_bytes()), "the entry is in the file");
    for secret in
        ["Conspicuous title", "conspicuous title", "hunter2", "mail.example.org", "password", "Home"]
    {
        assert!(!shows(secret.as_bytes()), "{secret}");
    }
}
