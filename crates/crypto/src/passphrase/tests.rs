//! Bounds, bindings, normalisation, and what is too weak.

use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::secret::SecretText;
use clavitor_core::vault::KdfParams;

use super::derive::derive_unchecked;
use super::*;
use crate::vault_key::VaultKey;

const VAULT: VaultId = VaultId::from_bytes([1; 16]);
const UNLOCKER: RecordId = RecordId::from_bytes([2; 16]);

fn text(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

/// Too small to enrol, quick to derive.
fn small_kdf(salt: u8) -> KdfParams {
    KdfParams { memory_kib: 8, passes: 1, lanes: 1, salt: vec![salt; 16] }
}

fn keys(passphrase: &str, kdf: &KdfParams) -> PassphraseKeys {
    derive_unchecked(&text(passphrase), kdf).unwrap()
}

#[test]
fn a_wrapped_key_opens_only_for_its_passphrase_vault_unlocker_generation_and_parameters() {
    let (kdf, other_kdf) = (small_kdf(1), small_kdf(2));
    let half = keys("one", &kdf);
    let context = WrapContext { vault_id: VAULT, unlocker_id: UNLOCKER, kdf: &kdf };
    let key = VaultKey::generate();
    let wrapped = half.wrap(&key, &context);
    let opened = keys("one", &kdf).unwrap(&wrapped, &context, 1).unwrap();
    assert_eq!(opened.login_public_key(), key.login_public_key());
    let refused = |half: &PassphraseKeys, context, generation| {
        half.unwrap(&wrapped, &context, generation).map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(&keys("two", &kdf), context, 1), UnwrapError::OtherKey);
    assert_eq!(refused(&keys("one", &other_kdf), context, 1), UnwrapError::OtherKey);
    let contexts = [
        (WrapContext { vault_id: VaultId::NIL, ..context }, 1),
        (WrapContext { unlocker_id: RecordId::NIL, ..context }, 1),
        (WrapContext { kdf: &other_kdf, ..context }, 1),
        (context, 2),
    ];
    for (context, generation) in contexts {
        assert_eq!(refused(&half, context, generation), UnwrapError::Tampered);
    }
    for i in 0..wrapped.len() {
        let mut altered = wrapped.clone();
        altered[i] ^= 1;
        assert!(half.unwrap(&altered, &context, 1).is_err(), "byte {i}");
    }
}

#[test]
fn parameters_out_of_bounds_are_refused_before_any_work() {
    let refused = |change: &dyn Fn(&mut KdfParams)| {
        let mut kdf = new_kdf();
        change(&mut kdf);
        derive(&text("a passphrase"), &kdf).map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(&|k| k.memory_kib = 8 * 1024), DeriveError::TooWeak { what: "memory" });
    assert_eq!(refused(&|k| k.passes = 2), DeriveError::TooWeak { what: "passes" });
    assert_eq!(refused(&|k| k.lanes = 0), DeriveError::TooWeak { what: "lanes" });
    assert_eq!(refused(&|k| k.salt = vec![0; 15]), DeriveError::TooWeak { what: "salt" });
    assert_eq!(refused(&|k| k.salt = vec![0; 4096]), DeriveError::TooWeak { what: "salt" });
    assert_eq!(refused(&|k| k.memory_kib = u32::MAX), DeriveError::TooCostly { what: "memory" });
    assert_eq!(refused(&|k| k.passes = 17), DeriveError::TooCostly { what: "passes" });
    assert_eq!(refused(&|k| k.lanes = 9), DeriveError::TooCostly { what: "lanes" });
    let long = derive(&text(&"x".repeat(BYTES_MAX + 1)), &new_kdf());
    assert_eq!(long.map(|_| ()).unwrap_err(), DeriveError::TooLong);
}

#[test]
fn every_keyboard_gives_the_same_keys() {
    let kdf = small_kdf(1);
    assert_eq!(keys("caf\u{e9}", &kdf).proof(), keys("cafe\u{301}", &kdf).proof());
    assert_ne!(keys("caf\u{e9}", &kdf).proof(), keys("cafe", &kdf).proof());
}

#[test]
fn the_halves_are_independent() {
    let half = keys("one", &small_kdf(1));
    assert_ne!(half.proof()[..], half.wrap.expose()[..]);
    assert_eq!(half.proof_hash(), crate::sha256(half.proof()));
}

#[test]
fn weak_passphrases_are_refused() {
    assert_eq!(check_strength(&text("short")), Err(WeakPassphrase::TooShort));
    assert_eq!(check_strength(&text("           x         ")), Err(WeakPassphrase::TooShort));
    for weak in ["password1234", "aaaaaaaaaaaaaaaa", "qwertyuiop12", "vault vault vault"] {
        let error = check_strength(&text(weak)).unwrap_err();
        assert!(matches!(error, WeakPassphrase::Guessable { .. }), "{weak}");
        assert!(!error.to_string().contains(weak));
    }
    assert_eq!(check_strength(&text(&"xq7".repeat(400))), Err(WeakPassphrase::TooLong));
    for good in ["correct horse battery staple", "gibbon-raft-lemon-orbit", "kX9!pq2Lm#4v"] {
        assert_eq!(check_strength(&text(good)), Ok(()), "{good}");
    }
}
