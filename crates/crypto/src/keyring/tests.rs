//! That what rests on disk opens only at its place, and that a damaged keyring is noticed.

use clavitor_core::audit::{Action, Actor, Outcome};
use clavitor_core::audit::{AuditEvent, SealedAudit};
use clavitor_core::entry::VaultTier;
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::order::Version;
use clavitor_core::record::purpose;
use clavitor_core::secret::SecretBytes;
use clavitor_core::vault::UnlockerKind;
use clavitor_core::vault::{self, UnlockerAtRest};

use super::node::{FORMAT, ROW_BYTES};
use super::*;

const VAULT: VaultId = VaultId::from_bytes([1; 16]);
const OTHER_VAULT: VaultId = VaultId::from_bytes([9; 16]);
const RECORD: RecordId = RecordId::from_bytes([2; 16]);
const OTHER_RECORD: RecordId = RecordId::from_bytes([8; 16]);

fn tier() -> VaultTier {
    VaultTier { title: "Bank".into(), urls: vec!["https://bank.example".into()], ..VaultTier::default() }
}

fn event() -> AuditEvent {
    AuditEvent {
        at_ms: 1_000,
        vault_id: VAULT,
        actor: Actor::Owner,
        action: Action::EntryRead,
        outcome: Outcome::Ok,
        record_id: Some(RECORD),
        address: Some("192.0.2.1".into()),
        request_id: None,
        detail: None,
    }
}

/// A keyring of the generations of all, the last one newest.
fn joined(keyrings: &[&NodeKeyring]) -> NodeKeyring {
    let mut bytes = vec![FORMAT];
    for keyring in keyrings {
        bytes.extend(&keyring.to_bytes().expose()[1..]);
    }
    NodeKeyring::from_bytes(&SecretBytes::new(bytes)).unwrap()
}

#[test]
fn the_vault_tier_opens_only_at_its_place() {
    let keyring = NodeKeyring::generate();
    let sealed = keyring.seal_vault_tier(VAULT, RECORD, Version(3), &tier());
    assert_eq!(keyring.open_vault_tier(VAULT, RECORD, Version(3), &sealed), Ok(tier()));
    let tampered = Err(KeyringError::Tampered { what: "vault tier" });
    assert_eq!(keyring.open_vault_tier(VAULT, RECORD, Version(4), &sealed), tampered);
    assert_eq!(keyring.open_vault_tier(VAULT, OTHER_RECORD, Version(3), &sealed), tampered);
    let foreign = Err(KeyringError::OtherKey { what: "vault tier" });
    assert_eq!(keyring.open_vault_tier(OTHER_VAULT, RECORD, Version(3), &sealed), foreign);
    assert_eq!(NodeKeyring::generate().open_vault_tier(VAULT, RECORD, Version(3), &sealed), foreign);
    for i in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[i] ^= 1;
        assert!(keyring.open_vault_tier(VAULT, RECORD, Version(3), &altered).is_err(), "byte {i}");
    }
    assert!(!sealed.windows(4).any(|w| w == b"Bank"), "no plaintext at rest");
}

#[test]
fn names_unlockers_and_audit_events_open_only_at_their_place() {
    let keyring = NodeKeyring::generate();
    let name = keyring.seal_vault_name(VAULT, "home");
    assert_eq!(keyring.open_vault_name(VAULT, &name).unwrap(), "home");
    assert!(keyring.open_vault_name(OTHER_VAULT, &name).is_err());

    let unlocker = UnlockerAtRest {
        kind: UnlockerKind::Passphrase,
        kdf: keyring.dummy_kdf("home"),
        proof_hash: vec![1; 32],
        wrapped_key: vec![2; 93],
        generation: 1,
    };
    let sealed = keyring.seal_unlocker(VAULT, RECORD, Version(1), &unlocker);
    assert_eq!(keyring.open_unlocker(VAULT, RECORD, Version(1), &sealed), Ok(unlocker));
    assert!(keyring.open_unlocker(VAULT, OTHER_RECORD, Version(1), &sealed).is_err());
    assert!(keyring.open_unlocker(VAULT, RECORD, Version(2), &sealed).is_err());
    assert!(keyring.open_vault_tier(VAULT, RECORD, Version(1), &sealed).is_err(), "another purpose");

    let row = keyring.seal_audit(&event());
    assert_eq!(keyring.open_audit(&row), Ok(event()));
    assert!(keyring.open_audit(&SealedAudit { at_ms: 1_001, ..row.clone() }).is_err());
    assert!(keyring.open_audit(&SealedAudit { vault_id: OTHER_VAULT, ..row }).is_err());
}

#[test]
fn the_newest_generation_seals_and_any_opens() {
    let (old, new) = (NodeKeyring::generate(), NodeKeyring::generate());
    let both = joined(&[&old, &new]);
    assert_eq!(both.key_id(), new.key_id());
    let from_old = old.seal_vault_name(VAULT, "old");
    assert_eq!(both.open_vault_name(VAULT, &from_old).unwrap(), "old");
    let from_both = both.seal_vault_name(VAULT, "new");
    assert_eq!(new.open_vault_name(VAULT, &from_both).unwrap(), "new");
    assert_eq!(old.open_vault_name(VAULT, &from_both), Err(KeyringError::OtherKey { what: "vault name" }));
}

#[test]
fn an_encoded_keyring_reads_back_and_a_wrong_bit_is_noticed() {
    let keyring = joined(&[&NodeKeyring::generate(), &NodeKeyring::generate()]);
    let bytes = keyring.to_bytes().expose().to_vec();
    let read = |bytes: Vec<u8>| NodeKeyring::from_bytes(&SecretBytes::new(bytes)).map(|k| k.key_id());
    assert_eq!(read(bytes.clone()), Ok(keyring.key_id()));
    for i in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[i] ^= 1;
        assert_eq!(read(altered), Err(KeyringError::Malformed), "byte {i}");
        let cut = if i == 1 + ROW_BYTES { Ok(joined_first(&bytes)) } else { Err(KeyringError::Malformed) };
        assert_eq!(read(bytes[..i].to_vec()), cut, "cut at {i}");
    }
    let newer = [&[2], &bytes[1..]].concat();
    assert_eq!(read(newer), Err(KeyringError::Newer { found: 2, known: 1 }));
    assert!(!format!("{keyring:?}").contains(&keyring.key_id().to_string()));
}

fn joined_first(bytes: &[u8]) -> KeyId {
    KeyId(bytes[1..33].try_into().unwrap())
}

#[test]
fn lookups_are_equal_only_within_one_vault_and_purpose() {
    let keyring = NodeKeyring::generate();
    let same = keyring.lookup(VAULT, purpose::TITLE, "bank");
    assert_eq!(keyring.lookup(VAULT, purpose::TITLE, "bank"), same);
    for other in [
        keyring.lookup(VAULT, purpose::TITLE, "bank "),
        keyring.lookup(VAULT, purpose::HOST, "bank"),
        keyring.lookup(OTHER_VAULT, purpose::TITLE, "bank"),
        NodeKeyring::generate().lookup(VAULT, purpose::TITLE, "bank"),
    ] {
        assert_ne!(other.hash, same.hash);
    }
}

#[test]
fn an_unknown_name_gets_the_same_parameters_everywhere() {
    let keyring = NodeKeyring::generate();
    let restarted = NodeKeyring::from_bytes(&keyring.to_bytes()).unwrap();
    assert_eq!(keyring.dummy_kdf("Nobody "), restarted.dummy_kdf("nobody"));
    assert_ne!(keyring.dummy_kdf("nobody").salt, keyring.dummy_kdf("somebody").salt);
    assert_eq!(keyring.dummy_kdf("nobody").salt.len(), vault::KDF_SALT_BYTES);
}
