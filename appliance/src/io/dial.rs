//! Reaching an upstream: TCP, and TLS if it is asked for, all under one deadline.
//!
//! Names are resolved when the configuration is loaded, never here: a shard cannot wait for DNS, and an address that
//! traffic could influence is a hole. Follows no redirect and no proxy setting.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;

use super::IoError;
use super::stream::Stream;
use super::timer::Timers;

/// Where an upstream lives, and how to be sure that it is the one.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What its name resolved to, in the order to try.
    pub addresses: Vec<SocketAddr>,
    /// The certificate to expect; none for plain HTTP.
    pub tls: Option<OriginTls>,
}

/// What an https upstream must prove.
#[derive(Clone, Debug)]
pub struct OriginTls {
    /// The authorities to trust and the versions to speak.
    pub config: Arc<ClientConfig>,
    /// The name that the certificate must carry.
    pub name: ServerName<'static>,
}

/// Connects to the first address of `origin` that answers, handshake included, within `limit`.
///
/// # Errors
/// Why the last address failed; [`IoError::TimedOut`] when the time is up; [`IoError::Unreachable`] if there is no
/// address at all.
pub async fn dial(origin: &Origin, timers: &Timers, limit: Duration) -> Result<Stream, IoError> {
    timers.deadline(limit, connect(origin)).await?
}

async fn connect(origin: &Origin) -> Result<Stream, IoError> {
    let mut last = IoError::Unreachable;
    for address in &origin.addresses {
        let attempt = async {
            let stream = Stream::plain(glommio::net::TcpStream::connect(*address).await?)?;
            match &origin.tls {
                None => Ok(stream),
                Some(tls) => stream.secure_client(Arc::clone(&tls.config), tls.name.clone()).await,
            }
        };
        match attempt.await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
