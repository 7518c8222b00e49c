//! De-duplication, recovery, and what reaches a real webhook on loopback.

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::Value;

use super::*;
use crate::config;
use crate::testing::FixedClock;

fn alert(kind: AlertKind, subject: &str) -> Alert {
    Alert { kind, subject: subject.to_owned(), text: "something happened".to_owned() }
}

type Received = (Option<String>, Value);

async fn receiver(answer: axum::http::StatusCode) -> (url::Url, mpsc::Receiver<Received>) {
    let (tx, rx) = mpsc::channel(16);
    let router =
        Router::new().route(
            "/hook",
            post(
                move |State(tx): State<mpsc::Sender<Received>>,
                      headers: HeaderMap,
                      Json(body): Json<Value>| async move {
                    let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
                    tx.send((token, body)).await.unwrap();
                    (answer, [("location", "http://127.0.0.1:1/elsewhere")])
                },
            ),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router.with_state(tx)).await });
    (url, rx)
}

async fn next(rx: &mut mpsc::Receiver<Received>) -> Received {
    tokio::time::timeout(Duration::from_secs(10), rx.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_alert_is_told_once_until_it_has_recovered() {
    let (url, mut rx) = receiver(axum::http::StatusCode::OK).await;
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "t0ken\n").unwrap();
    let webhook = Webhook::open(&config::Webhook { url, token_file: Some(token_file) }).unwrap();
    let alerts = OperatorAlerts::start(FixedClock::at(7), Some("a".to_owned()), Some(webhook));
    alerts.recovered(AlertKind::Diverged, "z");
    alerts.raise(alert(AlertKind::Diverged, "z"));
    alerts.raise(alert(AlertKind::Diverged, "z"));
    alerts.raise(alert(AlertKind::Diverged, "y"));
    alerts.recovered(AlertKind::Diverged, "z");
    alerts.recovered(AlertKind::Diverged, "z");
    alerts.raise(alert(AlertKind::Diverged, "z"));
    let mut told = Vec::new();
    for _ in 0..4 {
        let (token, body) = next(&mut rx).await;
        assert_eq!(token.as_deref(), Some("Bearer t0ken"));
        assert_eq!((body["kind"].as_str(), body["pop"].as_str()), (Some("diverged"), Some("a")));
        told.push(format!("{} {}", body["state"].as_str().unwrap(), body["subject"].as_str().unwrap()));
    }
    assert_eq!(told, ["raised z", "raised y", "recovered z", "raised z"]);
    drop(alerts);
    assert!(rx.try_recv().is_err(), "nothing was told twice");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (url, mut rx) = receiver(axum::http::StatusCode::TEMPORARY_REDIRECT).await;
    let webhook = Webhook::open(&config::Webhook { url, token_file: None }).unwrap();
    let notice = Notice {
        state: "raised",
        kind: AlertKind::Halted,
        subject: "node".to_owned(),
        text: String::new(),
        at_ms: 0,
        pop: None,
    };
    let reason = webhook.post(&notice).await.unwrap_err();
    assert!(reason.contains("307"), "{reason}");
    assert_eq!(next(&mut rx).await.0, None);
}

#[test]
fn a_missing_or_empty_token_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let open = |token_file: &std::path::Path| {
        let url = "https://alerts.example.org/".parse().unwrap();
        Webhook::open(&config::Webhook { url, token_file: Some(token_file.to_owned()) })
            .err()
            .unwrap()
            .to_string()
    };
    assert!(open(&token_file).contains("could not be read"));
    std::fs::write(&token_file, " \n").unwrap();
    assert!(open(&token_file).contains("holds no webhook token"));
}

#[test]
fn metadata_addresses_are_never_called() {
    for bad in
        ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1"]
    {
        assert!(!may_be_called(bad.parse().unwrap()), "{bad}");
    }
    for good in ["127.0.0.1", "10.0.0.1", "192.0.2.1", "2001:db8::1"] {
        assert!(may_be_called(good.parse().unwrap()), "{good}");
    }
}
