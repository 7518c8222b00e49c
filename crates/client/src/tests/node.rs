//! A node of the tests' own: it keeps what it is sent, and lies where a test asks it to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use clavitor_core::api::{CreateSession, CreateVault, OperationChange, OperationRequest, Unlock};
use clavitor_core::entry::Entry;
use clavitor_core::ids::{CellId, RecordId, VaultId};
use clavitor_core::problem::{Problem, code};
use clavitor_crypto::login::{self, LoginPurpose, LoginRequest};
use clavitor_crypto::passphrase;
use serde_json::{Value, json};
use url::Url;

use crate::{Client, ClientOptions};

/// Changes an answer (method and path, body) before it is sent.
type Lie = Box<dyn Fn(&str, &mut Value) + Send>;
/// Answers a request in place of the node.
type Instead = Box<dyn Fn(&str) -> Option<Response> + Send>;

const NONCE: [u8; 48] = [7; 48];

/// What the node holds.
#[derive(Default)]
pub(super) struct State {
    pub(super) origin: String,
    pub(super) vault: Option<CreateVault>,
    pub(super) entries: BTreeMap<RecordId, (u64, Entry)>,
    pub(super) sessions: u32,
    pub(super) requests: Vec<String>,
    pub(super) lie: Option<Lie>,
    pub(super) instead: Option<Instead>,
}

/// A running node.
#[derive(Clone)]
pub(super) struct Node {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
}

impl Node {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { origin: format!("http://{address}"), ..State::default() }));
        let shared = Arc::clone(&state);
        let router =
            Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                let answer = shared.lock().unwrap().answer(&method, &uri, &headers, &body);
                std::future::ready(answer)
            });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { state, address }
    }

    pub(super) fn client(&self) -> Client {
        let server = Url::parse(&format!("http://{}", self.address)).unwrap();
        Client::new(ClientOptions { server, timeout: Duration::from_secs(20) }).unwrap()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets the node lie from now on.
    pub(super) fn lie(&self, lie: impl Fn(&str, &mut Value) + Send + 'static) {
        self.state().lie = Some(Box::new(lie));
    }

    /// Lets the node answer otherwise from now on.
    pub(super) fn instead(&self, instead: impl Fn(&str) -> Option<Response> + Send + 'static) {
        self.state().instead = Some(Box::new(instead));
    }
}

/// A refusal.
pub(super) fn problem(status: u16, code: &str) -> Response {
    let problem = Problem {
        type_uri: "about:blank".into(),
        status,
        code: code.into(),
        title: "it was refused".into(),
        hint: "try something else".into(),
        request_id: "r-1".into(),
        errors: vec![],
        current_version: (code == code::CHANGED).then_some(9),
        failed_index: None,
    };
    let status = StatusCode::from_u16(status).unwrap();
    (status, serde_json::to_vec(&problem).unwrap()).into_response()
}

impl State {
    fn answer(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
        let what = format!("{method} {}", uri.path());
        self.requests.push(what.clone());
        if let Some(response) = self.instead.as_ref().and_then(|instead| instead(&what)) {
            return response;
        }
        match self.route(&what, uri, headers, body) {
            Ok(mut json) => {
                if let Some(lie) = &self.lie {
                    lie(&what, &mut json);
                }
                serde_json::to_vec(&json).unwrap().into_response()
            }
            Err((status, code)) => problem(status, code),
        }
    }

    fn route(
        &mut self,
        what: &str,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Value, (u16, &'static str)> {
        match what {
            "POST /api/v1/vaults" => {
                let vault: CreateVault = serde_json::from_slice(body).unwrap();
                self.vault = Some(vault);
                Ok(self.summary())
            }
            "POST /api/v1/unlock/start" => Ok(match &self.vault {
                Some(vault) => json!({ "kdf": vault.unlocker.kdf }),
                None => json!({ "kdf": passphrase::new_kdf() }),
            }),
            "POST /api/v1/unlock" => self.unlock(body),
            "POST /api/v1/session/challenge" => {
                Ok(json!({ "cell": CellId::NIL, "nonce": base64(&NONCE), "expires_at_ms": 60_000 }))
            }
            "POST /api/v1/session" => self.session(body),
            _ => {
                let expected = format!("Bearer session-{}", self.sessions);
                if headers.get("authorization").is_none_or(|sent| sent.as_bytes() != expected.as_bytes()) {
                    return Err((401, code::NOT_AUTHENTICATED));
                }
                self.vault_route(what, uri, headers, body)
            }
        }
    }

    fn summary(&self) -> Value {
        let vault = self.vault.as_ref().unwrap();
        json!({ "vault_id": vault.vault_id, "name": vault.name, "cell": CellId::NIL, "generation": 1, "created_at_ms": 0 })
    }

    fn unlock(&self, body: &[u8]) -> Result<Value, (u16, &'static str)> {
        let unlock: Unlock = serde_json::from_slice(body).unwrap();
        let Some(vault) = &self.vault else { return Err((401, code::UNLOCK_REFUSED)) };
        if clavitor_crypto::sha256(&unlock.proof)[..] != vault.unlocker.proof_hash {
            return Err((401, code::UNLOCK_REFUSED));
        }
        Ok(json!({ "vault_id": vault.vault_id, "unlocker_id": vault.unlocker.id, "kind": "passphrase",
            "kdf": vault.unlocker.kdf, "generation": 1, "wrapped_key": base64(&vault.unlocker.wrapped_key) }))
    }

    fn session(&mut self, body: &[u8]) -> Result<Value, (u16, &'static str)> {
        let sent: CreateSession = serde_json::from_slice(body).unwrap();
        let request = LoginRequest {
            purpose: LoginPurpose::Session,
            origin: &self.origin,
            cell: CellId::NIL,
            vault_id: sent.vault_id,
            nonce: &NONCE,
            expires_at_ms: 60_000,
        };
        let key = &self.vault.as_ref().unwrap().login_public_key;
        if sent.origin != self.origin || login::verify(key, &request, &sent.signature).is_err() {
            return Err((401, code::NOT_AUTHENTICATED));
        }
        self.sessions += 1;
        Ok(json!({ "token": format!("session-{}", self.sessions), "expires_at_ms": 60_000 }))
    }

    fn vault_route(
        &mut self,
        what: &str,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Value, (u16, &'static str)> {
        let vault_id = self.vault.as_ref().map_or(VaultId::NIL, |vault| vault.vault_id);
        let (method, path) = what.split_once(" /api/v1/").unwrap();
        let Some(path) = path.strip_prefix(&format!("vaults/{vault_id}")) else {
            return if method == "DELETE" { Ok(Value::Null) } else { Err((404, code::NOT_FOUND)) };
        };
        let id = path.strip_prefix("/entries/").map(|id| id.parse::<RecordId>().unwrap());
        let current = id.and_then(|id| self.entries.get(&id)).map(|(version, _)| *version);
        let if_match =
            headers.get("if-match").map(|v| v.to_str().unwrap().trim_matches('"').parse().unwrap());
        match (method, id) {
            ("GET", None) if path.is_empty() => Ok(self.summary()),
            ("GET", None) => Ok(self.list(&Url::parse(&format!("http://x{uri}")).unwrap())),
            ("GET", Some(id)) => {
                let (version, entry) = self.entries.get(&id).ok_or((404, code::NOT_FOUND))?;
                Ok(json!({ "id": id, "version": version, "updated_at_ms": 0, "entry": entry }))
            }
            ("PUT", Some(_)) if if_match.is_none() && current.is_some() => Err((412, code::EXISTS)),
            (_, Some(_)) if if_match != current => Err((412, code::CHANGED)),
            ("PUT", Some(id)) => {
                let entry: Entry = serde_json::from_slice(body).unwrap();
                assert_eq!(entry.check(), Ok(()));
                let version = current.unwrap_or(0) + 1;
                self.entries.insert(id, (version, entry));
                Ok(json!({ "id": id, "version": version, "seq": 1 }))
            }
            ("DELETE", Some(id)) => {
                self.entries.remove(&id);
                Ok(json!({ "id": id, "version": current.unwrap() + 1, "seq": 1 }))
            }
            _ => Ok(self.operation(body)),
        }
    }

    /// Pages of two; filters by exact title or by a URL that contains the host.
    fn list(&self, url: &Url) -> Value {
        let asked =
            |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned());
        let (title, host, cursor) = (asked("title"), asked("host"), asked("cursor"));
        let selected = self.entries.iter().filter(|(id, (_, entry))| {
            title.as_ref().is_none_or(|t| entry.vault.title.eq_ignore_ascii_case(t.trim()))
                && host.as_ref().is_none_or(|h| entry.vault.urls.iter().any(|u| u.contains(h.as_str())))
                && cursor.as_ref().is_none_or(|c| **id > c.parse().unwrap())
        });
        let mut rows: Vec<_> = selected
            .map(|(id, (version, entry))| {
                json!({ "id": id, "version": version, "type": entry.entry_type, "title": entry.vault.title,
                    "username": "", "urls": entry.vault.urls, "folder": "", "tags": [], "favorite": false,
                    "updated_at_ms": 0 })
            })
            .collect();
        let more = rows.len() > 2;
        rows.truncate(2);
        let next = more.then(|| rows[1]["id"].clone());
        json!({ "items": rows, "next_cursor": next })
    }

    fn operation(&mut self, body: &[u8]) -> Value {
        let request: OperationRequest = serde_json::from_slice(body).unwrap();
        let versions: Vec<u64> = request
            .changes
            .into_iter()
            .map(|change| match change {
                OperationChange::Create { id, entry } => {
                    self.entries.insert(id, (1, *entry));
                    1
                }
                OperationChange::Update { id, if_version, entry } => {
                    self.entries.insert(id, (if_version.0 + 1, *entry));
                    if_version.0 + 1
                }
                OperationChange::Delete { id, if_version } => {
                    self.entries.remove(&id);
                    if_version.0 + 1
                }
            })
            .collect();
        json!({ "versions": versions, "seq": 1 })
    }
}

fn base64(bytes: &[u8]) -> Value {
    #[derive(serde::Serialize)]
    struct Text<'a>(#[serde(serialize_with = "clavitor_core::entry::base64_bytes::serialize")] &'a [u8]);
    serde_json::to_value(Text(bytes)).unwrap()
}
