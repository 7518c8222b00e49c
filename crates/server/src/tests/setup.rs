//! The first vault and who may create it.

use std::os::unix::fs::MetadataExt;

use clavitor_core::limits;
use clavitor_crypto::random;
use clavitor_crypto::vault_key::VaultKey;
use http::Method;
use serde_json::json;

use super::bed::{Bed, NAME, START_MS, call, create_vault, get, new_vault, post};

#[tokio::test]
async fn whoever_holds_the_setup_secret_creates_the_first_vault() {
    let bed = Bed::start().await;
    let file = bed.app.setup_file().unwrap().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(bed.send(get("/api/v1/status")).await.json["set_up"], false);
    let owner = bed.owner().await;
    assert_eq!(bed.send(get("/api/v1/status")).await.json["set_up"], true);
    let vault = bed.send(owner.call(Method::GET, &owner.path(""))).await;
    assert_eq!(
        (vault.json["name"].as_str(), vault.json["created_at_ms"].as_u64()),
        (Some(NAME), Some(START_MS))
    );
    assert!(!file.exists() && bed.app.setup_file().is_none(), "the used secret is gone");
}

#[tokio::test]
async fn wrong_used_and_expired_setup_secrets_answer_alike() {
    let bed = Bed::start().await;
    let key = VaultKey::generate();
    let request = new_vault(&key, random::vault_id(START_MS));
    let secret = bed.setup_secret();
    let wrong = bed.send(create_vault("hunter2", &request)).await;
    wrong.is_problem(401, "setup-refused");
    assert!(!wrong.json.to_string().contains("hunter2"));
    let missing = bed.send(create_vault(&secret, &request).without("authorization")).await;
    assert_eq!(missing.comparable(), wrong.comparable());

    bed.clock.pass(limits::SETUP_TTL_S * 1_000 - 1);
    let invalid = create_vault(&secret, &new_vault(&key, clavitor_core::ids::VaultId::NIL));
    bed.send(invalid).await.is_problem(422, "invalid");
    bed.clock.pass(1);
    let expired = bed.send(create_vault(&secret, &request)).await;
    assert_eq!(expired.comparable(), wrong.comparable());

    let bed = Bed::start().await;
    let secret = bed.setup_secret();
    bed.owner().await;
    let used = bed.send(create_vault(&secret, &request)).await;
    assert_eq!(used.comparable(), wrong.comparable());
}

#[tokio::test]
async fn nobody_can_race_to_be_the_first_owner() {
    let bed = Bed::start().await;
    let (secret, key) = (bed.setup_secret(), VaultKey::generate());
    let one = new_vault(&key, random::vault_id(START_MS));
    let other = new_vault(&key, random::vault_id(START_MS));
    let (first, second) =
        tokio::join!(bed.send(create_vault(&secret, &one)), bed.send(create_vault(&secret, &other)),);
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
}

#[tokio::test]
async fn a_vault_that_cannot_work_is_refused_naming_every_value() {
    let bed = Bed::start().await;
    let key = VaultKey::generate();
    let mut body = serde_json::to_value(new_vault(&key, random::vault_id(START_MS))).unwrap();
    body["name"] = json!("   ");
    body["login_public_key"] = json!("AAAA");
    body["unlocker"]["kdf"]["memory_kib"] = json!(8);
    body["unlocker"]["kdf"]["salt"] = json!("AAAA");
    body["unlocker"]["generation"] = json!(2);
    body["unlocker"]["proof_hash"] = json!("");
    let call = post("/api/v1/vaults").header("authorization", &format!("Setup {}", bed.setup_secret()));
    let answer = bed.send(call.json(&body)).await;
    answer.is_problem(422, "invalid");
    let pointers: Vec<_> = answer.json["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
    assert_eq!(
        pointers,
        [
            "/name",
            "/login_public_key",
            "/unlocker/proof_hash",
            "/unlocker/generation",
            "/unlocker/kdf/memory_kib",
            "/unlocker/kdf/salt"
        ]
    );
    assert!(bed.app.setup_file().is_some(), "the secret is still good");
    bed.owner().await;
}

#[tokio::test]
async fn a_session_does_not_make_a_vault() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let request = new_vault(&owner.key, random::vault_id(START_MS));
    let answer = bed.send(owner.call(Method::POST, "/api/v1/vaults").json(&request)).await;
    answer.is_problem(401, "setup-refused");
    assert_eq!(call(Method::GET, "/").to(bed.app.router()).await.status, 404);
}
