//! Unlocking and logging in. Nothing here writes replicated state, so all of it works on a backup.
//!
//! A name that does not exist costs the same work and gets the same answer as a wrong passphrase.

use clavitor_core::api::{
    Challenge, ChallengeRequest, CreateSession, Session, Unlock, UnlockParams, Unlocked,
};
use clavitor_core::audit::Action;
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::Version;
use clavitor_core::record::StoredRecord;
use clavitor_core::vault::{UnlockerAtRest, UnlockerKind};
use clavitor_crypto::keyring::NodeKeyring;
use clavitor_crypto::login::{self, LoginPurpose, LoginRequest};
use clavitor_crypto::{equal, random, sha256};
use zeroize::Zeroizing;

use super::audit::Told;
use super::challenges::Spent;
use super::{Facts, Node, Refusal};

/// A valid Ed25519 point whose private key was published (RFC 8032, section 7.1, test 1): a vault that does not exist
/// is verified against it, and refused whatever comes of it.
const NOBODYS_KEY: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
    0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

/// An unlocker of nobody: opened and compared where a name has none.
pub(super) struct Dummy {
    vault_id: VaultId,
    id: RecordId,
    sealed: Vec<u8>,
}

impl Dummy {
    pub(super) fn new(keys: &NodeKeyring) -> Self {
        let (vault_id, id) = (random::vault_id(0), random::record_id(0));
        let unlocker = UnlockerAtRest {
            kind: UnlockerKind::Passphrase,
            kdf: keys.dummy_kdf(""),
            proof_hash: random::bytes::<32>().to_vec(),
            wrapped_key: random::bytes::<64>().to_vec(),
            generation: 1,
        };
        let sealed = keys.seal_unlocker(vault_id, id, Version::FIRST, &unlocker);
        Self { vault_id, id, sealed }
    }
}

struct Opened {
    id: RecordId,
    unlocker: UnlockerAtRest,
}

impl Node {
    /// The derivation parameters of a name, whether it exists or not. Nothing is tried with it, so it waits for no turn.
    ///
    /// # Errors
    /// [`Refusal::Disk`], [`Refusal::Damaged`].
    pub(crate) async fn unlock_start(&self, name: &str) -> Result<UnlockParams, Refusal> {
        let dummy = self.keys.get().dummy_kdf(name);
        let (vault_id, opened) = self.unlockers_of(name).await?;
        let known = vault_id.and_then(|_| opened.into_iter().next()).map(|opened| opened.unlocker.kdf);
        Ok(UnlockParams { kdf: known.unwrap_or(dummy) })
    }

    /// Hands out the wrapped vault key for the right proof.
    ///
    /// # Errors
    /// [`Refusal::UnlockRefused`] for a wrong proof and for an unknown name, alike; [`Refusal::SlowDown`];
    /// [`Refusal::AuditUnavailable`].
    pub(crate) async fn unlock(&self, request: Unlock, facts: &Facts) -> Result<Unlocked, Refusal> {
        // Before the proof is looked at: else as many could be tried at once as there are connections.
        let turn = self.turn(facts).await?;
        let proof = Zeroizing::new(request.proof);
        let hash = sha256(&proof);
        let (vault_id, opened) = self.unlockers_of(&request.vault).await?;
        let mut matched = None;
        for candidate in opened {
            if equal(&hash, &candidate.unlocker.proof_hash) {
                matched = Some(candidate);
            }
        }
        let Some((vault_id, Opened { id, unlocker })) = vault_id.zip(matched) else {
            turn.failed(self.clock.monotonic_ms());
            self.audit_now(facts, Told::denied(vault_id.unwrap_or(VaultId::NIL), Action::Unlock)).await?;
            return Err(Refusal::UnlockRefused);
        };
        turn.succeeded();
        self.audit_now(facts, Told::owner(vault_id, Action::Unlock, Some(id))).await?;
        Ok(Unlocked {
            vault_id,
            unlocker_id: id,
            kind: unlocker.kind,
            kdf: unlocker.kdf,
            generation: unlocker.generation,
            wrapped_key: unlocker.wrapped_key,
        })
    }

    /// The unlockers of a name, opened; for a name that does not exist, one of nobody and no vault.
    async fn unlockers_of(&self, name: &str) -> Result<(Option<VaultId>, Vec<Opened>), Refusal> {
        let vault = self.vault_named(name)?.map(|vault| vault.id);
        let (store, asked) = (self.store.clone(), vault.unwrap_or(self.dummy.vault_id));
        let list = move || store.list(asked, Kind::UNLOCKER, None, limits::UNLOCKERS_MAX);
        let records = super::blocking(list).await??;
        let keys = self.keys.get();
        let mut opened = Vec::with_capacity(records.len().max(1));
        for StoredRecord { record, .. } in records {
            let unlocker = keys.open_unlocker(asked, record.id, record.version, &record.payload)?;
            opened.push(Opened { id: record.id, unlocker });
        }
        if opened.is_empty() {
            let Dummy { vault_id, id, sealed } = &self.dummy;
            let unlocker = keys.open_unlocker(*vault_id, *id, Version::FIRST, sealed)?;
            opened.push(Opened { id: *id, unlocker });
        }
        Ok((vault, opened))
    }

    /// A challenge for a vault, whether it exists or not.
    pub(crate) fn challenge(&self, request: &ChallengeRequest) -> Challenge {
        let (nonce, expires_at_ms) = self.challenges.issue(request.vault_id, self.clock.now_ms());
        Challenge { cell: self.store.node().cell, nonce, expires_at_ms }
    }

    /// A session for a challenge that was signed with the vault's log-in key.
    ///
    /// # Errors
    /// [`Refusal::NotAuthenticated`], alike for a foreign origin, a forged, used or expired nonce, an unknown vault
    /// and a wrong signature; [`Refusal::SlowDown`] for those that failed; [`Refusal::Busy`] when too many nonces are
    /// remembered; [`Refusal::AuditUnavailable`].
    pub(crate) async fn create_session(
        &self,
        request: CreateSession,
        facts: &Facts,
    ) -> Result<Session, Refusal> {
        let CreateSession { vault_id, origin, nonce, expires_at_ms, signature } = request;
        let spent = self.challenges.spend(vault_id, expires_at_ms, &nonce, self.clock.now_ms());
        if spent == Spent::NoRoom {
            return Err(Refusal::Busy);
        }
        let vault = self.vault(vault_id)?;
        let signed = LoginRequest {
            purpose: LoginPurpose::Session,
            origin: &origin,
            cell: self.store.node().cell,
            vault_id,
            nonce: &nonce,
            expires_at_ms,
        };
        let key = vault.as_ref().map_or(&NOBODYS_KEY[..], |vault| &vault.at_rest.login_public_key);
        let verified = login::verify(key, &signed, &signature).is_ok();
        let proved = verified & (spent == Spent::Now) & self.origins.is_our_origin(&origin);
        let Some(vault) = vault.filter(|_| proved) else {
            self.note_failure(facts).await?;
            self.audit_now(facts, Told::denied(vault_id, Action::Login)).await?;
            return Err(Refusal::NotAuthenticated);
        };
        self.audit_now(facts, Told::owner(vault.id, Action::Login, None)).await?;
        Ok(self.issue_session(vault.id, vault.at_rest.generation))
    }
}
