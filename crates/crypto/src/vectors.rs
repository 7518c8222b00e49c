//! The JSON test vectors in `vectors/`: computed anew from fixed inputs and compared, so that every implementation agrees.
//!
//! `crypto.json` also holds an entry that was sealed once, which must open. To write the files after a deliberate
//! change of a format: `CLAVITOR_WRITE_VECTORS=1 cargo test -p clavitor-crypto vectors`.

use std::path::PathBuf;

use clavitor_core::api::EntryAnswer;
use clavitor_core::draft::EntryDraft;
use clavitor_core::entry::{EntryType, FieldId, FieldKind, Tier, VaultTier};
use clavitor_core::ids::{CellId, RecordId, VaultId};
use clavitor_core::kind::Kind;
use clavitor_core::order::{Chain, Digest, Seq, Version};
use clavitor_core::record::{Lookup, Record, purpose};
use clavitor_core::secret::{SecretBytes, SecretText};
use clavitor_core::vault::KdfParams;
use serde_json::{Value, json};

use crate::entry::{self, Place};
use crate::keyring::NodeKeyring;
use crate::keys::Root;
use crate::login::{LoginPurpose, LoginRequest};
use crate::normalise::{normalise_host, normalise_title};
use crate::sealed::{self, Binding, Purpose};
use crate::vault_key::VaultKey;
use crate::{chain, passphrase, sha256};

const VAULT: VaultId = VaultId::from_bytes([0xa1; 16]);
const RECORD: RecordId = RecordId::from_bytes([0xb2; 16]);
const CELL: CellId = CellId::from_bytes([0xc3; 16]);
const KEY: [u8; 32] = [0x0f; 32];

fn root(bytes: [u8; 32]) -> Root {
    Root::from_bytes(SecretBytes::new(bytes.to_vec())).unwrap()
}

fn vault_key() -> VaultKey {
    VaultKey::from_bytes(SecretBytes::new(KEY.to_vec()), 1).unwrap()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name)
}

fn stored(name: &str) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(path(name)).ok()?).ok()
}

/// Compares with the file, or writes it where that is asked for.
fn check(name: &str, computed: &Value) {
    if std::env::var_os("CLAVITOR_WRITE_VECTORS").is_some() {
        std::fs::write(path(name), serde_json::to_string_pretty(computed).unwrap() + "\n").unwrap();
    }
    let stored = stored(name).expect("the vectors are there");
    for (part, value) in computed.as_object().unwrap() {
        assert_eq!(stored.get(part), Some(value), "{name}: {part}");
    }
    assert_eq!(stored, *computed, "{name}");
}

fn derivations() -> Value {
    let one = |purpose: &str, salt: &[u8]| {
        let out = root(KEY).derive(purpose, salt);
        json!({ "key": hex::encode(KEY), "salt": hex::encode(salt), "info": format!("clavitor/v1/{purpose}"),
            "output": hex::encode(out.as_ref()) })
    };
    json!([one("key-id", &[]), one("owner-wrap", &[]), one("vault", VAULT.as_bytes())])
}

fn kdf(salt: u8) -> KdfParams {
    KdfParams { salt: vec![salt; 16], memory_kib: 65_536, passes: 3, lanes: 1 }
}

fn seals() -> Value {
    let kdf = kdf(7);
    let field = Binding {
        field: FieldId(2),
        tier: Some(Tier::Credential),
        version: Version(5),
        ..Binding::new(Purpose::CredentialField, VAULT, RECORD)
    };
    let wrap = Binding {
        generation: 1,
        kdf: Some(&kdf),
        ..Binding::new(Purpose::VaultKeyByPassphrase, VAULT, RECORD)
    };
    let one = |name: &str, binding: &Binding<'_>, text: &[u8]| {
        let key = root(KEY);
        let blob = sealed::seal_with_nonce(&key, binding, [0x11; 12], text);
        assert_eq!(sealed::open(&key, binding, &blob).unwrap()[..], *text);
        json!({ "name": name, "key": hex::encode(KEY), "associated_data": hex::encode(binding.associated_data(&key)),
            "nonce": hex::encode([0x11; 12]), "plaintext": hex::encode(text), "sealed": hex::encode(blob) })
    };
    json!([
        one("credential-field", &field, b"hunter2"),
        one(
            "identity-field",
            &Binding { purpose: Purpose::IdentityField, tier: Some(Tier::Identity), ..field },
            b""
        ),
        one("vault-key-by-passphrase", &wrap, &KEY),
        one("entry-key", &Binding { generation: 1, ..Binding::new(Purpose::EntryKey, VAULT, RECORD) }, &KEY),
    ])
}

fn passphrases() -> Value {
    let text = "correct horse cafe\u{301} staple";
    let keys = passphrase::derive(&SecretText::new(text.to_owned()), &kdf(7)).unwrap();
    json!({ "passphrase": text, "normalised": "correct horse caf\u{e9} staple", "kdf": kdf(7),
        "proof": hex::encode(keys.proof()), "proof_hash": hex::encode(keys.proof_hash()) })
}

fn login() -> Value {
    let request = LoginRequest {
        purpose: LoginPurpose::Session,
        origin: "https://vault.example.org",
        cell: CELL,
        vault_id: VAULT,
        nonce: &[0x22; 48],
        expires_at_ms: 1_790_000_000_000,
    };
    let key = vault_key();
    json!({ "vault_key": hex::encode(KEY), "public_key": hex::encode(key.login_public_key()),
        "origin": request.origin, "cell": CELL, "vault_id": VAULT, "nonce": hex::encode(request.nonce),
        "expires_at_ms": request.expires_at_ms, "message": hex::encode(request.message()),
        "signature": hex::encode(key.sign_login(&request)) })
}

fn keyring() -> Value {
    let bytes = [&[1], &root(KEY).id().as_bytes()[..], &KEY].concat();
    let keyring = NodeKeyring::from_bytes(&SecretBytes::new(bytes.clone())).unwrap();
    let tier = VaultTier { title: "Bank".into(), ..VaultTier::default() };
    let vault_root = root(KEY).child("vault", VAULT.as_bytes());
    let binding = Binding { version: Version(5), ..Binding::new(Purpose::VaultTier, VAULT, RECORD) };
    let sealed =
        sealed::seal_with_nonce(&vault_root, &binding, [0x33; 12], &minicbor::to_vec(&tier).unwrap());
    assert_eq!(keyring.open_vault_tier(VAULT, RECORD, Version(5), &sealed), Ok(tier));
    json!({ "keyring": hex::encode(bytes), "key_id": keyring.key_id().to_string(), "vault_id": VAULT,
        "record_id": RECORD, "version": 5, "vault_tier_sealed": hex::encode(sealed), "title": "Bank",
        "title_lookup": hex::encode(keyring.lookup(VAULT, purpose::TITLE, "bank").hash),
        "dummy_salt_of_nobody": hex::encode(keyring.dummy_kdf("nobody").salt) })
}

fn normalised() -> Value {
    let hosts =
        ["https://Mail.Example.org:8443/a", "example.org", "https://bücher.example/", "not a host", ""];
    let titles = ["  ÜBER Bank ", "İstanbul"];
    json!({ "hosts": hosts.map(|text| json!([text, normalise_host(text)])),
        "titles": titles.map(|text| json!([text, normalise_title(text)])) })
}

/// The entry of the file, which must open; made once where there is none.
fn entry() -> Value {
    let place = Place { vault_id: VAULT, entry_id: RECORD, version: Version(1) };
    let answer =
        stored("crypto.json").and_then(|all| serde_json::from_value(all["entry"]["answer"].clone()).ok());
    let answer: EntryAnswer = answer.unwrap_or_else(|| {
        let mut draft = EntryDraft::new(EntryType::Login, "Bank");
        draft.urls.push("https://bank.example".into());
        draft.push("branch", FieldKind::Text, "main street".into());
        draft.push("password", FieldKind::Password, "hunter2".into());
        draft.push("pin", FieldKind::Pin, "1234".into());
        let entry = entry::seal(&vault_key(), place, None, &draft, None).unwrap();
        EntryAnswer { id: RECORD, version: Version(1), updated_at_ms: 0, entry }
    });
    let opened = entry::open(&vault_key(), place, &answer.entry).expect("the entry of the vectors opens");
    let fields = opened.fields.iter().map(|f| json!([f.id, f.name, f.kind, f.tier, f.value.expose()]));
    json!({ "vault_key": hex::encode(KEY), "generation": 1, "vault_id": VAULT, "answer": answer,
        "fields": fields.collect::<Vec<_>>() })
}

#[test]
fn the_crypto_vectors_hold() {
    let computed = json!({ "derive": derivations(), "seal": seals(), "passphrase": passphrases(),
        "login": login(), "keyring": keyring(), "normalise": normalised(), "entry": entry() });
    check("crypto.json", &computed);
    let fields = json!([
        [1, "branch", "text", "vault", "main street"],
        [2, "password", "password", "credential", "hunter2"],
        [3, "pin", "pin", "identity", "1234"]
    ]);
    assert_eq!(computed["entry"]["fields"], fields);
}

#[test]
fn the_replication_vectors_hold() {
    let records = [
        Record {
            id: RECORD,
            vault_id: VAULT,
            kind: Kind::ENTRY,
            version: Version(1),
            deleted: false,
            lookups: vec![Lookup { purpose: purpose::TITLE, hash: [9; 32] }],
            payload: vec![1, 2, 3],
            updated_at_ms: 1_790_000_000_000,
        },
        Record {
            id: RecordId::from_bytes([0xd4; 16]),
            vault_id: VaultId::NIL,
            kind: Kind::POP,
            version: Version(300),
            deleted: false,
            lookups: vec![],
            payload: vec![0xff; 40],
            updated_at_ms: 0,
        },
        Record {
            id: RECORD,
            vault_id: VAULT,
            kind: Kind::ENTRY,
            version: Version(2),
            deleted: true,
            lookups: vec![],
            payload: vec![],
            updated_at_ms: 1_790_000_000_001,
        },
    ];
    let (mut link, mut digest, mut first_term, mut log) = (Chain::ZERO, Digest::ZERO, [0; 32], Vec::new());
    for (seq, record) in (1..).map(Seq).zip(&records) {
        let bytes = record.encode().unwrap();
        assert_eq!(Record::decode(&bytes).unwrap(), *record);
        let hash = chain::record_hash(&bytes);
        assert_eq!(hash, sha256(&bytes));
        let term = chain::digest_term(seq, &hash);
        link = chain::chain_next(&link, seq, &hash);
        if seq == Seq(1) {
            first_term = term;
        }
        if seq == Seq(3) {
            digest = digest.minus(&first_term); // the tombstone replaces the first record
        }
        digest = digest.plus(&term);
        log.push(json!({ "seq": seq, "id": record.id, "vault_id": record.vault_id, "kind": record.kind.0,
            "version": record.version, "deleted": record.deleted, "payload": hex::encode(&record.payload),
            "lookups": record.lookups.iter().map(|l| json!([l.purpose, hex::encode(l.hash)])).collect::<Vec<_>>(),
            "updated_at_ms": record.updated_at_ms, "bytes": hex::encode(&bytes), "record_hash": hex::encode(hash),
            "chain": link, "digest_term": hex::encode(term), "digest": digest }));
    }
    check("replication.json", &json!({ "log": log }));
}
