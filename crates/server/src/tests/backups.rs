//! A backup: reads and log-ins are served, every write names the primary.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clavitor_core::BoxFuture;
use clavitor_core::ids::CellId;
use clavitor_core::order::{Epoch, Position, Seq};
use clavitor_core::replica::{Adopt, CommitObserver, ReplicaWrite, Role};
use clavitor_core::replicator::{
    ActiveStatus, OperateError, OperatorAnswer, OperatorCommand, PromoteError, PromoteRequest,
    ReplicationStatus, Replicator, UpstreamStatus,
};
use clavitor_store::{Store, StoreOptions};
use http::Method;
use tempfile::TempDir;
use url::Url;

use super::bed::{Bed, TestClock, call, get, new_id, post};
use crate::config::KeyringPlace;
use crate::data::{NodeKeys, Setup};
use crate::http::{OnBackup, Origins, ROUTES, public_router};
use crate::node::{Node, Parts};

const PRIMARY: &str = "https://primary.example.org";

/// A backup's replicator, as far as the API looks.
struct Following(CellId);

impl Replicator for Following {
    fn signal(&self) {}

    fn status(&self) -> ReplicationStatus {
        let upstream = UpstreamStatus {
            pop: "calgary-01".parse().unwrap(),
            public_url: PRIMARY.into(),
            link_open: true,
            last_ok_at_ms: None,
            cause: None,
        };
        ReplicationStatus::Active(Box::new(ActiveStatus {
            cell: self.0,
            pop: "zurich-01".parse().unwrap(),
            role: Role::Backup,
            epoch: Epoch::NONE,
            head: Seq::ZERO,
            digest: String::new(),
            listen: String::new(),
            halted: None,
            backups: Vec::new(),
            upstream: Some(upstream),
            worker_wakeups_total: 0,
            timers_armed: 0,
            batches_total: 0,
            records_sent_total: 0,
            quarantined: 0,
        }))
    }

    fn promote(&self, _: PromoteRequest) -> BoxFuture<Result<Position, PromoteError>> {
        Box::pin(std::future::ready(Err(PromoteError::Unsupported { edition: "test", reason: "(a test)" })))
    }

    fn operate(&self, _: OperatorCommand) -> BoxFuture<Result<OperatorAnswer, OperateError>> {
        Box::pin(std::future::ready(Err(OperateError::Unsupported { edition: "test" })))
    }

    fn drain(&self, _: Duration) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }
}

impl CommitObserver for Following {
    fn committed(&self, _: Seq) {}
}

async fn backup() -> (TempDir, Router) {
    let folder = tempfile::tempdir().unwrap();
    let (clock, cell) = (Arc::new(TestClock::default()), CellId::from_bytes([5; 16]));
    let options = StoreOptions { replicates: true, clock: Arc::clone(&clock) as _, cell, epoch_nonce: 1 };
    let store = Store::open(&folder.path().join("clavitor.db"), options).unwrap();
    let following = Arc::new(Following(cell));
    store.start(Arc::clone(&following) as _);
    let (done, adopted) = tokio::sync::oneshot::channel();
    let adopt =
        Adopt { cell: None, pop: "zurich-01".parse().unwrap(), role: Role::Backup, local: Vec::new() };
    store
        .replica()
        .submit(ReplicaWrite::Adopt(Box::new(adopt)), Box::new(|r| done.send(r.map(|_| ())).unwrap()));
    adopted.await.unwrap().unwrap();
    let listen = "127.0.0.1:1984".parse().unwrap();
    let parts = Parts {
        store,
        keys: Arc::new(NodeKeys::unwritten(&KeyringPlace::File(folder.path().join("keyring")))),
        clock,
        replicator: following,
        origins: Origins::new(listen, &Url::parse("http://localhost:1984").unwrap()),
        setup: Setup::closed(folder.path().join("setup-secret")).unwrap(),
    };
    (folder, public_router(&Arc::new(Node::new(parts)), None, None))
}

#[tokio::test]
async fn every_route_does_on_a_backup_what_the_table_says() {
    let (_folder, router) = backup().await;
    let mut refused = 0;
    for route in ROUTES {
        let path =
            route.path.replace("{vault}", &new_id().to_string()).replace("{entry}", &new_id().to_string());
        let answer = call(route.method.clone(), &path).to(router.clone()).await;
        if route.on_backup == OnBackup::Refuse {
            refused += 1;
            answer.is_problem(503, "read-only-backup");
            assert_eq!(answer.header("x-primary-location"), Some(PRIMARY), "{path}");
        } else {
            assert_ne!(answer.json["code"], "read-only-backup", "{path}");
            assert!(answer.header("x-primary-location").is_none(), "{path}");
        }
    }
    assert_eq!(refused, 4, "create a vault; put, delete and operate on entries");
    let changing =
        ROUTES.iter().filter(|route| route.on_backup == OnBackup::Local && route.method != Method::GET);
    assert!(
        changing.into_iter().all(|route| route.path.contains("/unlock") || route.path.contains("/session"))
    );
}

#[tokio::test]
async fn a_backup_says_what_it_is_and_still_answers_log_ins() {
    let (_folder, router) = backup().await;
    assert_eq!(get("/api/v1/status").to(router.clone()).await.json["role"], "backup");
    assert_eq!(get("/readyz").to(router.clone()).await.status, 200);
    assert_eq!(get("/readyz?role=backup").to(router.clone()).await.status, 200);
    let not_primary = get("/readyz?role=primary").to(router.clone()).await;
    not_primary.is_problem(503, "read-only-backup");
    let unlock = serde_json::json!({ "vault": "Home", "proof": "AAAA" });
    post("/api/v1/unlock").json(&unlock).to(router).await.is_problem(401, "unlock-refused");
}

#[tokio::test]
async fn a_primary_refuses_no_write_for_its_role() {
    let bed = Bed::start().await;
    for route in ROUTES.iter().filter(|route| route.on_backup == OnBackup::Refuse) {
        let path =
            route.path.replace("{vault}", &new_id().to_string()).replace("{entry}", &new_id().to_string());
        let answer = bed.send(call(route.method.clone(), &path)).await;
        assert_eq!(answer.status, 401, "{path}");
    }
}
