//! TLS on both sides, with certificates made for the test.

use std::sync::Arc;

use futures_lite::future;
use portreeve::io::IoError;
use portreeve::io::error::TlsFault;
use portreeve::io::timer::Timers;
use rustls_pki_types::ServerName;

use crate::support::Tls;
use crate::support::on_executor;
use crate::support::pair;

#[test]
fn tls_carries_bytes_both_ways_and_ends_cleanly() {
    on_executor(async {
        let timers = Timers::start();
        let tls = Tls::new("localhost");
        let (client, server) = pair(&timers).await;
        let name = ServerName::try_from("localhost").unwrap();
        let (client, server) =
            future::zip(client.secure_client(tls.client, name), server.secure_server(tls.server)).await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        assert!(client.is_tls() && server.is_tls());
        let sent = vec![b'q'; 300_000];
        let send = async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
            client
        };
        let receive = async {
            let mut got = Vec::new();
            while server.read(&mut got, 1 << 20).await.unwrap() > 0 {}
            server.write_all(b"done").await.unwrap();
            got
        };
        let (mut client, got) = future::zip(send, receive).await;
        assert_eq!(got, sent);
        let mut answer = Vec::new();
        client.read(&mut answer, 64).await.unwrap();
        assert_eq!(answer, b"done");
    });
}

#[test]
fn a_tls_stream_cut_without_goodbye_is_truncated_not_ended() {
    on_executor(async {
        let timers = Timers::start();
        let tls = Tls::new("localhost");
        let (client, server) = pair(&timers).await;
        let name = ServerName::try_from("localhost").unwrap();
        let (client, server) =
            future::zip(client.secure_client(tls.client, name), server.secure_server(tls.server)).await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        // What the server sends after the handshake must be read, or closing would reset the connection.
        server.write_all(b"x").await.unwrap();
        client.read(&mut Vec::new(), 64).await.unwrap();
        drop(client);
        assert_eq!(server.read(&mut Vec::new(), 64).await, Err(IoError::Truncated));
    });
}

#[test]
fn tls_to_an_unknown_authority_or_another_name_is_refused_in_words() {
    let refused = |trusted: Arc<rustls::ClientConfig>, name: &'static str| {
        on_executor(async move {
            let timers = Timers::start();
            let served = Tls::new("localhost").server;
            tls_refusal(&timers, trusted, served, name).await
        })
    };
    let stranger = Tls::new("localhost");
    assert_eq!(
        refused(stranger.client, "localhost"),
        IoError::Tls(TlsFault::CertificateIssuer)
    );
    on_executor(async {
        let timers = Timers::start();
        let tls = Tls::new("localhost");
        let error = tls_refusal(&timers, tls.client, tls.server, "example.com").await;
        assert_eq!(error, IoError::Tls(TlsFault::CertificateName));
    });
}

async fn tls_refusal(
    timers: &Timers,
    client_config: Arc<rustls::ClientConfig>,
    server_config: Arc<rustls::ServerConfig>,
    name: &'static str,
) -> IoError {
    let (client, server) = pair(timers).await;
    let name = ServerName::try_from(name).expect("a host name");
    let (client, server) = future::zip(
        client.secure_client(client_config, name),
        server.secure_server(server_config),
    )
    .await;
    assert!(
        server.is_err(),
        "a client that refuses the certificate must not be taken for connected"
    );
    client.expect_err("a certificate that must be refused")
}
