//! TLS configurations: the gate's own certificate, those of its clients, and whom it believes upstream. TLS 1.3 and 1.2, `ring`, nothing older.

pub mod clients;

use std::path::Path;
use std::sync::Arc;

use portreeve_core::identity::PeerCertificate;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::config::{Gate, Tls};
use clients::Reading;

/// What the listener speaks.
#[derive(Clone, Debug)]
pub struct Listening {
    /// The configuration of every handshake.
    pub config: Arc<ServerConfig>,
    reading: Reading,
    judged_by: [u8; 32],
}

impl Listening {
    /// What the certificate that a client showed (its leaf, in DER) is to the gate.
    #[must_use]
    pub fn read(&self, leaf: &[u8]) -> Option<PeerCertificate> {
        self.reading.read(leaf)
    }

    /// Whether certificates of clients are judged as by `other`.
    #[must_use]
    pub fn judges_as(&self, other: &Self) -> bool {
        self.judged_by == other.judged_by
    }
}

/// What the listener speaks; `None` where that is plain HTTP.
///
/// # Errors
/// Which file cannot be used, and why.
pub fn server(gate: &Gate) -> Result<Option<Listening>, String> {
    let Some(tls) = &gate.tls else { return Ok(None) };
    let asked = gate.client_certificates.as_ref();
    let (chain, key) = pair(tls)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(tls, &error))?;
    // Before the files are read for use: one that changes in between makes a difference afterwards.
    let judged_by = clients::judged_by(asked)?;
    let builder = match asked {
        None => builder.with_no_client_auth(),
        Some(asked) => builder.with_client_cert_verifier(clients::verifier(asked)?),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| unusable(tls, &error))?;
    if asked.is_some() {
        clients::without_resumption(&mut config);
    }
    Ok(Some(Listening {
        config: Arc::new(config),
        reading: Reading::of(asked),
        judged_by,
    }))
}

/// What a server's certificate must lead to: the certificates of `ca_file`, or the public roots.
///
/// # Errors
/// Which file cannot be used, and why.
pub fn client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    client_showing(ca_file, None)
}

/// As [`client`], with a certificate of the gate's own for servers that ask for one.
///
/// # Errors
/// Which file cannot be used, and why.
pub fn client_showing(ca_file: Option<&Path>, identity: Option<&Tls>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let Some(identity) = identity else {
        return Ok(Arc::new(config.with_no_client_auth()));
    };
    let (chain, key) = pair(identity)?;
    let config = config
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable(identity, &error))?;
    Ok(Arc::new(config))
}

fn pair(tls: &Tls) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| format!("{}: no private key can be read: {error}", tls.key.display()))?;
    Ok((chain, key))
}

fn unusable(tls: &Tls, error: &rustls::Error) -> String {
    format!("{}: cannot be used with its key: {error}", tls.certificate.display())
}

/// The name a server's certificate must carry.
///
/// # Errors
/// `host` is neither a DNS name nor an address.
pub fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(bare).map_err(|_| format!("{host} is no name a certificate can carry"))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| format!("{}: no certificate can be read: {error}", path.display());
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(format!("{}: holds no certificate", path.display()));
    }
    Ok(chain)
}
