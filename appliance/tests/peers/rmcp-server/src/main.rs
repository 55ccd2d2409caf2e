//! The fixture server on rmcp: serves `everything.json` in both eras.
//! Binds 127.0.0.1 on a free port and prints `listening on URL` when it accepts connections.
//! Must never hold a tool of its own: what it offers is data shared with the TypeScript fixture.

mod everything;
mod handler;
mod rounds;
mod talk;
mod tasks;

use std::{convert::Infallible, error::Error, io::Write, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::net::TcpListener;

use crate::{everything::Everything, handler::Fixture};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let fixture = Fixture::new(Everything::load()?);
    let mut config = StreamableHttpServerConfig::default();
    config.sse_retry = Some(Duration::from_millis(500));
    let service = StreamableHttpService::new(
        move || Ok(fixture.clone()),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "listening on http://{}/mcp", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(service.handle(request).await) }
            });
            // A broken connection is the client's business; the next one is served all the same.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}
