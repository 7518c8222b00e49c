//! The cryptography of a join: one transcript, proved by the invitation's secret and signed by the joiner's identity.
//!
//! The transcript names the cell, both identity keys, the TLS connection (its exporter), all that the joiner claims
//! and the key to which the keyring will be sealed. Hence a proof is good on one connection between two keys only:
//! it cannot be replayed, relayed to another primary, or used to have the keyring sealed to a key put in its place.
//! The proof key is derived from the secret; a thief of the primary's database could prove an invitation with it, but
//! gets past the named key (`--key`, or `pop approve`) as little as anybody else.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use clavitor_core::edition::EditionError;
use clavitor_core::ids::CellId;
use clavitor_core::order::Fingerprint;
use clavitor_core::secret::SecretBytes;
use minicbor::{Decode, Encode};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo};

use super::message::{JoinRequest, SealedKeyring};
use crate::identity::Identity;
use crate::tls::{ChannelBinding, PeerKey};

const PROOF_KEY_INFO: &[u8] = b"clavitor/v1/join-proof";
const TRANSCRIPT_DOMAIN: &[u8] = b"clavitor/v1/join-transcript";
const SIGNATURE_DOMAIN: &[u8] = b"clavitor/v1/join-signature";
const KEYRING_INFO: &[u8] = b"clavitor/v1/join-keyring";

/// Verifies the proof of one invitation's secret.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct ProofKey(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

impl ProofKey {
    #[cfg(test)]
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofKey(…)")
    }
}

/// Derives the proof key from the secret.
pub(crate) fn proof_key(secret: &[u8; 32]) -> ProofKey {
    let mut key = [0; 32];
    Salt::new(HKDF_SHA256, &[])
        .extract(secret)
        .expand(&[PROOF_KEY_INFO], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .expect("32 bytes are within what HKDF gives");
    ProofKey(key)
}

/// What both sides know of one join.
pub(crate) struct Transcript([u8; 32]);

#[derive(Encode)]
struct TranscriptFields<'a> {
    #[n(0)]
    cell: CellId,
    #[n(1)]
    primary_key: Fingerprint,
    #[n(2)]
    joiner_key: Fingerprint,
    #[cbor(n(3), with = "minicbor::bytes")]
    channel: &'a [u8],
    #[n(4)]
    pop: &'a str,
    #[n(5)]
    url: &'a str,
    #[n(6)]
    public_url: &'a str,
    #[cbor(n(7), with = "minicbor::bytes")]
    sealing_key: &'a [u8],
}

/// Hashes all that a join is about. `request`: its proof and signature are left out, they are made over this.
pub(crate) fn transcript(
    cell: CellId,
    primary_key: Fingerprint,
    joiner_key: Fingerprint,
    channel: &ChannelBinding,
    request: &JoinRequest,
) -> Transcript {
    let fields = TranscriptFields {
        cell,
        primary_key,
        joiner_key,
        channel: &channel.0,
        pop: request.pop.as_str(),
        url: &request.url,
        public_url: &request.public_url,
        sealing_key: &request.sealing_key,
    };
    let mut bytes = TRANSCRIPT_DOMAIN.to_vec();
    minicbor::encode(&fields, &mut bytes).expect("encoding into a Vec cannot fail");
    Transcript(clavitor_crypto::sha256(&bytes))
}

/// Proves the secret of the invitation.
pub(crate) fn prove(key: &ProofKey, transcript: &Transcript) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.0);
    hmac::sign(&key, &transcript.0).as_ref().to_vec()
}

/// Whether the secret was proved.
pub(crate) fn is_proved(key: &ProofKey, transcript: &Transcript, proof: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.0);
    hmac::verify(&key, &transcript.0, proof).is_ok()
}

/// Signs the transcript, and with it the sealing key, by the joiner's identity.
///
/// # Errors
/// [`EditionError::Failed`] when the library refuses.
pub(crate) fn sign(identity: &Identity, transcript: &Transcript) -> Result<Vec<u8>, EditionError> {
    identity.sign(&signed_bytes(transcript))
}

/// Whether the holder of the peer's identity key signed the transcript.
pub(crate) fn is_signed(peer: &PeerKey, transcript: &Transcript, signature: &[u8]) -> bool {
    let Ok((_, spki)) = SubjectPublicKeyInfo::from_der(&peer.spki) else { return false };
    UnparsedPublicKey::new(&ED25519, &*spki.subject_public_key.data)
        .verify(&signed_bytes(transcript), signature)
        .is_ok()
}

fn signed_bytes(transcript: &Transcript) -> Vec<u8> {
    [SIGNATURE_DOMAIN, &transcript.0].concat()
}

/// The joiner's key for one keyring.
pub(crate) struct SealingKey {
    public: HpkePublicKey,
    private: HpkePrivateKey,
}

impl SealingKey {
    /// Makes one.
    ///
    /// # Errors
    /// [`EditionError::Failed`] when the library refuses.
    pub(crate) fn generate() -> Result<Self, EditionError> {
        let made = DH_KEM_X25519_HKDF_SHA256_AES_256.generate_key_pair();
        let (public, private) = made.map_err(|error| EditionError::Failed {
            what: format!("no key for the keyring could be made: {error}"),
            remedy: "run pop join again".to_owned(),
        })?;
        Ok(Self { public, private })
    }

    /// The public half.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public.0
    }

    /// Opens what was sealed to this key in this join; `None` when it was not.
    pub(crate) fn open(&self, transcript: &Transcript, sealed: &SealedKeyring) -> Option<SecretBytes> {
        let encapsulated = EncapsulatedSecret(sealed.encapsulated.clone());
        let opened = DH_KEM_X25519_HKDF_SHA256_AES_256.open(
            &encapsulated,
            KEYRING_INFO,
            &transcript.0,
            &sealed.ciphertext,
            &self.private,
        );
        opened.ok().map(SecretBytes::new)
    }
}

/// Seals the keyring to the joiner's sealing key; `None` when that is not a key.
pub(crate) fn seal(
    keyring: &SecretBytes,
    transcript: &Transcript,
    sealing_key: &[u8],
) -> Option<SealedKeyring> {
    let public = HpkePublicKey(sealing_key.to_vec());
    let sealed =
        DH_KEM_X25519_HKDF_SHA256_AES_256.seal(KEYRING_INFO, &transcript.0, keyring.expose(), &public);
    let (encapsulated, ciphertext) = sealed.ok()?;
    Some(SealedKeyring { encapsulated: encapsulated.0, ciphertext })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(sealing_key: &SealingKey) -> JoinRequest {
        JoinRequest {
            pop: "zurich-01".parse().unwrap(),
            url: "https://z:1".to_owned(),
            public_url: "https://v".to_owned(),
            sealing_key: sealing_key.public().to_vec(),
            signature: Vec::new(),
            proof: Vec::new(),
        }
    }

    fn peer(identity: &Identity) -> PeerKey {
        let spki = crate::tls::spki_of(&identity.certificate()).unwrap();
        PeerKey { fingerprint: crate::identity::fingerprint_of(&spki), spki: spki.into() }
    }

    #[test]
    fn a_proof_holds_on_its_own_connection_between_its_own_keys_only() {
        let sealing_key = SealingKey::generate().unwrap();
        let request = request(&sealing_key);
        let (cell, a, b) = (CellId::from_bytes([1; 16]), Fingerprint([2; 32]), Fingerprint([3; 32]));
        let channel = ChannelBinding([4; 32]);
        let key = proof_key(&[5; 32]);
        let proof = prove(&key, &transcript(cell, a, b, &channel, &request));
        let holds = |transcript: Transcript| is_proved(&key, &transcript, &proof);
        assert!(holds(transcript(cell, a, b, &channel, &request)));
        assert!(!holds(transcript(CellId::from_bytes([9; 16]), a, b, &channel, &request)));
        assert!(!holds(transcript(cell, b, a, &channel, &request)));
        assert!(!holds(transcript(cell, a, b, &ChannelBinding([9; 32]), &request)));
        let other_url = JoinRequest { url: "https://evil:1".to_owned(), ..request.clone() };
        assert!(!holds(transcript(cell, a, b, &channel, &other_url)));
        let other_key = JoinRequest { sealing_key: vec![9; 32], ..request.clone() };
        assert!(!holds(transcript(cell, a, b, &channel, &other_key)));
        assert!(!is_proved(&proof_key(&[6; 32]), &transcript(cell, a, b, &channel, &request), &proof));
    }

    #[test]
    fn a_signature_is_the_identitys_own() {
        let (own, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let transcript = Transcript([1; 32]);
        let signature = sign(&own, &transcript).unwrap();
        assert!(is_signed(&peer(&own), &transcript, &signature));
        assert!(!is_signed(&peer(&other), &transcript, &signature));
        assert!(!is_signed(&peer(&own), &Transcript([2; 32]), &signature));
        assert!(!is_signed(&peer(&own), &transcript, &signature[1..]));
    }

    #[test]
    fn a_keyring_opens_for_its_own_key_and_join_only() {
        let (own, other) = (SealingKey::generate().unwrap(), SealingKey::generate().unwrap());
        let keyring = SecretBytes::new(b"keyring".to_vec());
        let sealed = seal(&keyring, &Transcript([1; 32]), own.public()).unwrap();
        assert!(!sealed.ciphertext.windows(7).any(|window| window == b"keyring"));
        assert_eq!(own.open(&Transcript([1; 32]), &sealed).unwrap().expose(), b"keyring");
        assert!(own.open(&Transcript([2; 32]), &sealed).is_none());
        assert!(other.open(&Transcript([1; 32]), &sealed).is_none());
        assert!(seal(&keyring, &Transcript([1; 32]), b"short").is_none());
    }
}
