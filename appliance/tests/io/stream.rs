//! Plain connections: how they end, and what a dropped future leaves behind.

use std::io::Write;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use crate::support::listen;
use crate::support::on_executor;
use crate::support::pair;
use futures_lite::future;
use portreeve::io::IoError;
use portreeve::io::timer::TimedOut;
use portreeve::io::timer::Timers;

const LONG: Duration = Duration::from_secs(20);

#[test]
fn bytes_arrive_in_order_and_the_peer_is_known() {
    on_executor(async {
        let timers = Timers::start();
        let (mut client, mut server) = pair(&timers).await;
        assert!(server.peer_addr().ip().is_loopback());
        let mut head = b"head ".to_vec();
        client.write_both(&mut head, &vec![b'x'; 100_000]).await.unwrap();
        client.shutdown().await.unwrap();
        let mut got = Vec::new();
        while server.read(&mut got, 1 << 20).await.unwrap() > 0 {}
        assert_eq!(got.len(), 100_005);
        assert!(got.starts_with(b"head x"));
    });
}

#[test]
fn a_peer_that_ended_its_side_still_receives() {
    on_executor(async {
        let timers = Timers::start();
        let (mut client, mut server) = pair(&timers).await;
        client.write_all(b"ask").await.unwrap();
        client.shutdown().await.unwrap();
        let mut got = Vec::new();
        while server.read(&mut got, 64).await.unwrap() > 0 {}
        assert_eq!(got, b"ask");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        got.clear();
        while client.read(&mut got, 64).await.unwrap() > 0 {}
        assert_eq!(got, b"answer");
    });
}

#[test]
fn a_dropped_read_loses_no_bytes() {
    on_executor(async {
        let timers = Timers::start();
        let (mut client, mut server) = pair(&timers).await;
        let mut got = Vec::new();
        for round in 0..50_u8 {
            let dropped = future::poll_once(server.read(&mut got, 64)).await;
            assert!(dropped.is_none(), "nothing was sent yet in round {round}");
            client.write_all(&[round]).await.unwrap();
            server.read(&mut got, 64).await.unwrap();
        }
        assert_eq!(got, (0..50).collect::<Vec<u8>>());
    });
}

#[test]
fn a_connection_dropped_with_a_read_under_way_is_closed_for_its_peer() {
    on_executor(async {
        let timers = Timers::start();
        let (mut client, mut server) = pair(&timers).await;
        let mut got = Vec::new();
        assert!(future::poll_once(server.read(&mut got, 64)).await.is_none());
        glommio::yield_if_needed().await;
        drop(server);
        assert_eq!(timers.deadline(LONG, client.read(&mut got, 64)).await, Ok(Ok(0)));
    });
}

#[test]
fn a_peer_that_leaves_is_noticed_while_other_work_waits() {
    on_executor(async {
        let timers = Timers::start();
        let (client, mut server) = pair(&timers).await;
        let mut got = Vec::new();
        let leaver = glommio::spawn_local(async move { drop(client) });
        let never = async {
            future::pending::<()>().await;
            None
        };
        let noticed = future::or(never, async { Some(server.read(&mut got, 64).await) }).await;
        assert_eq!(noticed, Some(Ok(0)));
        leaver.await;
    });
}

#[test]
fn a_full_buffer_is_not_taken_for_the_end() {
    on_executor(async {
        let timers = Timers::start();
        let (mut client, mut server) = pair(&timers).await;
        client.write_all(b"12345678").await.unwrap();
        let mut got = Vec::new();
        while got.len() < 4 {
            server.read(&mut got, 4).await.unwrap();
        }
        assert_eq!(server.read(&mut got, 4).await, Err(IoError::BufferFull));
        assert_eq!(got, b"1234");
    });
}

#[test]
fn an_idle_connection_is_stale_once_its_peer_closes_or_talks() {
    on_executor(async {
        let timers = Timers::start();
        let (address, listener) = listen();
        for talks in [false, true] {
            let mut client = std::net::TcpStream::connect(address).unwrap();
            let mut server = listener.accept(&timers).await.unwrap();
            assert!(!server.is_stale());
            if talks {
                client.write_all(b"unasked").unwrap();
            } else {
                client.shutdown(std::net::Shutdown::Both).unwrap();
            }
            turn(&timers).await;
            assert!(server.is_stale());
        }
    });
}

/// Lets the runtime collect what has happened.
async fn turn(timers: &Timers) {
    timers.sleep(Duration::ZERO).await;
}

#[test]
fn a_closed_listener_ends_the_accept_that_waits_on_it() {
    on_executor(async {
        let timers = Timers::start();
        let (_, listener) = listen();
        let listener = Rc::new(listener);
        let accepting = glommio::spawn_local({
            let (timers, listener) = (timers.clone(), Rc::clone(&listener));
            async move { listener.accept(&timers).await.map(drop) }
        });
        glommio::yield_if_needed().await;
        listener.close();
        assert_eq!(timers.deadline(LONG, accepting).await, Ok(Err(IoError::Closed)));
    });
}

#[test]
fn a_deadline_ends_a_wait_and_gives_way_to_a_result() {
    on_executor(async {
        let timers = Timers::start();
        assert_eq!(timers.deadline(LONG, async { 7 }).await, Ok(7));
        let began = Instant::now();
        let limit = Duration::from_millis(40);
        assert_eq!(timers.deadline(limit, future::pending::<()>()).await, Err(TimedOut));
        assert!(began.elapsed() >= limit, "fired early: {:?}", began.elapsed());
        let woken = timers.deadline(LONG, timers.sleep(Duration::from_millis(5))).await;
        assert_eq!(woken, Ok(()), "an earlier deadline must not wait for a later one");
    });
}

#[test]
fn a_refused_connection_says_so() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    on_executor(async move {
        let error = glommio::net::TcpStream::connect(nobody).await.map(drop).unwrap_err();
        assert_eq!(IoError::from(error), IoError::Refused);
    });
}
