//! Exchanges with servers that behave, that leave, that lie and that sleep.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future;
use portreeve::io::IoError;
use portreeve::io::dial::Origin;
use portreeve::io::dial::OriginTls;
use portreeve::io::listener::Listener;
use portreeve::io::stream::Stream;
use portreeve::io::timer::Timers;
use portreeve::upstream::Exchange;
use portreeve::upstream::Patience;
use portreeve::upstream::Pool;
use portreeve::upstream::PoolLimits;
use portreeve::upstream::Request;
use portreeve::upstream::UpstreamError;
use portreeve_core::framing::FrameError;
use rustls_pki_types::ServerName;

use crate::support::Tls;
use crate::support::listen;
use crate::support::on_executor;

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(20),
    write: Duration::from_secs(20),
    first_byte: Duration::from_secs(20),
};
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What the server does when it has read one request.
#[derive(Clone, Copy)]
enum Act {
    /// Sends this and reads the next request.
    Answer(&'static str),
    /// Sends this and closes.
    AnswerAndClose(&'static str),
    /// Closes as soon as the first bytes of the request arrive, which resets a client that still writes.
    Slam,
    /// Reads on until the client leaves.
    Sleep,
}

/// A server that follows a script: for every connection, what to do with each of its requests.
struct Server {
    origin: Arc<Origin>,
    connections: Rc<Cell<usize>>,
    requests: Rc<Cell<usize>>,
    task: glommio::Task<()>,
}

fn serve(timers: &Timers, script: &'static [&'static [Act]]) -> Server {
    let (address, listener) = listen();
    let (connections, requests) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let task = glommio::spawn_local(follow(
        timers.clone(),
        listener,
        script,
        (Rc::clone(&connections), Rc::clone(&requests)),
    ));
    Server {
        origin: origin(address),
        connections,
        requests,
        task,
    }
}

async fn follow(
    timers: Timers,
    listener: Listener,
    script: &'static [&'static [Act]],
    (connections, requests): (Rc<Cell<usize>>, Rc<Cell<usize>>),
) {
    for acts in script {
        let mut stream = listener.accept(&timers).await.expect("a connection");
        connections.set(connections.get() + 1);
        for act in *acts {
            if matches!(act, Act::Slam) {
                stream
                    .read(&mut Vec::new(), 16)
                    .await
                    .expect("the beginning of a request");
                break;
            }
            if !read_request(&mut stream).await {
                break;
            }
            requests.set(requests.get() + 1);
            match act {
                Act::Answer(bytes) => stream.write_all(bytes.as_bytes()).await.expect("a client that listens"),
                Act::AnswerAndClose(bytes) => {
                    stream.write_all(bytes.as_bytes()).await.expect("a client that listens");
                    break;
                }
                Act::Slam => {}
                Act::Sleep => while matches!(stream.read(&mut Vec::new(), 64).await, Ok(1..)) {},
            }
        }
    }
}

/// Reads one request whose body, if any, ends with an exclamation mark. False: the client has left.
async fn read_request(stream: &mut Stream) -> bool {
    let mut got = Vec::new();
    while !(got.ends_with(b"\r\n\r\n") || got.ends_with(b"!")) {
        if !matches!(stream.read(&mut got, 64 << 20).await, Ok(1..)) {
            return false;
        }
    }
    true
}

fn origin(address: SocketAddr) -> Arc<Origin> {
    Arc::new(Origin {
        addresses: vec![address],
        tls: None,
    })
}

fn pool(timers: &Timers) -> Pool {
    Pool::new(timers.clone(), PoolLimits::default())
}

async fn call(pool: &Pool, origin: &Arc<Origin>, body: &[u8]) -> Result<Exchange, UpstreamError> {
    let mut head = format!(
        "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    let request = Request {
        head: &mut head,
        body,
        is_head: false,
        reply_bytes_max: 1 << 20,
    };
    pool.send(origin, request, &PATIENCE).await
}

async fn body_of(mut exchange: Exchange) -> Result<Vec<u8>, UpstreamError> {
    let mut body = Vec::new();
    while exchange.next_chunk(&mut body).await? {}
    Ok(body)
}

#[test]
fn a_complete_exchange_leaves_its_connection_to_the_next() {
    on_executor(async {
        let timers = Timers::start();
        let server = serve(&timers, &[&[Act::Answer(OK), Act::Answer(OK), Act::Answer(OK)]]);
        let pool = pool(&timers);
        for _ in 0..3 {
            let exchange = call(&pool, &server.origin, b"hello!").await.unwrap();
            assert_eq!(exchange.status(), 200);
            assert_eq!(body_of(exchange).await.unwrap(), b"ok");
            assert_eq!(pool.idle(), 1);
        }
        assert_eq!((server.connections.get(), server.requests.get()), (1, 3));
    });
}

#[test]
fn an_exchange_dropped_half_way_closes_its_connection() {
    on_executor(async {
        let timers = Timers::start();
        const BEGUN: &str =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        let server = serve(&timers, &[&[Act::Answer(BEGUN), Act::Sleep]]);
        let pool = pool(&timers);
        let mut exchange = call(&pool, &server.origin, b"!").await.unwrap();
        let mut body = Vec::new();
        assert!(
            exchange.next_chunk(&mut body).await.unwrap(),
            "the first piece must not wait for the rest"
        );
        assert_eq!(body, b"first");
        assert!(future::poll_once(exchange.next_chunk(&mut body)).await.is_none());
        drop(exchange);
        assert_eq!(pool.idle(), 0);
        assert!(
            timers.deadline(PATIENCE.connect, server.task).await.is_ok(),
            "the server must see the client leave"
        );
    });
}

#[test]
fn a_connection_closed_while_idle_is_not_used_again() {
    on_executor(async {
        let timers = Timers::start();
        let server = serve(&timers, &[&[Act::AnswerAndClose(OK)], &[Act::Answer(OK)]]);
        let pool = pool(&timers);
        for _ in 0..2 {
            body_of(call(&pool, &server.origin, b"!").await.unwrap()).await.unwrap();
            timers.sleep(Duration::ZERO).await;
        }
        assert_eq!((server.connections.get(), server.requests.get()), (2, 2));
    });
}

#[test]
fn a_request_that_was_sent_whole_is_never_sent_again() {
    on_executor(async {
        let timers = Timers::start();
        let server = serve(
            &timers,
            &[&[Act::Answer(OK), Act::AnswerAndClose("")], &[Act::Answer(OK)]],
        );
        let pool = pool(&timers);
        body_of(call(&pool, &server.origin, b"!").await.unwrap()).await.unwrap();
        let error = call(&pool, &server.origin, b"pay!").await.map(drop).unwrap_err();
        assert_eq!(error, UpstreamError::Unanswered(IoError::Closed));
        assert!(error.may_have_acted());
        assert_eq!((server.connections.get(), server.requests.get()), (1, 2));
    });
}

#[test]
fn a_request_cut_short_on_a_kept_connection_is_sent_on_a_new_one() {
    on_executor(async {
        let timers = Timers::start();
        let server = serve(&timers, &[&[Act::Answer(OK), Act::Slam], &[Act::Answer(OK)]]);
        let pool = pool(&timers);
        body_of(call(&pool, &server.origin, b"!").await.unwrap()).await.unwrap();
        let mut large = vec![b'x'; 16 << 20];
        large.push(b'!');
        let exchange = call(&pool, &server.origin, &large).await.unwrap();
        assert_eq!(body_of(exchange).await.unwrap(), b"ok");
        assert_eq!((server.connections.get(), server.requests.get()), (2, 2));
    });
}

#[test]
fn interim_responses_are_skipped_and_a_flood_of_them_is_not() {
    on_executor(async {
        let timers = Timers::start();
        const HINTS: &str = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        const FLOOD: &str = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
            HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
            HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
            HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
        let server = serve(&timers, &[&[Act::Answer(HINTS), Act::Answer(FLOOD)]]);
        let pool = pool(&timers);
        let exchange = call(&pool, &server.origin, b"!").await.unwrap();
        assert_eq!(body_of(exchange).await.unwrap(), b"ok");
        let error = call(&pool, &server.origin, b"!").await.map(drop).unwrap_err();
        assert_eq!(error, UpstreamError::InterimFlood);
    });
}

#[test]
fn a_response_with_something_behind_it_ends_its_connection() {
    on_executor(async {
        let timers = Timers::start();
        const POISONED: &str =
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        let server = serve(&timers, &[&[Act::Answer(POISONED), Act::Sleep]]);
        let pool = pool(&timers);
        assert_eq!(
            body_of(call(&pool, &server.origin, b"!").await.unwrap()).await.unwrap(),
            b"ok"
        );
        assert_eq!(pool.idle(), 0);
    });
}

#[test]
fn a_body_cut_short_or_beyond_its_limit_is_an_error() {
    on_executor(async {
        let timers = Timers::start();
        const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
        const HUGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\nhalf";
        let server = serve(&timers, &[&[Act::AnswerAndClose(CUT)], &[Act::AnswerAndClose(HUGE)]]);
        let pool = pool(&timers);
        let error = body_of(call(&pool, &server.origin, b"!").await.unwrap())
            .await
            .unwrap_err();
        assert_eq!(error, UpstreamError::Framing(FrameError::Truncated));
        let error = body_of(call(&pool, &server.origin, b"!").await.unwrap())
            .await
            .unwrap_err();
        assert_eq!(error, UpstreamError::Framing(FrameError::BodyTooLarge));
    });
}

#[test]
fn a_body_without_a_length_ends_with_its_connection() {
    on_executor(async {
        let timers = Timers::start();
        let server = serve(&timers, &[&[Act::AnswerAndClose("HTTP/1.1 200 OK\r\n\r\nall of it")]]);
        let pool = pool(&timers);
        assert_eq!(
            body_of(call(&pool, &server.origin, b"!").await.unwrap()).await.unwrap(),
            b"all of it"
        );
        assert_eq!(pool.idle(), 0);
    });
}

#[test]
fn a_server_that_never_answers_meets_the_deadline() {
    on_executor(async {
        let timers = Timers::start();
        let server = serve(&timers, &[&[Act::Sleep]]);
        let patience = Patience {
            first_byte: Duration::from_millis(40),
            ..PATIENCE
        };
        let mut head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n".to_vec();
        let request = Request {
            head: &mut head,
            body: b"!",
            is_head: false,
            reply_bytes_max: 64,
        };
        let error = pool(&timers)
            .send(&server.origin, request, &patience)
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(error, UpstreamError::Unanswered(IoError::TimedOut));
        assert!(error.is_timeout() && error.may_have_acted());
    });
}

#[test]
fn a_server_that_accepts_nobody_meets_the_connect_deadline() {
    // A backlog of one that is full: the kernel drops further handshakes.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _filling = std::net::TcpStream::connect(address).unwrap();
    on_executor(async {
        let timers = Timers::start();
        let patience = Patience {
            connect: Duration::from_millis(40),
            ..PATIENCE
        };
        let mut head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
        let request = Request {
            head: &mut head,
            body: b"",
            is_head: false,
            reply_bytes_max: 64,
        };
        let error = pool(&timers)
            .send(&origin(address), request, &patience)
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(error, UpstreamError::Connect(IoError::TimedOut));
        assert!(!error.may_have_acted());
    });
}

#[test]
fn an_https_server_is_reached_with_the_configured_authority() {
    on_executor(async {
        let timers = Timers::start();
        let tls = Tls::new("localhost");
        let (address, listener) = listen();
        let served = glommio::spawn_local({
            let timers = timers.clone();
            async move {
                let plain = listener.accept(&timers).await.unwrap();
                let mut stream = plain.secure_server(tls.server).await.unwrap();
                for _ in 0..2 {
                    assert!(read_request(&mut stream).await);
                    stream.write_all(OK.as_bytes()).await.unwrap();
                }
            }
        });
        let name = ServerName::try_from("localhost").unwrap();
        let tls = Some(OriginTls {
            config: tls.client,
            name,
        });
        let origin = Arc::new(Origin {
            addresses: vec![address],
            tls,
        });
        let pool = pool(&timers);
        for _ in 0..2 {
            assert_eq!(body_of(call(&pool, &origin, b"!").await.unwrap()).await.unwrap(), b"ok");
        }
        served.await;
    });
}

#[test]
fn idle_connections_are_bounded_and_go_with_their_time() {
    on_executor(async {
        let timers = Timers::start();
        let server = serve(&timers, &[&[Act::Answer(OK), Act::Sleep]]);
        let limits = PoolLimits {
            idle_per_origin: 1,
            idle_ttl: Duration::from_millis(40),
        };
        let pool = Pool::new(timers.clone(), limits);
        body_of(call(&pool, &server.origin, b"!").await.unwrap()).await.unwrap();
        assert_eq!(pool.idle(), 1);
        // The script ends when the client has left, which only the expiry can make it do.
        assert!(timers.deadline(PATIENCE.connect, server.task).await.is_ok());
        assert_eq!(pool.idle(), 0);
    });
}
