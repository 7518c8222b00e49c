//! Handshakes over a pipe in memory: who gets through, and who does not.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::identity::fingerprint_of;

/// What a client shows.
pub(crate) enum Shown {
    Nothing,
    Pair(CertificateDer<'static>, PrivateKeyDer<'static>),
}

fn pair_of(identity: &Identity) -> Shown {
    Shown::Pair(identity.certificate(), identity.private_key())
}

/// A certificate for a fresh key with a validity of its own.
pub(crate) fn dated(from: (i32, u8), until: (i32, u8)) -> Shown {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(from.0, from.1, 1);
    params.not_after = rcgen::date_time_ymd(until.0, until.1, 1);
    let certificate = params.self_signed(&key).unwrap().der().clone();
    Shown::Pair(certificate, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

/// A client that pins `expected` and shows what it is told to, without the checks of our own configuration.
pub(crate) fn client(expected: Fingerprint, shown: Shown) -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(verify::PinnedKeyHolder::new(Arc::clone(&provider), expected));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match shown {
        Shown::Nothing => builder.with_no_client_auth(),
        Shown::Pair(certificate, key) => {
            let key = provider.key_provider.load_private_key(key).unwrap();
            let certified = rustls::sign::CertifiedKey::new(vec![certificate], key);
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)))
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

/// Shakes hands and passes one byte, so that a refusal of either side is seen.
async fn shake(server: ServerConfig, client: ClientConfig) -> Result<(Fingerprint, bool), String> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("pop.example.org").unwrap();
    let serving = async {
        let mut stream = TlsAcceptor::from(Arc::new(server)).accept(far).await.map_err(|e| e.to_string())?;
        let peer = peer_key(stream.get_ref().1).ok_or("no key")?;
        let channel = channel_binding(stream.get_ref().1).unwrap();
        stream.write_all(b"x").await.map_err(|e| e.to_string())?;
        stream.flush().await.map_err(|e| e.to_string())?;
        Ok::<_, String>((peer.fingerprint, channel))
    };
    let dialling = async {
        let mut stream =
            TlsConnector::from(Arc::new(client)).connect(name, near).await.map_err(|e| e.to_string())?;
        let channel = channel_binding(stream.get_ref().1).unwrap();
        stream.read_exact(&mut [0]).await.map_err(|e| e.to_string())?;
        Ok::<_, String>(channel)
    };
    let (served, dialled) = tokio::join!(serving, dialling);
    match (served, dialled) {
        (Ok((peer, near)), Ok(far)) => Ok((peer, near.0 == far.0)),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

#[tokio::test]
async fn both_sides_learn_who_the_other_is() {
    let (server, own) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let config = client_config(&own, server.fingerprint()).unwrap();
    let shaken = shake(server_config(&server).unwrap(), config).await;
    assert_eq!(shaken, Ok((own.fingerprint(), true)), "the key, and the same channel binding on both sides");
}

#[tokio::test]
async fn another_server_key_is_refused() {
    let (server, own) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let config = client_config(&own, own.fingerprint()).unwrap();
    let refused = shake(server_config(&server).unwrap(), config).await.unwrap_err();
    assert!(!refused.is_empty());
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused_on_both_sides() {
    let (server, own, thief) =
        (Identity::generate().unwrap(), Identity::generate().unwrap(), Identity::generate().unwrap());
    let stolen = Shown::Pair(own.certificate(), thief.private_key());
    let refused = shake(server_config(&server).unwrap(), client(server.fingerprint(), stolen)).await;
    assert!(refused.unwrap_err().contains("BadSignature"));

    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(thief.private_key()).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![server.certificate()], key);
    let posing = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(verify::AnyKeyHolder::new(provider)))
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    let refused = shake(posing, client(server.fingerprint(), pair_of(&own))).await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn no_certificate_and_one_out_of_its_time_are_refused() {
    let server = Identity::generate().unwrap();
    for (shown, why) in [
        (Shown::Nothing, "peer sent no certificates"),
        (dated((2001, 1), (2002, 1)), "Expired"),
        (dated((9000, 1), (9001, 1)), "NotValidYet"),
    ] {
        let refused = shake(server_config(&server).unwrap(), client(server.fingerprint(), shown)).await;
        let reason = refused.unwrap_err();
        assert!(reason.contains(why), "{reason}");
    }
    let good =
        shake(server_config(&server).unwrap(), client(server.fingerprint(), dated((2001, 1), (9001, 1))))
            .await;
    assert!(good.is_ok(), "{good:?}");
}

#[tokio::test]
async fn an_older_tls_version_is_refused() {
    let (server, own) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(verify::PinnedKeyHolder::new(Arc::clone(&provider), server.fingerprint()));
    let old = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![own.certificate()], own.private_key())
        .unwrap();
    assert!(shake(server_config(&server).unwrap(), old).await.is_err());
}

#[test]
fn nothing_is_resumed() {
    let identity = Identity::generate().unwrap();
    let server = server_config(&identity).unwrap();
    assert_eq!((server.send_tls13_tickets, server.max_early_data_size), (0, 0));
    assert!(!server.session_storage.can_cache());
    let client = client_config(&identity, identity.fingerprint()).unwrap();
    assert!(!client.enable_early_data && !client.enable_sni);
}

#[test]
fn the_fingerprint_is_over_the_public_key_alone() {
    let identity = Identity::generate().unwrap();
    let spki = spki_of(&identity.certificate()).unwrap();
    assert_eq!(fingerprint_of(&spki), identity.fingerprint());
    assert_eq!(spki.len(), 44, "an Ed25519 key");
    assert!(spki_of(&CertificateDer::from(vec![1, 2, 3])).is_err());
}
