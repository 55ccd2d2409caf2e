//! What the tests of the kernel boundary share: an executor, connected pairs, certificates.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_lite::future;
use portreeve::io::listener::Listener;
use portreeve::io::listener::ListenerSet;
use portreeve::io::ring;
use portreeve::io::stream::Stream;
use portreeve::io::timer::Timers;
use rcgen::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::PrivatePkcs8KeyDer;

/// Runs `work` on an executor of this thread.
pub(crate) fn on_executor<T>(work: impl Future<Output = T>) -> T {
    ring::probe().expect("io_uring");
    let executor = ring::executor("test", None).make().expect("an executor");
    let output = executor.run(work);
    assert_eq!(
        ring::task_run(),
        ring::TaskRun::Cooperative,
        "the link argument must reach the tests too"
    );
    output
}

/// A listener on a port of its own.
pub(crate) fn listen() -> (SocketAddr, Listener) {
    let set = ListenerSet::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 1).expect("a free port");
    let address = set.local_addr();
    let socket = set.into_sockets().pop().expect("one socket");
    (address, socket.adopt())
}

/// A connection to `address`.
pub(crate) async fn connect(address: SocketAddr) -> Stream {
    Stream::plain(glommio::net::TcpStream::connect(address).await.expect("a listener")).expect("a connection")
}

/// Both ends of one connection: (client, server).
pub(crate) async fn pair(timers: &Timers) -> (Stream, Stream) {
    let (address, listener) = listen();
    let (client, server) = future::zip(connect(address), listener.accept(timers)).await;
    (client, server.expect("a connection"))
}

/// A server's configuration with a certificate of its own, and a client's that trusts exactly that.
pub(crate) struct Tls {
    pub(crate) server: Arc<rustls::ServerConfig>,
    pub(crate) client: Arc<rustls::ClientConfig>,
    /// The certificate, as PEM.
    pub(crate) certificate: String,
}

impl Tls {
    pub(crate) fn new(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("tls versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a matching key");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(cert.der().clone()).expect("a certificate");
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("tls versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            server: Arc::new(server),
            client: Arc::new(client),
            certificate: cert.pem(),
        }
    }
}
