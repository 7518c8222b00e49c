//! One node and its vault, by the command line and by the client.

use anyhow::{Context as _, Result};
use clavitor_client::ClientError;
use clavitor_core::exit;
use clavitor_core::problem::Problem;
use clavitor_tests::harness::{TestVault, VAULT_NAME};
use serde_json::json;

use super::support::{BINARY, login, passphrase_file, password, secret_file, text};

/// Where SQLite keeps `user_version` in the head of its file, 4 bytes, big-endian.
const USER_VERSION: std::ops::Range<usize> = 60..64;

#[test]
fn an_entry_goes_round_by_the_command_line() -> Result<()> {
    let vault = TestVault::without_vault(BINARY)?;
    let file = passphrase_file(vault.folder())?;
    let (passphrase, setup) = (text(&file), vault.node.files().setup_secret());
    let run = |arguments: &[&str], input: Option<&str>| {
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(["--passphrase-file", passphrase]).collect();
        vault.owner.run(&arguments, input)
    };
    let init = ["init", "--server", vault.node.url()?, "--setup-file", text(&setup), "--name", VAULT_NAME];
    let created = run(&init, None)?;
    assert_eq!(created.code, exit::OK, "{}", created.stderr);
    assert!(!setup.exists(), "the setup secret is void once there is a vault");

    let mail = ["put", "Mail", "--username", "ann", "--url", "https://mail.example", "--stdin"];
    assert_eq!(run(&mail, Some("first value\n"))?.code, exit::OK);
    assert_eq!(run(&["put", "Mail", "--update", "--stdin"], Some("second value\n"))?.code, exit::OK);
    for name in ["Mail", "mail.example"] {
        let got = run(&["get", name], None)?;
        assert_eq!((got.code, got.stdout.as_str()), (exit::OK, "second value"), "{name}: {}", got.stderr);
    }
    let listed = run(&["list"], None)?;
    assert!(listed.code == exit::OK && listed.stdout.contains("Mail") && listed.stdout.contains("ann"));
    assert!(!listed.stdout.contains("second value"), "a list shows no secret");

    assert_eq!(run(&["rm", "Mail", "--yes"], None)?.code, exit::OK);
    assert_eq!(run(&["get", "Mail"], None)?.code, exit::NOT_FOUND);
    assert_eq!(run(&["rm", "Mail", "--yes"], None)?.code, exit::NOT_FOUND);
    let again = vault.owner.run(&init, None)?;
    assert_ne!(again.code, exit::OK, "nobody can set a node up twice");
    Ok(())
}

#[tokio::test]
async fn what_was_written_survives_a_kill() -> Result<()> {
    let mut vault = TestVault::start(BINARY).await?;
    let open = vault.unlock().await?;
    let written = open.create(&login("Mail", "hunter2")).await?;
    vault.node.kill()?;
    vault.node.start()?;
    let read = vault.unlock().await?.get(written.id).await?;
    assert_eq!((read.version, password(&read.draft)), (written.version, Some("hunter2")));
    let after = vault.unlock().await?.create(&login("Post", "x")).await?;
    assert_eq!(after.seq, written.seq.next(), "the order has no gap");
    Ok(())
}

#[tokio::test]
async fn who_is_slower_is_told_and_overwrites_nothing() -> Result<()> {
    let vault = TestVault::start(BINARY).await?;
    let (ann, bob) = (vault.unlock().await?, vault.unlock().await?);
    let id = ann.create(&login("Mail", "one")).await?.id;
    let (mut by_ann, mut by_bob) = (ann.get(id).await?, bob.get(id).await?);
    by_ann.draft = login("Mail", "two");
    by_bob.draft = login("Mail", "three");
    ann.update(&by_ann).await?;
    match bob.update(&by_bob).await {
        Err(ClientError::Changed { current, .. }) => assert_eq!(current, Some(by_ann.version.next())),
        other => panic!("expected `changed`, got {other:?}"),
    }
    assert_eq!(password(&ann.get(id).await?.draft), Some("two"));
    Ok(())
}

#[tokio::test]
async fn a_wrong_passphrase_and_an_unknown_vault_are_answered_alike() -> Result<()> {
    let vault = TestVault::start(BINARY).await?;
    let wrong = secret_file(vault.folder(), "wrong", "nine copper larks forget the timetable")?;
    let right = passphrase_file(vault.folder())?;
    let list = |name: &str, passphrase: &std::path::Path| {
        let server = vault.node.url()?;
        let arguments = ["list", "--server", server, "--vault", name, "--passphrase-file", text(passphrase)];
        vault.owner.run(&arguments, None)
    };
    let (refused, unknown) = (list(VAULT_NAME, &wrong)?, list("nobody", &right)?);
    assert_eq!((refused.code, unknown.code), (exit::DENIED, exit::DENIED));
    assert_eq!(refused.stderr, unknown.stderr, "nothing tells which of the two it was");
    assert_eq!(list(VAULT_NAME, &right)?.code, exit::OK);

    let mut answers = Vec::new();
    for name in [VAULT_NAME, "nobody"] {
        let start = post(&vault, "unlock/start", &json!({ "vault": name })).await?;
        let parameters: serde_json::Value = start.json().await?;
        let again: serde_json::Value =
            post(&vault, "unlock/start", &json!({ "vault": name })).await?.json().await?;
        assert_eq!(parameters, again, "the parameters of a name never change, whether it exists or not");
        let proof = json!({ "vault": name, "proof": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" });
        let unlock = post(&vault, "unlock", &proof).await?;
        let status = unlock.status().as_u16();
        let problem: Problem = unlock.json().await?;
        let shape: Vec<String> =
            parameters["kdf"].as_object().context("parameters")?.keys().cloned().collect();
        answers.push((status, Problem { request_id: String::new(), ..problem }, shape));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 401);
    Ok(())
}

async fn post(vault: &TestVault, path: &str, body: &serde_json::Value) -> Result<reqwest::Response> {
    let url = format!("{}/api/v1/{path}", vault.node.url()?);
    Ok(reqwest::Client::new().post(url).json(body).send().await?)
}

#[tokio::test]
async fn a_second_process_leaves_the_folder_alone() -> Result<()> {
    let vault = TestVault::start(BINARY).await?;
    let second = vault.node.fail_to_start()?;
    assert_ne!(second.code, exit::OK);
    assert!(second.stderr.contains("another clavitor process"), "{}", second.stderr);
    vault.unlock().await?.create(&login("Mail", "the first goes on")).await?;
    Ok(())
}

#[tokio::test]
async fn a_newer_schema_is_named_and_left_as_it_is() -> Result<()> {
    let mut vault = TestVault::start(BINARY).await?;
    let id = vault.unlock().await?.create(&login("Mail", "kept")).await?.id;
    vault.node.stop()?;
    let database = vault.node.files().database();
    let good = std::fs::read(&database)?;
    let known = u32::from_be_bytes(good[USER_VERSION].try_into()?);
    let mut newer = good.clone();
    newer[USER_VERSION].copy_from_slice(&(known + 41).to_be_bytes());
    std::fs::write(&database, &newer)?;

    let refused = vault.node.fail_to_start()?;
    assert_ne!(refused.code, exit::OK);
    for number in [known, known + 41] {
        assert!(refused.stderr.contains(&format!(" {number}")), "{number}: {}", refused.stderr);
    }
    assert!(std::fs::read(&database)? == newer, "the file was left as it was");

    std::fs::write(&database, &good)?;
    vault.node.start()?;
    assert_eq!(password(&vault.unlock().await?.get(id).await?.draft), Some("kept"));
    Ok(())
}
