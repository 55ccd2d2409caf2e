//! Connection churn in a process of its own, because it counts every descriptor that the process has.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::future;
use portreeve::io::listener::ListenerSet;
use portreeve::io::ring;
use portreeve::io::stream::Stream;
use portreeve::io::timer::Timers;

const CONNECTIONS: usize = 2_000;

#[test]
fn two_thousand_connections_leave_no_descriptor_behind() {
    let executor = ring::executor("churn", None).make().expect("an executor");
    executor.run(async {
        let timers = Timers::start();
        let set = ListenerSet::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 1).expect("a free port");
        let address = set.local_addr();
        let listener = set.into_sockets().pop().expect("one socket").adopt();
        let before = descriptors();
        let serve = async {
            for round in 0..CONNECTIONS {
                let mut server = listener.accept(&timers).await.expect("a connection");
                let mut got = Vec::new();
                // Every second connection is dropped with a read under way, every other one after its end.
                if round % 2 == 0 {
                    assert!(
                        future::poll_once(server.read(&mut got, 64))
                            .await
                            .is_none_or(|read| read.is_ok())
                    );
                } else {
                    while server.read(&mut got, 64).await.expect("bytes or the end") > 0 {}
                    assert_eq!(got, b"x");
                }
            }
        };
        let call = async {
            for _ in 0..CONNECTIONS {
                let socket = glommio::net::TcpStream::connect(address).await.expect("a listener");
                // The other end may have gone already, which is its right in every second round.
                if let Ok(mut client) = Stream::plain(socket) {
                    let _ = client.write_all(b"x").await;
                }
            }
        };
        let both = timers.deadline(Duration::from_secs(60), future::zip(serve, call)).await;
        assert!(both.is_ok(), "the connections took too long");
        assert_eq!(descriptors(), before);
    });
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("a table of descriptors").count()
}
