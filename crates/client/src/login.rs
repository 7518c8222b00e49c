//! Reaching a node, creating a vault, and unlocking one: start, derive, prove, unwrap, sign in.

use std::sync::Arc;
use std::time::Duration;

use clavitor_core::api::{
    Challenge, ChallengeRequest, CreateSession, CreateVault, NewUnlocker, NodeStatus, SETUP_SCHEME, Session,
    Unlock, UnlockParams, UnlockStart, Unlocked, VaultSummary,
};
use clavitor_core::ids::{CellId, VaultId};
use clavitor_core::secret::SecretText;
use clavitor_core::vault::{KdfParams, UnlockerKind};
use clavitor_crypto::login::{LoginPurpose, LoginRequest};
use clavitor_crypto::passphrase::{self, PassphraseKeys, WrapContext};
use clavitor_crypto::random;
use clavitor_crypto::vault_key::VaultKey;
use reqwest::Method;
use url::Url;

use crate::error::ClientError;
use crate::http::Http;
use crate::vault::OpenVault;

/// Whom to talk to, and how long to wait.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The node: `https://…`, or `http://…` on this machine. Only the origin; a log-in signs exactly it.
    pub server: Url,
    /// The most that one request may take.
    pub timeout: Duration,
}

/// A client of one node. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: Arc<Http>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.http.origin())
    }
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::BadServer`]: not https and not this machine, or more than an origin.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self { http: Arc::new(Http::new(&options.server, options.timeout)?) })
    }

    /// The state of the node, as far as anyone may see it.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::BadAnswer`].
    pub async fn status(&self) -> Result<NodeStatus, ClientError> {
        self.http.json(self.http.call(Method::GET, &["status"])).await
    }

    /// Creates a vault: makes its key here, wraps it under the passphrase, and sends only the wrap.
    ///
    /// - `setup_secret`: as the node printed it; good once.
    /// - `name`: 1 to 128 bytes, by which the vault is unlocked.
    ///
    /// # Errors
    /// [`ClientError::Weak`] before anything is sent; [`ClientError::Refused`] with `setup-refused` or `exists`.
    pub async fn setup(
        &self,
        setup_secret: &SecretText,
        name: &str,
        passphrase: &SecretText,
    ) -> Result<VaultSummary, ClientError> {
        passphrase::check_strength(passphrase)?;
        let kdf = passphrase::new_kdf();
        let keys = derive(passphrase, &kdf).await?;
        let (vault_id, id) = (random::vault_id(now_ms()), random::record_id(now_ms()));
        let key = VaultKey::generate();
        let context = WrapContext { vault_id, unlocker_id: id, kdf: &kdf };
        let unlocker = NewUnlocker {
            id,
            kind: UnlockerKind::Passphrase,
            proof_hash: keys.proof_hash().to_vec(),
            wrapped_key: keys.wrap(&key, &context),
            generation: key.generation(),
            kdf: kdf.clone(),
        };
        let login_public_key = key.login_public_key().to_vec();
        let body = CreateVault { vault_id, name: name.to_owned(), login_public_key, unlocker };
        let call = self.http.call(Method::POST, &["vaults"]).body(&body);
        let created: VaultSummary =
            self.http.json(call.authorize(SETUP_SCHEME, setup_secret.expose())?).await?;
        if created.vault_id != vault_id {
            return Err(self.http.bad_answer("another vault than the one sent"));
        }
        Ok(created)
    }

    /// Unlocks a vault by its passphrase, on the primary or on a backup.
    ///
    /// # Errors
    /// - [`ClientError::Refused`] with `unlock-refused`: a wrong passphrase or an unknown name, alike.
    /// - [`ClientError::Derive`]: the node asked for a derivation outside our bounds; nothing was derived or sent.
    /// - [`ClientError::Tampered`]: the wrapped key is not what was enrolled.
    pub async fn unlock(&self, name: &str, passphrase: &SecretText) -> Result<OpenVault, ClientError> {
        let start = UnlockStart { vault: name.to_owned() };
        let params: UnlockParams =
            self.http.json(self.http.call(Method::POST, &["unlock", "start"]).body(&start)).await?;
        let keys = derive(passphrase, &params.kdf).await?;
        let unlock = Unlock { vault: name.to_owned(), proof: keys.proof().to_vec() };
        let unlocked: Unlocked =
            self.http.json(self.http.call(Method::POST, &["unlock"]).body(&unlock)).await?;
        let context =
            WrapContext { vault_id: unlocked.vault_id, unlocker_id: unlocked.unlocker_id, kdf: &params.kdf };
        let key = keys.unwrap(&unlocked.wrapped_key, &context, unlocked.generation)?;
        self.open(unlocked.vault_id, Arc::new(key)).await
    }

    /// Signs in here with the key of a vault that is open already, on this node or another: no passphrase is needed.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `not-authenticated`: this node does not know the vault, or another key for it.
    pub async fn sign_in(&self, vault: &OpenVault) -> Result<OpenVault, ClientError> {
        self.open(vault.vault_id(), vault.key()).await
    }

    async fn open(&self, vault_id: VaultId, key: Arc<VaultKey>) -> Result<OpenVault, ClientError> {
        let (cell, session) = sign_in(&self.http, vault_id, &key).await?;
        Ok(OpenVault::new(Arc::clone(&self.http), vault_id, cell, key, session))
    }
}

/// Answers a challenge, over the origin that we dialled; returns the cell and the session's token.
pub(crate) async fn sign_in(
    http: &Http,
    vault_id: VaultId,
    key: &VaultKey,
) -> Result<(CellId, SecretText), ClientError> {
    let request = http.call(Method::POST, &["session", "challenge"]).body(&ChallengeRequest { vault_id });
    let challenge: Challenge = http.json(request).await?;
    let origin = http.origin();
    let login = LoginRequest {
        purpose: LoginPurpose::Session,
        origin: &origin,
        cell: challenge.cell,
        vault_id,
        nonce: &challenge.nonce,
        expires_at_ms: challenge.expires_at_ms,
    };
    let signature = key.sign_login(&login);
    let body = CreateSession {
        vault_id,
        nonce: challenge.nonce,
        expires_at_ms: challenge.expires_at_ms,
        signature,
        origin,
    };
    let session: Session = http.json(http.call(Method::POST, &["session"]).body(&body)).await?;
    Ok((challenge.cell, SecretText::new(session.token)))
}

/// Derives on a thread for blocking work.
async fn derive(passphrase: &SecretText, kdf: &KdfParams) -> Result<PassphraseKeys, ClientError> {
    let (passphrase, kdf) = (SecretText::new(passphrase.expose().to_owned()), kdf.clone());
    let derived = tokio::task::spawn_blocking(move || passphrase::derive(&passphrase, &kdf)).await;
    Ok(derived.map_err(|_| ClientError::Cancelled)??)
}

/// The wall clock, for new ids alone.
#[expect(
    clippy::disallowed_methods,
    reason = "ids made by a client carry its own wall clock; nothing else reads it"
)]
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
