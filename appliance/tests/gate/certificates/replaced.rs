//! The files of the listener are replaced while it runs: what is revoked ends, and the gate's own certificate changes
//! without a connection lost.

use std::cell::RefCell;

use super::*;

#[test]
fn a_certificate_that_is_revoked_later_ends_with_the_next_request() {
    let clients = Authority::new();
    let (mine, gone) = (clients.client(&[], 1), clients.client(&[], 2));
    let tls = format!("{OPTIONAL}\nclient_crl_file = \"revoked.pem\"");
    let good = clients.revocations(&[], 2090);
    let site = Site::with(clients, &tls, "", Some(&good));
    let tunnel = RefCell::new(site.showing(Some(&gone)));
    assert_eq!(status(tunnel.borrow_mut().ask(&bound(&gone)).as_ref()), 200);

    let file = site.gate.folder.path().join("revoked.pem");
    fs::write(file, site.clients.revocations(&[&gone], 2090)).unwrap();
    let answer = answered("the files were not taken up", || {
        tunnel
            .borrow_mut()
            .ask(&bound(&gone))
            .filter(|answer| answer.status != 200)
    });
    assert_eq!((answer.status, answer.header("connection")), (421, Some("close")));
    // The other shard is told, too, in its own time.
    answered("the files were not taken up", || {
        (0..16)
            .all(|_| site.showing(Some(&gone)).ask(&bound(&gone)).is_none())
            .then_some(())
    });
    assert_eq!(status(site.showing(Some(&mine)).ask(&bound(&mine)).as_ref()), 200);
}

#[test]
fn the_gates_own_certificate_is_replaced_and_open_connections_go_on() {
    let site = Site::new(OPTIONAL);
    let mine = site.clients.client(&[], 1);
    let mut tunnel = site.showing(Some(&mine));
    assert_eq!(status(tunnel.ask(&bound(&mine)).as_ref()), 200);

    let (other, folder) = (Authority::new(), site.gate.folder.path());
    let server = other.server();
    fs::write(folder.join("gate.pem"), server.pem()).unwrap();
    fs::write(folder.join("gate.key"), server.key_pem()).unwrap();
    let client = TlsClient::new(&other);
    answered("the files were not taken up", || {
        site.gate.tunnel(client.shows(Some(&mine))).ask(&bound(&mine))
    });
    assert_eq!(status(tunnel.ask(&bound(&mine)).as_ref()), 200);
}
