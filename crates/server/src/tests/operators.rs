//! The operator's routes.

use axum::body::Body;
use http::Request;
use serde_json::json;

use super::bed::{Answer, Bed, answered, get, post};
use crate::edition;
use crate::http::OperatorUid;

async fn operate(bed: &Bed, method: &str, path: &str, body: &str) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    request.extensions_mut().insert(OperatorUid(0));
    answered(bed.app.operator.clone(), request).await
}

#[tokio::test]
async fn only_an_operator_may_ask() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    for path in ["/api/v1/operator/status", "/api/v1/operator/replication", "/no/such/path"] {
        get(path).to(bed.app.operator.clone()).await.is_problem(403, "not-operator");
        let as_owner = owner.call(http::Method::GET, path);
        as_owner.to(bed.app.operator.clone()).await.is_problem(403, "not-operator");
    }
    let command = post("/api/v1/operator/command").json(&json!({ "command": "pop-list" }));
    command.to(bed.app.operator.clone()).await.is_problem(403, "not-operator");
}

#[tokio::test]
async fn the_operator_sees_the_whole_status() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    bed.send(owner.create(super::bed::new_id(), "Mail")).await;
    let status = operate(&bed, "GET", "/api/v1/operator/status", "").await;
    assert_eq!((status.json["entries"].as_u64(), status.json["set_up"].as_bool()), (Some(1), Some(true)));
    let replication = operate(&bed, "GET", "/api/v1/operator/replication", "").await;
    assert_eq!(replication.json, status.json["replication"]);
    let public = operate(&bed, "GET", "/api/v1/status", "").await;
    public.is_problem(404, "not-found");
}

#[tokio::test]
async fn commands_of_replication_are_refused_where_nothing_replicates() {
    let bed = Bed::start().await;
    let commands = [
        json!({ "command": "pop-list" }),
        json!({ "command": "wake" }),
        json!({ "command": "pop-remove", "pop": "zurich-01" }),
    ];
    for command in commands {
        let answer = operate(&bed, "POST", "/api/v1/operator/command", &command.to_string()).await;
        assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{:?}", answer.json);
        if !edition::REPLICATES {
            answer.is_problem(501, "replication-unsupported");
        }
    }
    let promote = json!({ "dry_run": true, "accept_loss": false }).to_string();
    operate(&bed, "POST", "/api/v1/operator/promote", &promote)
        .await
        .is_problem(501, "replication-unsupported");
    operate(&bed, "POST", "/api/v1/operator/command", r#"{"command":"hunter2"}"#)
        .await
        .is_problem(422, "invalid");
}
