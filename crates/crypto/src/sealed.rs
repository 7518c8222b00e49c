//! Sealing: AES-256-GCM under a key per purpose, and the associated data, which is built here and nowhere else.
//!
//! A sealed blob is `format 1 | key id 32 | nonce 12 | ciphertext | tag 16`. The key id is compared before anything is
//! opened, so that a blob cannot be made to open under two keys.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use clavitor_core::entry::{FieldId, Tier};
use clavitor_core::ids::{RecordId, VaultId};
use clavitor_core::order::Version;
use clavitor_core::vault::KdfParams;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::Root;

/// The format of sealed blobs and of their associated data.
pub(crate) const FORMAT: u8 = 1;
const KEY_ID_AT: usize = 1;
const NONCE_AT: usize = KEY_ID_AT + 32;
const TEXT_AT: usize = NONCE_AT + NONCE_LEN;
const TAG_BYTES: usize = 16;
/// How much longer a sealed blob is than what it holds, in bytes.
pub(crate) const OVERHEAD: usize = TEXT_AT + TAG_BYTES;

/// What a seal is for. It selects the key and is part of the associated data; numbers are fixed for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The vault tier of an entry at rest, under the node keyring.
    VaultTier = 1,
    /// The name of a vault at rest, under the node keyring.
    VaultName = 2,
    /// An unlocker at rest, under the node keyring.
    Unlocker = 3,
    /// An audit event at rest, under the node keyring.
    Audit = 4,
    /// The vault key, under a passphrase.
    VaultKeyByPassphrase = 16,
    /// An entry's data key, under the owner's wrapping key or a scope's key.
    EntryKey = 17,
    /// An entry's manifest, under its data key.
    Manifest = 18,
    /// A credential field, under the entry's data key.
    CredentialField = 19,
    /// An identity field, under the entry's identity key.
    IdentityField = 20,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::VaultTier => "vault-tier",
            Self::VaultName => "vault-name",
            Self::Unlocker => "unlocker",
            Self::Audit => "audit",
            Self::VaultKeyByPassphrase => "vault-key-by-passphrase",
            Self::EntryKey => "entry-key",
            Self::Manifest => "manifest",
            Self::CredentialField => "credential-field",
            Self::IdentityField => "identity-field",
        }
    }
}

/// What a seal is bound to. Whatever does not apply is zero, so every part has a fixed place.
pub(crate) struct Binding<'a> {
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// The vault.
    pub(crate) vault: VaultId,
    /// The entry, unlocker or vault record.
    pub(crate) record: RecordId,
    /// The field.
    pub(crate) field: FieldId,
    /// The tier of the field.
    pub(crate) tier: Option<Tier>,
    /// The record's version at which this was sealed; of an audit event, its time.
    pub(crate) version: Version,
    /// The scope whose key wraps; nil for the owner.
    pub(crate) scope: RecordId,
    /// The generation of the wrapped or wrapping key.
    pub(crate) generation: u32,
    /// The parameters that the wrapping key was derived with.
    pub(crate) kdf: Option<&'a KdfParams>,
}

impl Binding<'_> {
    /// Bound to a record and nothing more.
    pub(crate) const fn new(purpose: Purpose, vault: VaultId, record: RecordId) -> Self {
        Self {
            purpose,
            vault,
            record,
            field: FieldId(0),
            tier: None,
            version: Version(0),
            scope: RecordId::NIL,
            generation: 0,
            kdf: None,
        }
    }

    /// The associated data: fixed widths, integers big-endian; then, for a wrap by a derived key, its parameters
    /// with the length of the salt before the salt.
    pub(crate) fn associated_data(&self, key: &Root) -> Vec<u8> {
        let mut data = Vec::with_capacity(128);
        data.extend([FORMAT, self.purpose as u8]);
        data.extend(self.vault.as_bytes());
        data.extend(self.record.as_bytes());
        data.extend(self.field.0.to_be_bytes());
        data.push(self.tier.map_or(0, Tier::number));
        data.extend(self.version.0.to_be_bytes());
        data.extend(key.id().as_bytes());
        data.extend(self.scope.as_bytes());
        data.extend(self.generation.to_be_bytes());
        if let Some(kdf) = self.kdf {
            for number in [kdf.memory_kib, kdf.passes, kdf.lanes] {
                data.extend(number.to_be_bytes());
            }
            data.extend((kdf.salt.len() as u64).to_be_bytes());
            data.extend(&kdf.salt);
        }
        data
    }
}

/// Why a blob did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Unopened {
    /// Its format is none that this version knows.
    #[error("sealed in format {0}, which this version does not know")]
    Format(u8),
    /// Another key sealed it.
    #[error("sealed under another key")]
    OtherKey,
    /// It, or what it is bound to, is not what was sealed.
    #[error("altered since it was sealed")]
    Altered,
}

fn cipher(key: &Root, purpose: Purpose) -> RandomizedNonceKey {
    let bytes = key.derive(purpose.name(), &[]);
    RandomizedNonceKey::new(&AES_256_GCM, bytes.as_ref()).expect("the key has 32 bytes")
}

/// Seals under a random nonce.
pub(crate) fn seal(key: &Root, binding: &Binding<'_>, plaintext: &[u8]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(OVERHEAD + plaintext.len());
    blob.push(FORMAT);
    blob.extend(key.id().as_bytes());
    blob.extend([0; NONCE_LEN]);
    blob.extend(plaintext);
    let (nonce, tag) = cipher(key, binding.purpose)
        .seal_in_place_separate_tag(Aad::from(binding.associated_data(key)), &mut blob[TEXT_AT..])
        .expect("sealing fails only beyond 64 GiB");
    blob[NONCE_AT..TEXT_AT].copy_from_slice(nonce.as_ref());
    blob.extend(tag.as_ref());
    blob
}

/// Opens what [`seal`] made under the same key and binding.
pub(crate) fn open(key: &Root, binding: &Binding<'_>, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    match blob.first() {
        Some(&FORMAT) if blob.len() >= OVERHEAD => {}
        Some(&FORMAT) | None => return Err(Unopened::Altered),
        Some(&other) => return Err(Unopened::Format(other)),
    }
    if blob[KEY_ID_AT..NONCE_AT] != key.id().as_bytes()[..] {
        return Err(Unopened::OtherKey);
    }
    let nonce = Nonce::try_assume_unique_for_key(&blob[NONCE_AT..TEXT_AT]).map_err(|_| Unopened::Altered)?;
    let mut text = Zeroizing::new(blob[TEXT_AT..].to_vec());
    let length = cipher(key, binding.purpose)
        .open_in_place(nonce, Aad::from(binding.associated_data(key)), text.as_mut())
        .map_err(|_| Unopened::Altered)?
        .len();
    text.truncate(length);
    Ok(text)
}

/// Seals under a given nonce, for vectors: a nonce must never be used twice under one key.
#[cfg(test)]
pub(crate) fn seal_with_nonce(
    key: &Root,
    binding: &Binding<'_>,
    nonce: [u8; 12],
    plaintext: &[u8],
) -> Vec<u8> {
    use aws_lc_rs::aead::{LessSafeKey, UnboundKey};
    let bytes = key.derive(binding.purpose.name(), &[]);
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes.as_ref()).unwrap());
    let mut text = plaintext.to_vec();
    let aad = Aad::from(binding.associated_data(key));
    cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text).unwrap();
    [&[FORMAT], &key.id().as_bytes()[..], &nonce, &text].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: VaultId = VaultId::from_bytes([1; 16]);
    const RECORD: RecordId = RecordId::from_bytes([2; 16]);

    fn kdf() -> KdfParams {
        KdfParams { memory_kib: 1, passes: 2, lanes: 3, salt: vec![4; 16] }
    }

    fn binding(kdf: &KdfParams) -> Binding<'_> {
        Binding {
            purpose: Purpose::CredentialField,
            vault: VAULT,
            record: RECORD,
            field: FieldId(3),
            tier: Some(Tier::Credential),
            version: Version(4),
            scope: RecordId::from_bytes([5; 16]),
            generation: 6,
            kdf: Some(kdf),
        }
    }

    #[test]
    fn a_seal_opens_only_where_it_was_bound() {
        let (key, kdf) = (Root::generate(), kdf());
        let blob = seal(&key, &binding(&kdf), b"value");
        assert_eq!(blob.len(), OVERHEAD + 5);
        assert_eq!(open(&key, &binding(&kdf), &blob).unwrap()[..], b"value"[..]);
        let salted = KdfParams { salt: vec![5; 16], ..kdf.clone() };
        let longer = KdfParams { salt: vec![4; 17], ..kdf.clone() };
        let passes = KdfParams { passes: 9, ..kdf.clone() };
        let elsewhere = [
            Binding { purpose: Purpose::IdentityField, ..binding(&kdf) },
            Binding { vault: VaultId::NIL, ..binding(&kdf) },
            Binding { record: RecordId::NIL, ..binding(&kdf) },
            Binding { field: FieldId(4), ..binding(&kdf) },
            Binding { tier: Some(Tier::Identity), ..binding(&kdf) },
            Binding { tier: None, ..binding(&kdf) },
            Binding { version: Version(5), ..binding(&kdf) },
            Binding { scope: RecordId::NIL, ..binding(&kdf) },
            Binding { generation: 7, ..binding(&kdf) },
            Binding { kdf: None, ..binding(&kdf) },
            binding(&salted),
            binding(&longer),
            binding(&passes),
        ];
        for (i, other) in elsewhere.iter().enumerate() {
            assert_eq!(open(&key, other, &blob), Err(Unopened::Altered), "binding {i}");
        }
        assert_eq!(open(&Root::generate(), &binding(&kdf), &blob), Err(Unopened::OtherKey));
    }

    #[test]
    fn no_byte_can_be_changed_added_or_dropped() {
        let (key, kdf) = (Root::generate(), kdf());
        let blob = seal(&key, &binding(&kdf), b"value");
        for i in 0..blob.len() {
            let mut altered = blob.clone();
            altered[i] ^= 0x80;
            assert!(open(&key, &binding(&kdf), &altered).is_err(), "byte {i}");
            assert!(open(&key, &binding(&kdf), &blob[..i]).is_err(), "cut at {i}");
        }
        assert!(open(&key, &binding(&kdf), &[&blob[..], &[0]].concat()).is_err());
    }

    #[test]
    fn one_text_never_seals_alike_twice() {
        let (key, kdf) = (Root::generate(), kdf());
        assert_ne!(seal(&key, &binding(&kdf), b"value"), seal(&key, &binding(&kdf), b"value"));
    }
}
