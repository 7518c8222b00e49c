//! Unlocking, signing in, sessions and their ends.

use std::net::IpAddr;
use std::sync::Arc;

use clavitor_core::api::{UnlockParams, Unlocked};
use clavitor_core::limits;
use clavitor_crypto::random;
use clavitor_crypto::vault_key::VaultKey;
use http::Method;
use serde_json::json;

use super::bed::{Bed, Call, NAME, Owner, PROOF, START_MS, create_vault, get, new_id, new_vault, post};
use crate::node::Facts;

fn unlock(name: &str, proof: &[u8]) -> Call {
    use base64::Engine as _;
    let proof = base64::engine::general_purpose::STANDARD.encode(proof);
    post("/api/v1/unlock").json(&json!({ "vault": name, "proof": proof }))
}

fn start(name: &str) -> Call {
    post("/api/v1/unlock/start").json(&json!({ "vault": name }))
}

#[tokio::test]
async fn the_right_proof_gets_the_wrapped_key() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let params: UnlockParams = bed.send(start(NAME)).await.read();
    let unlocked: Unlocked = bed.send(unlock("  hOME ", &PROOF)).await.read();
    assert_eq!((unlocked.vault_id, unlocked.kdf), (owner.vault_id, params.kdf));
    assert_eq!((unlocked.wrapped_key, unlocked.generation), (vec![9; 61], 1));
}

#[tokio::test]
async fn a_wrong_passphrase_and_an_unknown_vault_answer_alike_and_do_the_same_work() {
    let bed = Bed::start().await;
    bed.owner().await;
    let rows = || bed.app.store.audit_rows(0, 100).unwrap().len();
    let commits = || bed.app.store.write_counts().transactions;
    let before = (rows(), commits());
    let wrong = bed.send(unlock(NAME, &[8; 32])).await;
    wrong.is_problem(401, "unlock-refused");
    let after_wrong = (rows(), commits());
    let unknown = bed.send(unlock("Nobody's", &[8; 32])).await;
    let after_unknown = (rows(), commits());
    assert_eq!(unknown.comparable(), wrong.comparable());
    assert_eq!(after_wrong, (before.0 + 1, before.1 + 1), "one row, one commit");
    assert_eq!(after_unknown, (before.0 + 2, before.1 + 2), "and the same again");
    let short = bed.send(unlock(NAME, &[])).await;
    assert_eq!(short.comparable(), wrong.comparable());
}

#[tokio::test]
async fn an_unknown_vault_gets_parameters_that_never_change() {
    let bed = Bed::start().await;
    bed.owner().await;
    let unknown = bed.send(start("Nobody's")).await;
    assert_eq!(bed.send(start(" nobody's")).await.comparable(), unknown.comparable());
    let (unknown, known): (UnlockParams, UnlockParams) = (unknown.read(), bed.send(start(NAME)).await.read());
    assert_eq!(unknown.kdf.memory_kib, known.kdf.memory_kib);
    assert_eq!(unknown.kdf.salt.len(), known.kdf.salt.len());
    assert_ne!(unknown.kdf.salt, bed.send(start("Another")).await.read::<UnlockParams>().kdf.salt);
}

#[tokio::test]
async fn a_challenge_is_good_once() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let challenge = bed.challenge(owner.vault_id).await;
    let request = bed.signed(&owner, "http://127.0.0.1", &challenge);
    assert_eq!(bed.send(post("/api/v1/session").json(&request)).await.status, 201);
    bed.send(post("/api/v1/session").json(&request)).await.is_problem(401, "not-authenticated");
}

#[tokio::test]
async fn every_failed_log_in_answers_alike() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let post_session = |request| post("/api/v1/session").json(&request);

    let foreign_origin = bed.send(bed.login(&owner, "http://evil.example").await).await;
    foreign_origin.is_problem(401, "not-authenticated");
    assert_eq!(foreign_origin.header("www-authenticate"), Some("Bearer"));

    let challenge = bed.challenge(owner.vault_id).await;
    let mut wrong_signature = bed.signed(&owner, "http://localhost", &challenge);
    wrong_signature.signature[0] ^= 1;

    let stranger = Owner {
        key: VaultKey::generate(),
        vault_id: random::vault_id(START_MS),
        cell: owner.cell,
        token: String::new(),
    };
    let challenge = bed.challenge(stranger.vault_id).await;
    let unknown_vault = bed.signed(&stranger, "http://localhost", &challenge);

    let mut forged_nonce = bed.signed(&owner, "http://localhost", &bed.challenge(owner.vault_id).await);
    forged_nonce.nonce[0] ^= 1;

    let mut later_end = bed.signed(&owner, "http://localhost", &bed.challenge(owner.vault_id).await);
    later_end.expires_at_ms += 1;

    let expired = bed.signed(&owner, "http://localhost", &bed.challenge(owner.vault_id).await);
    for request in [wrong_signature, unknown_vault, forged_nonce, later_end] {
        assert_eq!(bed.send(post_session(request)).await.comparable(), foreign_origin.comparable());
    }
    bed.clock.pass(limits::CHALLENGE_TTL_S * 1_000);
    assert_eq!(bed.send(post_session(expired)).await.comparable(), foreign_origin.comparable());
}

#[tokio::test]
async fn the_public_url_is_an_origin_of_ours() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let challenge = bed.challenge(owner.vault_id).await;
    let request = clavitor_crypto::login::LoginRequest {
        purpose: clavitor_crypto::login::LoginPurpose::Session,
        origin: "https://vault.example.org",
        cell: owner.cell,
        vault_id: owner.vault_id,
        nonce: &challenge.nonce,
        expires_at_ms: challenge.expires_at_ms,
    };
    let signed = clavitor_core::api::CreateSession {
        vault_id: owner.vault_id,
        origin: request.origin.to_owned(),
        nonce: challenge.nonce.clone(),
        expires_at_ms: challenge.expires_at_ms,
        signature: owner.key.sign_login(&request),
    };
    assert_eq!(bed.send(post("/api/v1/session").json(&signed)).await.status, 201);
}

#[tokio::test]
async fn a_session_ends_in_time_or_on_demand() {
    let bed = Bed::start().await;
    let mut owner = bed.owner().await;
    let status = |owner: &Owner| owner.call(Method::GET, "/api/v1/status");
    assert_eq!(bed.send(status(&owner)).await.json["entries"], 0);

    assert_eq!(bed.send(owner.call(Method::DELETE, "/api/v1/session")).await.status, 204);
    let ended = bed.send(status(&owner)).await;
    ended.is_problem(401, "not-authenticated");

    owner.token = bed.sign_in(&owner).await;
    bed.clock.pass(limits::SESSION_TTL_S * 1_000 - 1);
    assert_eq!(bed.send(status(&owner)).await.status, 200);
    bed.clock.pass(1);
    assert_eq!(bed.send(status(&owner)).await.comparable(), ended.comparable(), "expired");
}

#[tokio::test]
async fn without_a_good_session_nothing_is_answered() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let path = owner.entry_path(new_id());
    let none = bed.send(get(&path)).await;
    none.is_problem(401, "not-authenticated");
    for value in ["Bearer", "Bearer ", "Bearer hunter2", "Basic aGk6aGk=", &format!("Setup {}", owner.token)]
    {
        let answer = bed.send(get(&path).header("authorization", value)).await;
        assert_eq!(answer.comparable(), none.comparable(), "{value}");
    }
    let elsewhere = Bed::start().await;
    let answer = elsewhere.send(owner.read(new_id())).await;
    assert_eq!(answer.comparable(), none.comparable(), "a session of another node");
}

#[tokio::test]
async fn a_status_tells_more_to_the_owner() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let (public, full) =
        (bed.send(get("/api/v1/status")).await, bed.send(owner.call(Method::GET, "/api/v1/status")).await);
    for key in ["head", "entries", "replication"] {
        assert!(public.json.get(key).is_none() && full.json.get(key).is_some(), "{key}");
    }
    assert_eq!(public.json["edition"], crate::edition::NAME);
}

/// Fills the line of an address with attempts that wait for as long as the first of them has its turn.
async fn crowd(bed: &Bed, address: IpAddr, until: tokio::sync::oneshot::Receiver<()>) {
    let facts = Facts { address: Some(address), ..Facts::default() };
    let (taken, first) = tokio::sync::oneshot::channel();
    let (node, facts_of_first) = (Arc::clone(&bed.app.node), facts.clone());
    tokio::spawn(async move {
        let turn = node.turn(&facts_of_first).await;
        taken.send(()).unwrap();
        let _ = until.await;
        drop(turn);
    });
    first.await.unwrap();
    for _ in 0..limits::SLOWED_PER_SOURCE_MAX {
        let (node, facts) = (Arc::clone(&bed.app.node), facts.clone());
        tokio::spawn(async move { drop(node.turn(&facts).await) });
    }
    while bed.app.node.waiting(&facts) < limits::SLOWED_PER_SOURCE_MAX {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_flood_slows_down_only_what_is_guessed_and_only_from_there() {
    let address: IpAddr = "192.0.2.7".parse().unwrap();
    let bed = Bed::start().await;
    let (end, until) = tokio::sync::oneshot::channel();
    crowd(&bed, address, until).await;
    let unlocked = bed.send(unlock(NAME, &PROOF).from(address)).await;
    unlocked.is_problem(429, "limit");
    assert_eq!(unlocked.header("retry-after"), Some("20"));

    let (key, vault_id) = (VaultKey::generate(), random::vault_id(START_MS));
    let wrong = create_vault("no such secret", &new_vault(&key, vault_id)).from(address);
    bed.send(wrong).await.is_problem(429, "limit");
    let right = create_vault(&bed.setup_secret(), &new_vault(&key, vault_id)).from(address);
    let created = bed.send(right).await;
    assert_eq!(created.status, 201, "whoever holds the setup secret waits for nobody");
    let cell = created.read::<clavitor_core::api::VaultSummary>().cell;
    let owner = Owner { key, vault_id, cell, token: String::new() };
    assert_eq!(bed.send(start(NAME).from(address)).await.status, 200, "nothing is tried with it");
    let signed_in = bed.send(bed.login(&owner, "http://localhost").await.from(address)).await;
    assert_eq!(signed_in.status, 201, "a signature is not guessed");
    assert_eq!(bed.send(unlock(NAME, &PROOF)).await.status, 200, "from elsewhere");

    end.send(()).unwrap();
    let facts = Facts { address: Some(address), ..Facts::default() };
    while bed.app.node.waiting(&facts) == limits::SLOWED_PER_SOURCE_MAX {
        tokio::task::yield_now().await;
    }
    assert_eq!(bed.send(unlock(NAME, &PROOF).from(address)).await.status, 200, "in its turn");
}
