//! The two certificate verifiers. Names, issuers and chains mean nothing here; the key and the handshake do.
//!
//! A certificate outside its validity is refused, although ours never ends: a peer that shows one is not ours.

use std::sync::Arc;

use clavitor_core::order::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

/// On the listener: a certificate is required and its key must have signed the handshake. The pin is compared per
/// request, since `/pop/join` is for those that are not pinned yet.
#[derive(Debug)]
pub(super) struct AnyKeyHolder {
    provider: Arc<CryptoProvider>,
}

impl AnyKeyHolder {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider }
    }
}

impl ClientCertVerifier for AnyKeyHolder {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        checked_spki(end_entity, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// On the dialling side: the key must be the pinned one, and must have signed the handshake.
#[derive(Debug)]
pub(super) struct PinnedKeyHolder {
    provider: Arc<CryptoProvider>,
    expected: Fingerprint,
}

impl PinnedKeyHolder {
    pub(super) fn new(provider: Arc<CryptoProvider>, expected: Fingerprint) -> Self {
        Self { provider, expected }
    }
}

impl ServerCertVerifier for PinnedKeyHolder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let spki = checked_spki(end_entity, now)?;
        if crate::identity::fingerprint_of(&spki) != self.expected {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The SubjectPublicKeyInfo of a certificate, DER.
///
/// # Errors
/// When it is not a certificate.
pub(crate) fn spki_of(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, Error> {
    Ok(parse(certificate)?.public_key().raw.to_vec())
}

fn checked_spki(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<Vec<u8>, Error> {
    let parsed = parse(certificate)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let now = ASN1Time::from_timestamp(now).map_err(|_| CertificateError::BadEncoding)?;
    if now < parsed.validity().not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after {
        return Err(CertificateError::Expired.into());
    }
    Ok(parsed.public_key().raw.to_vec())
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let (rest, parsed) =
        X509Certificate::from_der(certificate.as_ref()).map_err(|_| CertificateError::BadEncoding)?;
    if rest.is_empty() { Ok(parsed) } else { Err(CertificateError::BadEncoding.into()) }
}
