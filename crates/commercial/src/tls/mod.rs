//! TLS between POPs: version 1.3 only, both sides authenticated, no tickets, no resumption, no 0-RTT.
//!
//! A verifier here proves one thing: that the peer holds the key of the certificate it shows. Who that is, the pin
//! store says: the client side compares one expected pin, the server side hands the key's hash to each request.

mod verify;

use std::sync::Arc;

use clavitor_core::edition::EditionError;
use clavitor_core::order::Fingerprint;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use crate::identity::Identity;
pub(crate) use verify::spki_of;

/// The label under which both ends of a connection derive the same bytes, for the proof of a join.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-clavitor-v1-join";
/// The one application protocol: HTTP/1.1, so that no connection needs a timer of its own.
const ALPN: &[u8] = b"http/1.1";

/// Bytes that only the two ends of one TLS connection know.
#[derive(Clone, Copy)]
pub(crate) struct ChannelBinding(pub(crate) [u8; 32]);

/// The key that the other end of a connection proved to hold.
#[derive(Debug, Clone)]
pub(crate) struct PeerKey {
    /// Its SubjectPublicKeyInfo, DER.
    pub(crate) spki: Arc<[u8]>,
    /// SHA-256 over it.
    pub(crate) fingerprint: Fingerprint,
}

/// The listener's side.
///
/// # Errors
/// [`EditionError::Failed`] when the identity key does not fit.
pub(crate) fn server_config(identity: &Identity) -> Result<ServerConfig, EditionError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(verify::AnyKeyHolder::new(Arc::clone(&provider)));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![identity.certificate()], identity.private_key())
        .map_err(unusable)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// The dialling side: goes on only with the holder of the `expected` key.
///
/// # Errors
/// [`EditionError::Failed`] when the identity key does not fit.
pub(crate) fn client_config(
    identity: &Identity,
    expected: Fingerprint,
) -> Result<ClientConfig, EditionError> {
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(verify::PinnedKeyHolder::new(Arc::clone(&provider), expected));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![identity.certificate()], identity.private_key())
        .map_err(unusable)?;
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// What both ends of this connection share, and nobody else.
///
/// # Errors
/// When the handshake is not finished.
pub(crate) fn channel_binding<Data>(
    connection: &rustls::ConnectionCommon<Data>,
) -> Result<ChannelBinding, rustls::Error> {
    connection.export_keying_material([0; 32], EXPORTER_LABEL, None).map(ChannelBinding)
}

/// The key that the peer of a finished handshake proved to hold.
pub(crate) fn peer_key(connection: &rustls::ServerConnection) -> Option<PeerKey> {
    let certificate = connection.peer_certificates()?.first()?;
    let spki = spki_of(certificate).ok()?;
    let fingerprint = crate::identity::fingerprint_of(&spki);
    Some(PeerKey { spki: spki.into(), fingerprint })
}

fn unusable(error: rustls::Error) -> EditionError {
    EditionError::Failed {
        what: format!("the identity key cannot be used for TLS: {error}"),
        remedy: "move the identity file away and join the cell anew".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
