//! Whole nodes on loopback with real stores and real TLS: joining, replication, refusals, the contract.

mod contract;
mod flooded;
mod gone;
mod joining;
mod refused;
mod replicating;
mod tampered;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use clavitor_core::audit::{Action, AuditEvent};
use clavitor_core::change::{Change, Content, Expect, Operation};
use clavitor_core::clock::Clock;
use clavitor_core::edition::{
    ConfigText, Edition, EditionError, EditionInput, OfflineAnswer, OfflineCommand, OfflineInput,
};
use clavitor_core::ids::{CellId, RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::Seq;
use clavitor_core::replica::CommitObserver;
use clavitor_core::replicator::{
    ActiveStatus, BackupStatus, OperateError, OperatorAnswer, OperatorCommand, ReplicationStatus, Replicator,
};
use clavitor_store::{Store, StoreOptions};
use tempfile::TempDir;
use tokio::time::Instant;
use url::Url;

use crate::identity::Identity;
use crate::node::Node;
use crate::testing::{FakeKeyring, Held, HoldingStore, PlainSealer, RecordedAlerts, Tee};
use crate::transport::client::PeerClient;

const VAULT: VaultId = VaultId::from_bytes([0xaa; 16]);
/// Long enough for a slow machine; nothing waits this long when all is well.
const DEADLINE: Duration = Duration::from_secs(20);

/// Wall time that a test moves on; durations pass by themselves.
struct TestClock {
    start: Instant,
    ahead_ms: AtomicU64,
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000 + self.ahead_ms.load(Ordering::SeqCst) + self.monotonic_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }
}

/// Pokes replication after each commit, as the server does.
struct Poke(Arc<dyn Replicator>);

impl CommitObserver for Poke {
    fn committed(&self, _head: Seq) {
        self.0.signal();
    }
}

/// One node's folder and what outlives its runs.
struct Site {
    folder: TempDir,
    config: String,
    clock: Arc<TestClock>,
    keyring: Arc<FakeKeyring>,
    cell: CellId,
    /// Where the edition's writes wait when a test says so.
    held: Arc<Held>,
}

/// A running node.
struct Pop {
    store: Store,
    edition: Edition<Router>,
    node: Option<Arc<Node>>,
    alerts: Arc<RecordedAlerts>,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Site {
    fn new(config: String, cell: u8, keyring: &[u8]) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            config,
            clock: Arc::new(TestClock { start: Instant::now(), ahead_ms: AtomicU64::new(0) }),
            keyring: FakeKeyring::with(keyring),
            cell: CellId::from_bytes([cell; 16]),
            held: Arc::default(),
        }
    }

    /// A primary called `primary`, on a port of its own.
    fn primary() -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let config = format!("[replication]\npop = \"primary\"\nrole = \"primary\"\nlisten = \"{listen}\"\n");
        Self::new(config, 1, b"keyring of the cell")
    }

    /// A backup of a running primary.
    fn backup(name: &str, primary: &Pop) -> Self {
        let port = free_port();
        let config = format!(
            "[replication]\npop = \"{name}\"\nrole = \"backup\"\nlisten = \"127.0.0.1:{port}\"\n\
             url = \"https://127.0.0.1:{port}\"\n[replication.primary]\npop = \"primary\"\n\
             url = \"{}\"\npublic_url = \"https://vault.example.org\"\n",
            primary.url()
        );
        Self::new(config, 2, b"")
    }

    fn database(&self) -> Store {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let options = StoreOptions { replicates: true, clock, cell: self.cell, epoch_nonce: 7 };
        Store::open(&self.folder.path().join("clavitor.db"), options).unwrap()
    }

    fn input(&self, store: &Store) -> EditionInput {
        EditionInput {
            config: Some(ConfigText { path: PathBuf::from("clavitor.toml"), text: self.config.clone() }),
            data_dir: self.folder.path().to_owned(),
            public_url: "https://vault.example.org".to_owned(),
            store: HoldingStore::over(store.replica(), Arc::clone(&self.held)),
            clock: self.clock.clone(),
            audit: Arc::new(PlainSealer),
            keyring: self.keyring.clone(),
        }
    }

    fn try_start(&self) -> Result<Pop, EditionError> {
        let store = self.database();
        let alerts = Arc::new(RecordedAlerts::default());
        let tee = |told| Arc::new(Tee(told, alerts.clone())) as _;
        let (edition, node) = crate::open::open_with(&self.input(&store), tee)?;
        store.start(Arc::new(Poke(Arc::clone(&edition.replicator))));
        Ok(Pop { store, edition, node, alerts })
    }

    fn start(&self) -> Pop {
        self.try_start().unwrap()
    }

    fn offline(&self, command: OfflineCommand) -> Result<OfflineAnswer, EditionError> {
        let store = self.database();
        struct Deaf;
        impl CommitObserver for Deaf {
            fn committed(&self, _head: Seq) {}
        }
        store.start(Arc::new(Deaf));
        let answer = crate::offline(OfflineInput { edition: self.input(&store) }, command);
        store.close().unwrap();
        answer
    }

    fn fingerprint(&self) -> String {
        match self.offline(OfflineCommand::PopIdentity).unwrap() {
            OfflineAnswer::Identity { key } => key,
            other => panic!("{other:?}"),
        }
    }

    fn identity(&self) -> Identity {
        Identity::load_or_create(&self.folder.path().join(crate::identity::FILE_NAME)).unwrap()
    }

    fn join(&self, invitation: &str) -> Result<OfflineAnswer, String> {
        let command = OfflineCommand::PopJoin { invitation: invitation.to_owned() };
        self.offline(command).map_err(|error| error.to_string())
    }

    /// As after a crash before anything of the database had reached the disk.
    fn lose_the_database(&self) {
        for name in ["clavitor.db", "clavitor.db-wal", "clavitor.db-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(name));
        }
    }

    fn advance_ms(&self, by_ms: u64) {
        self.clock.ahead_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Pop {
    fn status(&self) -> ActiveStatus {
        match self.edition.replicator.status() {
            ReplicationStatus::Active(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    fn url(&self) -> Url {
        format!("https://{}", self.status().listen).parse().unwrap()
    }

    fn node(&self) -> &Arc<Node> {
        self.node.as_ref().unwrap()
    }

    async fn operate(&self, command: OperatorCommand) -> Result<OperatorAnswer, OperateError> {
        self.edition.replicator.operate(command).await
    }

    async fn invite(&self, pop: &str, key: Option<String>) -> String {
        let command = OperatorCommand::PopInvite {
            pop: pop.parse().unwrap(),
            url: None,
            key,
            may_lead: false,
            blind: false,
        };
        match self.operate(command).await.unwrap() {
            OperatorAnswer::Invitation { invitation, .. } => invitation,
            other => panic!("{other:?}"),
        }
    }

    async fn write(&self, title: &str) -> Seq {
        let change = Change {
            id: clavitor_crypto::random::record_id(1),
            vault_id: VAULT,
            kind: Kind::ENTRY,
            expect: Expect::Absent,
            content: Some(Content { lookups: Vec::new(), payload: title.as_bytes().to_vec() }),
        };
        self.store.write(Operation { changes: vec![change], ..Operation::default() }).await.unwrap().head
    }

    async fn reaches(&self, seq: Seq) {
        let mut head = self.store.head();
        let reached = tokio::time::timeout(DEADLINE, head.wait_for(|head| *head >= seq)).await;
        assert!(reached.is_ok(), "stands at {}: {:#?}", self.store.node().position.seq, self.status());
    }

    fn titles(&self) -> Vec<String> {
        let listed = self.store.list(VAULT, Kind::ENTRY, None, 1_000).unwrap();
        let title =
            |stored: clavitor_core::record::StoredRecord| String::from_utf8(stored.record.payload).unwrap();
        listed.into_iter().map(title).collect()
    }

    fn entries(&self) -> Vec<RecordId> {
        let listed = self.store.list(VAULT, Kind::ENTRY, None, 1_000).unwrap();
        listed.into_iter().map(|stored| stored.record.id).collect()
    }

    fn peer(&self, name: &str) -> Option<BackupStatus> {
        self.status().backups.into_iter().find(|backup| backup.pop.as_str() == name)
    }

    fn audited(&self) -> Vec<AuditEvent> {
        let rows = self.store.audit_rows(0, 10_000).unwrap();
        rows.iter().map(|row| serde_json::from_slice(&row.event.sealed).unwrap()).collect()
    }

    async fn end(self) {
        self.edition.replicator.drain(Duration::from_secs(limits::DRAIN_S)).await;
        self.store.close().unwrap();
    }
}

/// Waits until a state is reached; fails with what was seen last.
#[track_caller]
fn eventually<T: std::fmt::Debug>(
    mut look: impl FnMut() -> T,
    is_reached: impl Fn(&T) -> bool,
) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    let until = Instant::now() + DEADLINE;
    async move {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        loop {
            looks.tick().await;
            let seen = look();
            if is_reached(&seen) {
                return seen;
            }
            assert!(Instant::now() < until, "at {place}, still: {seen:#?}");
        }
    }
}

/// A primary, and a backup that has joined it; both run and are linked.
async fn pair() -> (Site, Pop, Site, Pop) {
    let primary_site = Site::primary();
    let primary = primary_site.start();
    let backup_site = Site::backup("zurich-01", &primary);
    let backup = join_and_start(&primary, &backup_site, "zurich-01").await;
    (primary_site, primary, backup_site, backup)
}

async fn join_and_start(primary: &Pop, site: &Site, name: &str) -> Pop {
    let invitation = primary.invite(name, Some(site.fingerprint())).await;
    site.join(&invitation).unwrap();
    let backup = site.start();
    eventually(|| primary.peer(name), |peer| peer.as_ref().is_some_and(is_linked_and_equal)).await;
    eventually(|| backup.status(), |status| status.upstream.as_ref().is_some_and(|up| up.link_open)).await;
    backup
}

fn is_linked_and_equal(peer: &BackupStatus) -> bool {
    peer.link_open && peer.lag_records == 0 && peer.digest_equal == Some(true)
}

/// The audit row of an action with a detail that starts so; the row may come after the answer.
async fn audited(pop: &Pop, action: Action, detail: &str) -> AuditEvent {
    let is_it = |event: &AuditEvent| {
        event.action == action && event.detail.as_deref().is_some_and(|text| text.starts_with(detail))
    };
    let found = eventually(|| pop.audited().into_iter().find(is_it), Option::is_some).await;
    found.unwrap()
}

/// A client with some site's identity towards some node.
fn client(identity: &Identity, to: &Site, url: &Url) -> PeerClient {
    PeerClient::new(identity, url, to.identity().fingerprint()).unwrap()
}
