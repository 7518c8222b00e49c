//! Vaults: creating the first one, and finding one by its name or id.

use clavitor_core::api::{CreateVault, NewUnlocker, VaultSummary};
use clavitor_core::audit::Action;
use clavitor_core::change::{Change, Content, Expect, Guard, Operation, WriteError};
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::limits;
use clavitor_core::order::Version;
use clavitor_core::problem::FieldProblem;
use clavitor_core::record::{StoredRecord, purpose};
use clavitor_core::secret::SecretText;
use clavitor_core::vault::{
    KDF_LANES, KDF_LANES_MAX, KDF_MEMORY_KIB, KDF_MEMORY_KIB_MAX, KDF_PASSES, KDF_PASSES_MAX, KDF_SALT_BYTES,
    KdfParams, UnlockerAtRest, VaultAtRest,
};
use clavitor_crypto::keyring::normalise_vault_name;

use super::audit::Told;
use super::refusal::expects;
use super::{Facts, Node, Refusal};

/// The longest wrapped vault key that is stored, in bytes; the present encoding needs far fewer.
const WRAPPED_KEY_BYTES_MAX: usize = 1_024;

/// A vault as it rests. Its record is one of the node (nil vault id), so that its name can be looked up.
#[derive(Debug)]
pub(super) struct Vault {
    pub(super) id: VaultId,
    pub(super) at_rest: VaultAtRest,
}

impl Node {
    /// The living vault of an id. A point read.
    pub(super) fn vault(&self, id: VaultId) -> Result<Option<Vault>, Refusal> {
        match self.store.get(VaultId::NIL, id.into())? {
            Some(stored) if stored.record.kind == Kind::VAULT && !stored.record.deleted => {
                read(&stored).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The vault of a name. A point read.
    pub(super) fn vault_named(&self, name: &str) -> Result<Option<Vault>, Refusal> {
        let lookup = self.keys.get().lookup(VaultId::NIL, purpose::VAULT_NAME, &normalise_vault_name(name));
        self.store.find(VaultId::NIL, &lookup, None, 1)?.first().map(read).transpose()
    }

    /// A vault, for its owner.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when it is gone meanwhile.
    pub(crate) fn vault_summary(&self, id: VaultId) -> Result<VaultSummary, Refusal> {
        let vault = self.vault(id)?.ok_or(Refusal::NotFound)?;
        let name = self.keys.get().open_vault_name(id, &vault.at_rest.name_sealed)?;
        Ok(VaultSummary {
            vault_id: id,
            name,
            cell: self.store.node().cell,
            generation: vault.at_rest.generation,
            created_at_ms: vault.at_rest.created_at_ms,
        })
    }

    /// Creates the first vault of this node for whoever holds the setup secret.
    ///
    /// # Errors
    /// [`Refusal::SetupRefused`] for a wrong, used or expired secret, alike, and [`Refusal::SlowDown`] after too
    /// many of them; [`Refusal::Invalid`]; those of a write.
    pub(crate) async fn create_vault(
        &self,
        secret: &SecretText,
        request: CreateVault,
        facts: &Facts,
    ) -> Result<VaultSummary, Refusal> {
        if !self.setup.accepts(secret, self.clock.monotonic_ms()) {
            self.note_failure(facts).await?;
            self.audit_now(facts, Told::denied(VaultId::NIL, Action::VaultCreate)).await?;
            return Err(Refusal::SetupRefused);
        }
        check(&request)?;
        let vault_id = request.vault_id;
        let changes = self.new_vault(request);
        let expected = expects(&changes);
        let operation = Operation {
            guards: vec![Guard::NoRecordOfKind(Kind::VAULT)],
            changes,
            local: Vec::new(),
            audit: vec![self.audit(facts, Told::owner(vault_id, Action::VaultCreate, Some(vault_id.into())))],
        };
        match self.store.write(operation).await {
            Ok(_) => {
                self.setup.close();
                self.vault_summary(vault_id)
            }
            Err(error) => {
                if matches!(error, WriteError::Guard { .. }) {
                    self.setup.close();
                }
                Err(self.refusal(error, &expected).alone())
            }
        }
    }

    fn new_vault(&self, request: CreateVault) -> Vec<Change> {
        let keys = self.keys.get();
        let CreateVault { vault_id, name, login_public_key, unlocker } = request;
        let name = name.trim();
        let vault = VaultAtRest {
            name_sealed: keys.seal_vault_name(vault_id, name),
            login_public_key,
            generation: unlocker.generation,
            created_at_ms: self.clock.now_ms(),
        };
        let lookup = keys.lookup(VaultId::NIL, purpose::VAULT_NAME, &normalise_vault_name(name));
        let at_rest = UnlockerAtRest {
            kind: unlocker.kind,
            kdf: unlocker.kdf,
            proof_hash: unlocker.proof_hash,
            wrapped_key: unlocker.wrapped_key,
            generation: unlocker.generation,
        };
        let sealed = keys.seal_unlocker(vault_id, unlocker.id, Version::FIRST, &at_rest);
        vec![
            Change {
                id: vault_id.into(),
                vault_id: VaultId::NIL,
                kind: Kind::VAULT,
                expect: Expect::Absent,
                content: Some(Content { lookups: vec![lookup], payload: encode(&vault) }),
            },
            Change {
                id: unlocker.id,
                vault_id,
                kind: Kind::UNLOCKER,
                expect: Expect::Absent,
                content: Some(Content { lookups: Vec::new(), payload: sealed }),
            },
        ]
    }
}

fn encode(vault: &VaultAtRest) -> Vec<u8> {
    minicbor::to_vec(vault).expect("encoding into a Vec cannot fail")
}

fn read(stored: &StoredRecord) -> Result<Vault, Refusal> {
    let id = VaultId::from_bytes(*stored.record.id.as_bytes());
    let at_rest = minicbor::decode(&stored.record.payload).map_err(|error| {
        tracing::error!(record = %stored.record.id, %error, "a vault record does not decode");
        Refusal::Damaged
    })?;
    Ok(Vault { id, at_rest })
}

fn check(request: &CreateVault) -> Result<(), Refusal> {
    let mut problems = Vec::new();
    let mut require = |holds: bool, pointer: &str, detail: String| {
        if !holds {
            problems.push(FieldProblem { pointer: pointer.to_owned(), detail });
        }
    };
    let CreateVault { vault_id, name, login_public_key, unlocker } = request;
    let NewUnlocker { id, kind: _, kdf, proof_hash, wrapped_key, generation } = unlocker;
    require(*vault_id != VaultId::NIL, "/vault_id", "not the nil id".into());
    let name_bytes = name.trim().len();
    let name_fits = (1..=limits::VAULT_NAME_BYTES_MAX).contains(&name_bytes);
    require(name_fits, "/name", format!("1 to {} bytes", limits::VAULT_NAME_BYTES_MAX));
    require(login_public_key.len() == 32, "/login_public_key", "32 bytes".into());
    let id_is_own = *id != RecordId::NIL && *id != RecordId::from(*vault_id);
    require(id_is_own, "/unlocker/id", "an id of its own".into());
    require(proof_hash.len() == 32, "/unlocker/proof_hash", "32 bytes".into());
    let wrap_fits = (1..=WRAPPED_KEY_BYTES_MAX).contains(&wrapped_key.len());
    require(wrap_fits, "/unlocker/wrapped_key", format!("1 to {WRAPPED_KEY_BYTES_MAX} bytes"));
    require(*generation == 1, "/unlocker/generation", "1 for a new vault".into());
    let KdfParams { memory_kib, passes, lanes, salt } = kdf;
    let bounded = [
        ("/unlocker/kdf/memory_kib", *memory_kib, KDF_MEMORY_KIB, KDF_MEMORY_KIB_MAX),
        ("/unlocker/kdf/passes", *passes, KDF_PASSES, KDF_PASSES_MAX),
        ("/unlocker/kdf/lanes", *lanes, KDF_LANES, KDF_LANES_MAX),
    ];
    for (pointer, value, min, max) in bounded {
        require((min..=max).contains(&value), pointer, format!("{min} to {max}"));
    }
    require(salt.len() == KDF_SALT_BYTES, "/unlocker/kdf/salt", format!("{KDF_SALT_BYTES} bytes"));
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
}
