//! What stands around every handler.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use clavitor_core::limits;
use http::Method;

use super::bed::{Bed, call, get};
use crate::http::{around, within};

#[tokio::test]
async fn another_sites_name_or_page_is_refused_on_every_route() {
    let bed = Bed::start().await;
    let port = bed.app.address().port();
    for path in ["/livez", "/api/v1/status", "/no/such/path"] {
        bed.send(get(path).header("host", "evil.example")).await.is_problem(403, "foreign-origin");
        for origin in ["https://evil.example", "null", "http://localhost:1"] {
            bed.send(get(path).header("origin", origin)).await.is_problem(403, "foreign-origin");
        }
    }
    for origin in [format!("http://localhost:{port}"), "https://vault.example.org".into()] {
        assert_eq!(bed.send(get("/livez").header("origin", &origin)).await.status, 200, "{origin}");
    }
    assert_eq!(bed.send(get("/livez").header("host", "vault.example.org")).await.status, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let bed = Bed::start().await;
    if !crate::edition::REPLICATES {
        bed.send(get("/no/such/path")).await.is_problem(404, "not-found");
    }
    let answer = bed.send(call(Method::PATCH, "/api/v1/status")).await;
    answer.is_problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    bed.send(get("/api/v1/operator/status")).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn every_answer_is_private_and_named() {
    let bed = Bed::start().await;
    for answer in [bed.send(get("/livez")).await, bed.send(call(Method::PATCH, "/livez")).await] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("x-request-id").is_some());
    }
    let echoed = bed.send(get("/livez").header("x-request-id", "a.B-9_")).await;
    assert_eq!(echoed.header("x-request-id"), Some("a.B-9_"));
    for odd in ["", "a b", "<script>", &"x".repeat(65)] {
        let answer = bed.send(get("/livez").header("x-request-id", odd)).await;
        assert_ne!(answer.header("x-request-id"), Some(odd), "{odd}");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_and_says_nothing() {
    let bed = Bed::start().await;
    let panicking = on_get(async || -> () { panic!("hunter2") });
    let router = around(Router::new().route("/", panicking), &bed.app.node);
    let answer = get("/").to(router).await;
    answer.is_problem(500, "internal");
    assert!(!answer.json.to_string().contains("hunter2"));
}

#[tokio::test]
async fn what_takes_too_long_is_a_problem() {
    let bed = Bed::start().await;
    let hanging = on_get(async || within(Duration::ZERO, std::future::pending()).await);
    let answer = get("/").to(around(Router::new().route("/", hanging), &bed.app.node)).await;
    answer.is_problem(503, "timeout");
}

#[tokio::test]
async fn too_many_requests_at_once_are_told_to_come_back() {
    let bed = Bed::start().await;
    let all = u32::try_from(limits::REQUESTS_MAX).unwrap();
    let held = Arc::clone(bed.app.node.requests()).acquire_many_owned(all).await.unwrap();
    let answer = bed.send(get("/livez")).await;
    answer.is_problem(503, "busy");
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(held);
    assert_eq!(bed.send(get("/livez")).await.status, 200);
}

#[tokio::test]
async fn readiness_follows_the_writer_and_the_end() {
    let bed = Bed::start().await;
    assert_eq!(bed.send(get("/readyz")).await.status, 200);
    assert_eq!(bed.send(get("/readyz?role=primary")).await.status, 200);
    bed.send(get("/readyz?role=backup")).await.is_problem(503, "refused");
    bed.send(get("/readyz?max_lag=30s")).await.is_problem(400, "malformed");
    bed.app.store.close().unwrap();
    bed.send(get("/readyz")).await.is_problem(503, "shutting-down");

    let bed = Bed::start().await;
    bed.app.drain().await;
    bed.send(get("/readyz")).await.is_problem(503, "shutting-down");
    assert_eq!(bed.send(get("/livez")).await.status, 200);
}
