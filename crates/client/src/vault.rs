//! An open vault: its key, its session on one node, and the one place where a session that ended is renewed.

use std::sync::Arc;

use clavitor_core::api::{SESSION_SCHEME, VaultSummary};
use clavitor_core::ids::{CellId, VaultId};
use clavitor_core::problem::code;
use clavitor_core::secret::SecretText;
use clavitor_crypto::vault_key::VaultKey;
use reqwest::Method;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::error::ClientError;
use crate::http::{Call, Http};
use crate::login;

/// A vault whose key is in memory, with a session on one node. Dropping it forgets both.
pub struct OpenVault {
    pub(crate) http: Arc<Http>,
    vault_id: VaultId,
    cell: CellId,
    key: Arc<VaultKey>,
    session: Mutex<Arc<SecretText>>,
}

impl std::fmt::Debug for OpenVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenVault({} at {})", self.vault_id, self.http.origin())
    }
}

impl OpenVault {
    pub(crate) fn new(
        http: Arc<Http>,
        vault_id: VaultId,
        cell: CellId,
        key: Arc<VaultKey>,
        session: SecretText,
    ) -> Self {
        Self { http, vault_id, cell, key, session: Mutex::new(Arc::new(session)) }
    }

    /// Its id.
    pub fn vault_id(&self) -> VaultId {
        self.vault_id
    }

    /// The cell that it is signed in to.
    pub fn cell(&self) -> CellId {
        self.cell
    }

    pub(crate) fn key(&self) -> Arc<VaultKey> {
        Arc::clone(&self.key)
    }

    /// What the node says of the vault.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::Refused`].
    pub async fn summary(&self) -> Result<VaultSummary, ClientError> {
        self.json(|| self.call(Method::GET, &[])).await
    }

    /// Ends the session on the node and forgets the key.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`]: the session then ends by its age.
    pub async fn sign_out(self) -> Result<(), ClientError> {
        let session = Arc::clone(&*self.session.lock().await);
        let call = self.http.call(Method::DELETE, &["session"]);
        self.http.empty(call.authorize(SESSION_SCHEME, session.expose())?).await
    }

    /// A request below this vault.
    pub(crate) fn call(&self, method: Method, path: &[&str]) -> Call {
        let vault_id = self.vault_id.to_string();
        let path: Vec<&str> = ["vaults", &vault_id].into_iter().chain(path.iter().copied()).collect();
        self.http.call(method, &path)
    }

    /// Sends with the session; where it has ended, signs in once more and sends again. A refused request did
    /// nothing, so writes may be sent again too.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: impl Fn() -> Call) -> Result<T, ClientError> {
        let session = Arc::clone(&*self.session.lock().await);
        match self.http.json(call().authorize(SESSION_SCHEME, session.expose())?).await {
            Err(ClientError::Refused(problem)) if problem.code == code::NOT_AUTHENTICATED => {
                let renewed = self.renew(&session).await?;
                self.http.json(call().authorize(SESSION_SCHEME, renewed.expose())?).await
            }
            answer => answer,
        }
    }

    /// A session that is not `ended`: made by whoever comes first, shared by the others.
    async fn renew(&self, ended: &Arc<SecretText>) -> Result<Arc<SecretText>, ClientError> {
        let mut session = self.session.lock().await;
        if Arc::ptr_eq(&session, ended) {
            let (cell, token) = login::sign_in(&self.http, self.vault_id, &self.key).await?;
            if cell != self.cell {
                return Err(ClientError::Tampered { what: "the node now names another cell".to_owned() });
            }
            *session = Arc::new(token);
        }
        Ok(Arc::clone(&session))
    }
}
