//! Certificates of clients: which ones the handshake takes, and what is made of one that it took.
//!
//! Whoever shows a certificate has proved to have its key before anything here is asked. Must never say who an agent is
//! where no authority vouches for the certificate.

use std::path::Path;
use std::sync::Arc;

use portreeve_core::identity::PeerCertificate;
use ring::digest;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use crate::config::certificates::{ClientCertificates, Vouching};

/// What the gate makes of a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// None is asked for.
    None,
    /// An authority of the operator's vouches for it.
    Vouched,
    /// It is only worth what is bound to it.
    Unvouched,
}

impl Reading {
    pub(super) fn of(asked: Option<&ClientCertificates>) -> Self {
        match asked.map(|asked| &asked.vouching) {
            None => Self::None,
            Some(Vouching::Authorities { .. }) => Self::Vouched,
            Some(Vouching::Nobody) => Self::Unvouched,
        }
    }

    pub(super) fn read(self, leaf: &[u8]) -> Option<PeerCertificate> {
        match self {
            Self::None => None,
            Self::Vouched => PeerCertificate::vouched(leaf),
            Self::Unvouched => Some(PeerCertificate::unvouched(leaf)),
        }
    }
}

/// Has every connection show its certificate anew: a session that is resumed would keep one that has ended or was
/// revoked since.
pub(super) fn without_resumption(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
}

/// A digest of the files that say which certificates are good: what it was taken of has changed when it has.
///
/// # Errors
/// Which file cannot be read, and why.
pub(super) fn judged_by(asked: Option<&ClientCertificates>) -> Result<[u8; 32], String> {
    let mut context = digest::Context::new(&digest::SHA256);
    if let Some(Vouching::Authorities { roots, revoked }) = asked.map(|asked| &asked.vouching) {
        for file in [Some(roots), revoked.as_ref()].into_iter().flatten() {
            let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            context.update(&text.len().to_le_bytes());
            context.update(&text);
        }
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    Ok(sha256)
}

/// Whom the handshake takes.
///
/// # Errors
/// Which file cannot be used, and why.
pub fn verifier(asked: &ClientCertificates) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let provider = Arc::new(default_provider());
    let (roots_file, revoked) = match &asked.vouching {
        Vouching::Nobody => {
            return Ok(Arc::new(AnyKey {
                required: asked.required,
                provider,
            }));
        }
        Vouching::Authorities { roots, revoked } => (roots, revoked),
    };
    let unusable = |file: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut roots = RootCertStore::empty();
    for certificate in super::certificates(roots_file)? {
        roots.add(certificate).map_err(|error| unusable(roots_file, &error))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if let Some(file) = revoked {
        // Of every certificate up to the authority it must be known, and by a list whose time is not over, that it is
        // not revoked.
        builder = builder.with_crls(lists(file)?).enforce_revocation_expiration();
    }
    if !asked.required {
        builder = builder.allow_unauthenticated();
    }
    builder
        .build()
        .map_err(|error| unusable(revoked.as_ref().unwrap_or(roots_file), &error))
}

fn lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let lists: Vec<_> = CertificateRevocationListDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| format!("{}: no revocation list can be read: {error}", file.display()))?;
    if lists.is_empty() {
        return Err(format!("{}: holds no revocation list", file.display()));
    }
    Ok(lists)
}

/// Takes every certificate whose key signs the handshake.
///
/// SPEC: RFC 8705 2.2: what it is worth, the authorization server that bound a token to it has decided.
#[derive(Debug)]
struct AnyKey {
    required: bool,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyKey {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
