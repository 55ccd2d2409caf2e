//! Certificates that are made for a test, and a TLS client that shows one.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, ExtendedKeyUsagePurpose,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use ring::digest::{SHA256, digest};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};

use super::client::{Response, try_read_one};

/// An authority of a test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Certified {
    certificate: rcgen::Certificate,
    key: KeyPair,
    serial: u64,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server on 127.0.0.1.
    pub(crate) fn server(&self) -> Certified {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        self.sign(params, 1)
    }

    /// A client with these URIs and this serial number.
    pub(crate) fn client(&self, uris: &[&str], serial: u64) -> Certified {
        self.client_with(uris, serial, |_| {})
    }

    /// As [`Authority::client`], and not quite as it should be.
    pub(crate) fn client_with(
        &self,
        uris: &[&str],
        serial: u64,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certified {
        let mut params = CertificateParams::default();
        let uri = |uri: &&str| SanType::URI((*uri).try_into().unwrap());
        params.subject_alt_names = uris.iter().map(uri).collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        self.sign(params, serial)
    }

    /// What a server on 127.0.0.1 speaks TLS with that takes only clients with certificates of `self`.
    pub(crate) fn demanded_by(&self, server: &Certified) -> Arc<ServerConfig> {
        let (mut roots, provider) = (RootCertStore::empty(), Arc::new(default_provider()));
        roots.add(self.0.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![server.certificate.der().clone()], server.key())
            .unwrap();
        Arc::new(config)
    }

    fn sign(&self, mut params: CertificateParams, serial: u64) -> Certified {
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        Certified {
            certificate: params.signed_by(&key, &self.0).unwrap(),
            key,
            serial,
        }
    }

    /// The list of what it has revoked, good until that year.
    pub(crate) fn revocations(&self, revoked: &[&Certified], until: i32) -> String {
        let entry = |revoked: &&Certified| RevokedCertParams {
            serial_number: SerialNumber::from(revoked.serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

impl Certified {
    /// One that signs itself.
    pub(crate) fn own() -> Self {
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: CertificateParams::default().self_signed(&key).unwrap(),
            key,
            serial: 0,
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// `x5t#S256` (RFC 8705 3.1).
    pub(crate) fn thumbprint(&self) -> String {
        BASE64.encode(digest(&SHA256, self.certificate.der()))
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// What a client shows, which may change from one connection to the next.
#[derive(Debug, Default)]
struct Showing(Mutex<Option<Arc<CertifiedKey>>>);

impl ResolvesClientCert for Showing {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.lock().unwrap().clone()
    }

    fn has_certs(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

/// A client that resumes its sessions where it may.
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    showing: Arc<Showing>,
}

impl TlsClient {
    pub(crate) fn new(authority: &Authority) -> Self {
        Self::speaking(authority, &[&rustls::version::TLS13])
    }

    pub(crate) fn speaking(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone()).unwrap();
        let showing = Arc::<Showing>::default();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::clone(&showing) as Arc<dyn ResolvesClientCert>);
        config.resumption = Resumption::in_memory_sessions(16);
        Self {
            config: Arc::new(config),
            showing,
        }
    }

    /// From the next connection on it shows this.
    pub(crate) fn shows(&self, certified: Option<&Certified>) -> &Self {
        self.shows_of(certified.map(|certified| (certified.certificate.der().clone(), certified.key())))
    }

    /// As [`TlsClient::shows`], for a certificate that somebody else made.
    pub(crate) fn shows_of(&self, shown: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>) -> &Self {
        let shown = shown.map(|(certificate, key)| {
            let key = any_supported_type(&key).unwrap();
            Arc::new(CertifiedKey::new(vec![certificate], key))
        });
        *self.showing.0.lock().unwrap() = shown;
        self
    }

    pub(super) fn over(&self, socket: TcpStream, written: Arc<Mutex<Vec<u8>>>) -> Tunnel {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        Tunnel {
            stream: StreamOwned::new(connection, socket),
            written,
        }
    }
}

/// A TLS connection to a gate.
pub(crate) struct Tunnel {
    stream: StreamOwned<ClientConnection, TcpStream>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Tunnel {
    /// The answer to a request; `None` where the handshake or the connection ends before there is any.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Option<Response> {
        self.written.lock().unwrap().extend_from_slice(request);
        self.stream.write_all(request).ok()?;
        try_read_one(&mut self.stream).ok().filter(|read| read.status != 0)
    }

    /// Whether the session was resumed.
    pub(crate) fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether the other end hangs up without a word of HTTP.
    pub(crate) fn is_refused(&mut self) -> bool {
        let mut byte = [0];
        !matches!(self.stream.read(&mut byte), Ok(1..))
    }
}
