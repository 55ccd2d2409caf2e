//! Documents of issuers over real TLS.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use portreeve::fetch::{FetchError, Fetcher, Place};
use rustls::{ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::support::Tls;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 2\r\n\r\n{}";

/// Serves [`ANSWER`] over TLS under the name `localhost`; the file holds its certificate.
fn server(folder: &TempDir, name: &str) -> (SocketAddr, PathBuf) {
    let Tls {
        server, certificate, ..
    } = Tls::new("localhost");
    let path = folder.path().join(name);
    fs::write(&path, certificate).expect("a writable folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&server)).expect("a usable configuration");
            let mut tls = StreamOwned::new(connection, stream);
            // A client that does not believe the certificate hangs up here.
            if tls.read(&mut [0; 4096]).is_ok() {
                let _ = tls.write_all(ANSWER);
            }
        }
    });
    (address, path)
}

fn fetch(fetcher: &Fetcher, place: &str) -> Result<(Vec<u8>, Option<u64>), FetchError> {
    let place = Place::parse(place).expect("a place");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let document = runtime.block_on(fetcher.document(&place))?;
    Ok((document.bytes.to_vec(), document.max_age.map(|age| age.as_secs())))
}

#[test]
fn a_document_comes_only_from_whom_the_configured_roots_vouch_for() {
    let folder = TempDir::new().unwrap();
    let (address, roots) = server(&folder, "ours.pem");
    let (_, others) = server(&folder, "theirs.pem");
    let place = format!("https://localhost:{}/keys", address.port());
    let believing = Fetcher::new(Some(&roots)).unwrap();
    assert_eq!(fetch(&believing, &place).unwrap(), (b"{}".to_vec(), Some(60)));

    for doubting in [Fetcher::new(Some(&others)).unwrap(), Fetcher::new(None).unwrap()] {
        let refused = fetch(&doubting, &place).unwrap_err().to_string();
        assert!(refused.contains("invalid peer certificate"), "{refused}");
    }
    let other_name = format!("https://127.0.0.1:{}/keys", address.port());
    let refused = fetch(&believing, &other_name).unwrap_err().to_string();
    assert!(refused.contains("not valid for name"), "{refused}");
}

#[test]
fn roots_that_cannot_be_read_are_named() {
    let folder = TempDir::new().unwrap();
    let absent = folder.path().join("absent.pem");
    let error = Fetcher::new(Some(&absent)).unwrap_err();
    assert!(error.contains("absent.pem"), "{error}");
}
