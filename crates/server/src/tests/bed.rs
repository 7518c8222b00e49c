//! What the tests stand on: a node in a temporary folder, calls, answers, and an owner with real keys.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use clavitor_core::api::{self, CreateVault, NewUnlocker};
use clavitor_core::clock::Clock;
use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::{Entry, EntryType, FieldKind};
use clavitor_core::ids::{CellId, RecordId, VaultId};
use clavitor_core::order::Version;
use clavitor_core::vault::{KDF_LANES, KDF_MEMORY_KIB, KDF_PASSES, KDF_SALT_BYTES, KdfParams, UnlockerKind};
use clavitor_crypto::entry::{Place, seal};
use clavitor_crypto::login::{LoginPurpose, LoginRequest};
use clavitor_crypto::vault_key::VaultKey;
use clavitor_crypto::{random, sha256};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::app::{App, HostParts};
use crate::config::{Config, Overrides, Sources};
use crate::http::Peer;

/// Where the wall clock of every test starts.
pub(super) const START_MS: u64 = 1_800_000_000_000;
/// The proof that opens the vault of [`Bed::owner`].
pub(super) const PROOF: [u8; 32] = [7; 32];
/// The name of that vault.
pub(super) const NAME: &str = "Home";

/// Two clocks that only a test moves.
#[derive(Debug, Default)]
pub(super) struct TestClock {
    passed_ms: AtomicU64,
}

impl TestClock {
    pub(super) fn pass(&self, ms: u64) {
        self.passed_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        START_MS + self.passed_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> u64 {
        self.passed_ms.load(Ordering::SeqCst)
    }
}

/// The configuration of a node in `folder`, at any free port.
pub(super) fn config(folder: &Path) -> Config {
    let flags = Overrides {
        config: None,
        data_dir: Some(folder.join("data")),
        listen: Some("127.0.0.1:0".into()),
        public_url: Some("https://vault.example.org".into()),
        keyring_file: None,
    };
    Sources { env: &|_| None, flags }.load().unwrap()
}

/// A node.
pub(super) struct Bed {
    pub(super) folder: TempDir,
    pub(super) clock: Arc<TestClock>,
    pub(super) app: App,
}

impl Bed {
    pub(super) async fn start() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(TestClock::default()));
        let parts = HostParts { clock: Arc::clone(&clock) as _ };
        let app = App::build(config(folder.path()), parts).await.unwrap();
        Self { folder, clock, app }
    }

    pub(super) async fn send(&self, call: Call) -> Answer {
        call.to(self.app.router()).await
    }

    pub(super) fn setup_secret(&self) -> String {
        let file = self.app.setup_file().expect("a new node has a setup secret");
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// Creates the first vault and signs in.
    pub(super) async fn owner(&self) -> Owner {
        let (key, vault_id) = (VaultKey::generate(), random::vault_id(START_MS));
        let created = self.send(create_vault(&self.setup_secret(), &new_vault(&key, vault_id))).await;
        assert_eq!(created.status, StatusCode::CREATED, "{:?}", created.json);
        let summary: api::VaultSummary = created.read();
        let mut owner = Owner { key, vault_id, cell: summary.cell, token: String::new() };
        owner.token = self.sign_in(&owner).await;
        owner
    }

    pub(super) async fn sign_in(&self, owner: &Owner) -> String {
        let answer = self.send(self.login(owner, "http://localhost").await).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json);
        answer.read::<api::Session>().token
    }

    /// A signed log-in for a fresh challenge; `host` gets this node's port.
    pub(super) async fn login(&self, owner: &Owner, host: &str) -> Call {
        let challenge = self.challenge(owner.vault_id).await;
        post("/api/v1/session").json(&self.signed(owner, host, &challenge))
    }

    pub(super) async fn challenge(&self, vault_id: VaultId) -> api::Challenge {
        let request = api::ChallengeRequest { vault_id };
        self.send(post("/api/v1/session/challenge").json(&request)).await.read()
    }

    pub(super) fn signed(&self, owner: &Owner, host: &str, challenge: &api::Challenge) -> api::CreateSession {
        let origin = format!("{host}:{}", self.app.address().port());
        let request = LoginRequest {
            purpose: LoginPurpose::Session,
            origin: &origin,
            cell: owner.cell,
            vault_id: owner.vault_id,
            nonce: &challenge.nonce,
            expires_at_ms: challenge.expires_at_ms,
        };
        let signature = owner.key.sign_login(&request);
        let (nonce, expires_at_ms) = (challenge.nonce.clone(), challenge.expires_at_ms);
        api::CreateSession { vault_id: owner.vault_id, origin, nonce, expires_at_ms, signature }
    }
}

/// The owner of a vault, signed in.
pub(super) struct Owner {
    pub(super) key: VaultKey,
    pub(super) vault_id: VaultId,
    pub(super) cell: CellId,
    pub(super) token: String,
}

impl Owner {
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/api/v1/vaults/{}{rest}", self.vault_id)
    }

    pub(super) fn entry_path(&self, id: RecordId) -> String {
        self.path(&format!("/entries/{id}"))
    }

    pub(super) fn call(&self, method: Method, path: &str) -> Call {
        call(method, path).header("authorization", &format!("Bearer {}", self.token))
    }

    /// A sealed login with a password.
    pub(super) fn entry(&self, id: RecordId, version: u64, title: &str, password: &str) -> Entry {
        let place = Place { vault_id: self.vault_id, entry_id: id, version: Version(version) };
        let mut draft = EntryDraft::new(EntryType::Login, title);
        draft.username = "ada".into();
        draft.urls = vec!["https://Mail.example.org:8443/in".into(), "https://mail.example.org/out".into()];
        draft.push("password", FieldKind::Password, password.to_owned());
        seal(&self.key, place, None, &draft, None).unwrap()
    }

    pub(super) fn create(&self, id: RecordId, title: &str) -> Call {
        let entry = self.entry(id, 1, title, "hunter2");
        self.call(Method::PUT, &self.entry_path(id)).header("if-none-match", "*").json(&entry)
    }

    pub(super) fn update(&self, id: RecordId, if_version: u64, title: &str) -> Call {
        let entry = self.entry(id, if_version + 1, title, "hunter3");
        let tag = format!("\"{if_version}\"");
        self.call(Method::PUT, &self.entry_path(id)).header("if-match", &tag).json(&entry)
    }

    pub(super) fn read(&self, id: RecordId) -> Call {
        self.call(Method::GET, &self.entry_path(id))
    }

    pub(super) fn delete(&self, id: RecordId, if_version: u64) -> Call {
        self.call(Method::DELETE, &self.entry_path(id)).header("if-match", &format!("\"{if_version}\""))
    }
}

/// A vault as a client creates it; the wrap is opaque to the server, so any bytes serve.
pub(super) fn new_vault(key: &VaultKey, vault_id: VaultId) -> CreateVault {
    let kdf = KdfParams {
        memory_kib: KDF_MEMORY_KIB,
        passes: KDF_PASSES,
        lanes: KDF_LANES,
        salt: vec![3; KDF_SALT_BYTES],
    };
    let unlocker = NewUnlocker {
        id: random::record_id(START_MS),
        kind: UnlockerKind::Passphrase,
        kdf,
        proof_hash: sha256(&PROOF).to_vec(),
        wrapped_key: vec![9; 61],
        generation: 1,
    };
    let login_public_key = key.login_public_key().to_vec();
    CreateVault { vault_id, name: NAME.into(), login_public_key, unlocker }
}

pub(super) fn create_vault(secret: &str, request: &CreateVault) -> Call {
    post("/api/v1/vaults").header("authorization", &format!("Setup {secret}")).json(request)
}

pub(super) fn new_id() -> RecordId {
    random::record_id(START_MS)
}

/// One request.
pub(super) struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    from: Option<IpAddr>,
}

pub(super) fn call(method: Method, path: &str) -> Call {
    Call { method, path: path.to_owned(), headers: Vec::new(), body: Vec::new(), from: None }
}

pub(super) fn get(path: &str) -> Call {
    call(Method::GET, path)
}

pub(super) fn post(path: &str) -> Call {
    call(Method::POST, path)
}

impl Call {
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(present, _)| present != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(present, _)| present != name);
        self
    }

    pub(super) fn json<T: Serialize>(self, body: &T) -> Self {
        self.text(&serde_json::to_string(body).unwrap())
    }

    pub(super) fn text(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self.header("content-type", "application/json")
    }

    pub(super) fn from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    /// Sends it. Every call comes from another address unless it names its own, so that failures of one test slow none
    /// down.
    pub(super) async fn to(self, router: Router) -> Answer {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let next = || Ipv4Addr::from_bits(0x0a00_0000 + CALLS.fetch_add(1, Ordering::Relaxed)).into();
        let address = self.from.unwrap_or_else(next);
        let mut request = Request::builder().method(self.method).uri(self.path);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", "localhost:1984");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::from(self.body)).unwrap();
        request.extensions_mut().insert(Peer(SocketAddr::new(address, 4_000)));
        answered(router, request).await
    }
}

pub(super) async fn answered(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status, headers: parts.headers, json }
}

/// One answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn read<T: DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.json.clone()).unwrap_or_else(|e| panic!("{e}: {:?}", self.json))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that this is a problem of this status and code, in its whole shape.
    #[track_caller]
    pub(super) fn is_problem(&self, status: u16, code: &str) -> &Self {
        assert_eq!(
            (self.status.as_u16(), self.json["code"].as_str()),
            (status, Some(code)),
            "{:?}",
            self.json
        );
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem: clavitor_core::problem::Problem = self.read();
        assert_eq!((problem.status, problem.type_uri.as_str()), (status, "about:blank"));
        assert!(!problem.title.is_empty() && !problem.hint.is_empty());
        assert_eq!(Some(problem.request_id.as_str()), self.header("x-request-id"));
        self
    }

    /// All that a caller can compare, without what is new in every answer.
    pub(super) fn comparable(&self) -> (StatusCode, Vec<(String, String)>, Value) {
        let mut json = self.json.clone();
        if let Some(map) = json.as_object_mut() {
            map.remove("request_id");
        }
        let headers = self.headers.iter().filter(|(name, _)| *name != "x-request-id");
        let headers = headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
        (self.status, headers, json)
    }
}
