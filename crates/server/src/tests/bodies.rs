//! Bodies that are too large, malformed, or hold what nobody asked for.

use clavitor_core::limits;
use http::{Method, StatusCode};
use serde_json::json;

use super::bed::{Bed, Call, call, new_id, post};
use crate::http::ROUTES;

#[tokio::test]
async fn a_body_over_the_limit_of_its_route_is_refused() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let padded = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let cases: [(Method, String, usize); 3] = [
        (Method::POST, "/api/v1/unlock".into(), limits::BODY_BYTES_MAX),
        (Method::PUT, owner.entry_path(new_id()), limits::ENTRY_BODY_BYTES_MAX),
        (Method::POST, owner.path("/operations"), limits::OPERATION_BODY_BYTES_MAX),
    ];
    for (method, path, max) in cases {
        let send = |bytes| {
            let call = owner.call(method.clone(), &path).header("if-none-match", "*");
            bed.send(call.text(&padded(bytes)))
        };
        send(max + 1).await.is_problem(413, "too-large");
        assert_eq!(
            send(max).await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "read, and not what it should be"
        );
    }
}

#[tokio::test]
async fn every_route_with_a_body_refuses_what_is_not_json_of_its_shape() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let with_body = ROUTES.iter().filter(|route| matches!(route.method, Method::POST | Method::PUT));
    let mut routes = 0;
    for route in with_body.filter(|route| route.path != "/api/v1/vaults") {
        routes += 1;
        let path = route
            .path
            .replace("{vault}", &owner.vault_id.to_string())
            .replace("{entry}", &new_id().to_string());
        let send = |adapt: fn(Call) -> Call| {
            let call = owner.call(route.method.clone(), &path).header("if-none-match", "*");
            bed.send(adapt(call))
        };
        send(|call| call.text("{\"hunter2")).await.is_problem(400, "malformed");
        send(|call| call.text("")).await.is_problem(400, "malformed");
        send(|call| call).await.is_problem(415, "malformed");
        send(|call| call.text("{}").header("content-type", "text/plain")).await.is_problem(415, "malformed");
        let unknown = send(|call| call.json(&json!({ "hunter2": "hunter3" }))).await;
        unknown.is_problem(422, "invalid");
        assert!(!unknown.json.to_string().contains("hunter"), "{}: {:?}", route.path, unknown.json);
    }
    assert_eq!(routes, 6);
}

#[tokio::test]
async fn an_unknown_field_of_a_new_vault_is_refused() {
    let bed = Bed::start().await;
    let call = post("/api/v1/vaults")
        .header("authorization", &format!("Setup {}", bed.setup_secret()))
        .json(&json!({ "hunter2": 1 }));
    let answer = bed.send(call).await;
    answer.is_problem(422, "invalid");
    assert!(!answer.json.to_string().contains("hunter2"));
}

#[tokio::test]
async fn an_unknown_field_deep_inside_is_refused() {
    let bed = Bed::start().await;
    let (owner, id) = (bed.owner().await, new_id());
    let mut body = serde_json::to_value(owner.entry(id, 1, "Mail", "hunter2")).unwrap();
    body["vault"]["fields"][0]["hunter3"] = json!("hunter4");
    let answer = bed
        .send(owner.call(Method::PUT, &owner.entry_path(id)).header("if-none-match", "*").json(&body))
        .await;
    answer.is_problem(422, "invalid");
    assert!(!answer.json.to_string().contains("hunter"));
}

#[tokio::test]
async fn a_body_where_none_belongs_is_not_read() {
    let bed = Bed::start().await;
    let answer = bed.send(call(Method::GET, "/livez").text("{\"hunter2")).await;
    assert_eq!((answer.status.as_u16(), answer.json["status"].as_str()), (200, Some("live")));
}
