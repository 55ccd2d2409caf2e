//! Shutting off: at once on every core, for what was named and nothing else, until it is let back in.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::{
    Gate, ISSUER, Issuer, PERMIT_CLERKS, Upstream, Wire, body_of, claims, end_of, json_response, modern_call,
    modern_headers, portreeve, read_one,
};

const AGENTS: usize = 10;
const STREAMS: usize = 200;
const BUSY: usize = 64;

/// Runs a command that must work, and gives back what it says.
pub(crate) fn done(gate: &Gate, arguments: &[&str]) -> String {
    let output = portreeve(gate.folder.path(), arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

fn agents() -> String {
    (0..AGENTS)
        .map(|number| format!("[agents.a{number}]\nissuer = \"idp\"\nsubject = \"a{number}\"\n"))
        .collect()
}

/// Answers calls at once, but keeps a stream open for `watch` and for whoever listens.
pub(crate) fn server() -> Upstream {
    Upstream::with(|request| {
        let message: Value = serde_json::from_slice(body_of(request)).unwrap_or(Value::Null);
        if message["method"] == "subscriptions/listen" || message["params"]["name"] == "watch" {
            return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec();
        }
        json_response(
            &json!({"jsonrpc": "2.0", "id": message["id"], "result": {"resultType": "complete", "content": []}}),
        )
    })
}

fn message(gate: &Gate, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{headers}content-length: {}\r\n\r\n",
        gate.address,
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(crate) fn call(gate: &Gate, issuer: &Issuer, agent: &str, tool: &str) -> Vec<u8> {
    let headers = modern_headers(
        &issuer.agent(agent),
        &issuer.user("ada", agent, &["clerks"]),
        "tools/call",
        tool,
    );
    message(gate, &headers, &modern_call(1, tool, &json!({})))
}

pub(crate) fn listen(gate: &Gate, issuer: &Issuer, agent: &str) -> Vec<u8> {
    let headers = modern_headers(
        &issuer.agent(agent),
        &issuer.user("ada", agent, &["clerks"]),
        "subscriptions/listen",
        "",
    );
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": {
        "notifications": {"toolsListChanged": true},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}},
    }});
    message(
        gate,
        &headers.replace("mcp-name: \r\n", ""),
        body.to_string().as_bytes(),
    )
}

/// Opens a stream and returns once the gate has begun to answer.
pub(crate) fn open(gate: &Gate, request: &[u8]) -> Wire {
    let mut wire = gate.connect();
    wire.write_all(request).unwrap();
    let mut head = [0; 12];
    wire.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    wire
}

pub(crate) fn is_open(wire: &mut Wire) -> bool {
    wire.set_nonblocking(true).unwrap();
    let mut chunk = [0; 4096];
    let mut seen = Vec::new();
    loop {
        match wire.read(&mut chunk) {
            Ok(0) => return false,
            Ok(count) => seen.extend_from_slice(&chunk[..count]),
            Err(error) => return error.kind() == ErrorKind::WouldBlock && !seen.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}

/// Whose token every request to the server carried.
fn actors(upstream: &Upstream) -> Vec<String> {
    let actor = |request: Vec<u8>| {
        let text = String::from_utf8(request).unwrap();
        let token = text
            .lines()
            .find_map(|line| line.strip_prefix("authorization: Bearer "));
        claims(token.unwrap())["act"]["sub"].as_str().unwrap().to_owned()
    };
    upstream.seen().into_iter().map(actor).collect()
}

/// Calls on one connection until told to stop, and meets the others after the first call; gives back when the last accepted request was sent, and the first
/// status that was not 200.
fn stay_busy(gate: &Gate, request: &[u8], all_busy: &Barrier, stop: &AtomicBool) -> (Option<Instant>, Option<u16>) {
    let mut wire = gate.connect();
    let mut last = Some(Instant::now());
    wire.write_all(request).unwrap();
    assert_eq!(read_one(&mut wire).status, 200);
    all_busy.wait();
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        wire.write_all(request).unwrap();
        match read_one(&mut wire).status {
            200 => last = Some(sent),
            status => return (last, Some(status)),
        }
    }
    (last, None)
}

#[test]
fn one_agent_is_shut_off_on_every_core_at_once_and_nobody_else_notices() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), &agents());
    let request = |number: usize| match (number / AGENTS % 2, format!("a{}", number % AGENTS)) {
        (0, agent) => listen(&gate, &issuer, &agent),
        (_, agent) => call(&gate, &issuer, &agent, "watch"),
    };
    let streams = (0..STREAMS).map(|number| (number % AGENTS, open(&gate, &request(number))));
    let (its_own, mut of_others): (Vec<_>, Vec<_>) = streams.partition(|(agent, _)| *agent == 0);
    let busy: Vec<_> = (0..BUSY)
        .map(|number| {
            (
                number % AGENTS,
                call(&gate, &issuer, &format!("a{}", number % AGENTS), "read"),
            )
        })
        .collect();
    let (all_busy, stop) = (Barrier::new(BUSY + 1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let ends: Vec<_> = its_own
            .into_iter()
            .map(|(_, wire)| scope.spawn(|| end_of(wire)))
            .collect();
        let (gate, all_busy, stop) = (&gate, &all_busy, &stop);
        let clients: Vec<_> = busy
            .iter()
            .map(|(agent, request)| (*agent, scope.spawn(move || stay_busy(gate, request, all_busy, stop))))
            .collect();
        all_busy.wait();
        let began = Instant::now();
        done(gate, &["revoke", "agent", "a0", "--reason", "drill"]);
        let answered = Instant::now();
        for _ in 0..AGENTS {
            let fresh = gate.raw(&call(gate, &issuer, "a0", "read"));
            assert_eq!(fresh.status, 401, "{fresh:?}");
        }
        let ends: Vec<Instant> = ends.into_iter().map(|end| end.join().unwrap()).collect();
        stop.store(true, Ordering::Relaxed);
        let mut accepted = None;
        for (agent, client) in clients {
            let (last, refused) = client.join().unwrap();
            match agent {
                // What was on its way is withdrawn; what came later is not let in.
                0 => assert!(matches!(refused, Some(401 | 502)), "{refused:?}"),
                _ => assert_eq!(refused, None, "a{agent}"),
            }
            accepted = accepted.max(last.filter(|_| agent == 0));
        }
        assert!(accepted.is_none_or(|last| last < answered), "accepted after the answer");
        report(began, answered, accepted, ends);
    });
    for (agent, wire) in &mut of_others {
        assert!(is_open(wire), "a stream of a{agent} ended");
    }
    let of_its_own = || actors(&upstream).iter().filter(|actor| *actor == "a0").count();
    let before = of_its_own();
    for _ in 0..AGENTS {
        assert_eq!(gate.raw(&call(&gate, &issuer, "a0", "read")).status, 401);
        assert_eq!(gate.raw(&call(&gate, &issuer, "a1", "read")).status, 200);
    }
    assert_eq!(of_its_own(), before);
}

/// Prints how long it took, counted from the start of the command.
#[expect(clippy::print_stdout, reason = "a figure to read; no test judges it")]
fn report(began: Instant, answered: Instant, accepted: Option<Instant>, mut ends: Vec<Instant>) {
    ends.sort();
    let since = |moment: Instant| moment.duration_since(began);
    println!(
        "answered after {:?}; last accepted request sent after {:?}; {} streams ended, the median after {:?}, the last after {:?}",
        since(answered),
        accepted.map(since),
        ends.len(),
        since(ends[ends.len() / 2]),
        since(ends[ends.len() - 1]),
    );
}

#[test]
fn each_kind_shuts_off_what_it_names_and_nothing_else() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let status = |agent: &str, user: &str| {
        let tokens = (issuer.agent(agent), issuer.user(user, agent, &["clerks"]));
        let headers = modern_headers(&tokens.0, &tokens.1, "tools/call", "read");
        gate.post(&headers, &modern_call(1, "read", &json!({}))).status
    };
    let everybody = || {
        [
            status("clerk-bot", "ada"),
            status("clerk-bot", "bob"),
            status("other-bot", "ada"),
            status("other-bot", "bob"),
        ]
    };
    assert_eq!(everybody(), [200; 4]);
    for (subject, expected) in [
        (vec!["agent", "clerk-bot"], [401, 401, 200, 200]),
        (vec!["user", "ada"], [401, 200, 401, 200]),
        (vec!["delegation", "clerk-bot", "ada"], [401, 200, 200, 200]),
        (vec!["server", "town"], [403; 4]),
    ] {
        done(&gate, &[&["revoke"], &subject[..]].concat());
        assert_eq!(everybody(), expected, "{subject:?}");
        done(&gate, &[&["restore"], &subject[..]].concat());
        assert_eq!(everybody(), [200; 4], "{subject:?} restored");
    }
    let headers = modern_headers(
        &issuer.agent("clerk-bot"),
        &issuer.user("ada", "clerk-bot", &["clerks"]),
        "tools/call",
        "read",
    );
    let same = || gate.post(&headers, &modern_call(1, "read", &json!({}))).status;
    assert_eq!(same(), 200);
    let assertion = headers
        .lines()
        .find_map(|line| line.strip_prefix("x-ai-user-assertion: "));
    let id = claims(assertion.unwrap())["jti"].as_str().unwrap().to_owned();
    done(&gate, &["revoke", "token", &id, "--issuer", "idp"]);
    assert_eq!((same(), status("clerk-bot", "bob")), (401, 200));
}

#[test]
fn what_is_shut_off_outlives_reloads_and_restarts_until_it_is_restored() {
    let (upstream, issuer) = (server(), Issuer::new());
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let status = |gate: &Gate| gate.raw(&call(gate, &issuer, "clerk-bot", "read")).status;
    done(&gate, &["revoke", "agent", "clerk-bot", "--reason", "left the town"]);
    assert_eq!(status(&gate), 401);
    let file = gate.folder.path().join("state/revocations.json");
    let kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        kept["revocations"][0]["what"],
        json!({"kind": "agent", "agent": "clerk-bot"})
    );

    // A tool that only the new policies forbid says when they are in force.
    let policies =
        format!("{PERMIT_CLERKS}\n@id(\"no-drop\") forbid(principal, action == Action::\"town/drop\", resource);");
    fs::write(gate.folder.path().join("policies/test.cedar"), policies).unwrap();
    let forbidden = || gate.raw(&call(&gate, &issuer, "other-bot", "drop")).json()["error"].is_object();
    let patience = Instant::now();
    while !forbidden() {
        assert!(
            patience.elapsed() < Duration::from_secs(20),
            "the policies were not taken up"
        );
    }
    assert_eq!(status(&gate), 401, "a reload let it back in");

    gate.restart();
    assert_eq!(status(&gate), 401, "a restart let it back in");
    let listed = done(&gate, &["revocations"]);
    assert!(listed.starts_with("agent clerk-bot\n  since 20"), "{listed}");
    assert!(listed.ends_with("\n  left the town\n"), "{listed}");

    let file = gate.folder.path().join("portreeve.toml");
    let configured = fs::read_to_string(&file).unwrap();
    fs::write(&file, configured.replace("[agents.clerk-bot]", "[agents.renamed-bot]")).unwrap();
    gate.restart();
    let log = fs::read_to_string(gate.folder.path().join("stderr.log")).unwrap();
    assert!(log.contains("agent clerk-bot is shut off, but not configured"), "{log}");
    fs::write(&file, configured).unwrap();
    gate.restart();
    done(&gate, &["restore", "agent", "clerk-bot"]);
    assert_eq!(status(&gate), 200);
    assert_eq!(done(&gate, &["revocations"]), "nothing is shut off\n");

    assert!(gate.stop().success());
    let mut changes = gate.audit();
    changes.retain(|record| record["kind"] == "change");
    changes.sort_by_key(|record| record["time"].to_string());
    let told = |change: &Value| ["action", "what", "reason"].map(|member| change[member].as_str().map(str::to_owned));
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(
        told(&changes[0]),
        [said("revoke"), said("agent clerk-bot"), said("left the town")]
    );
    assert_eq!(told(&changes[1]), [said("lift"), said("agent clerk-bot"), None]);
    assert!(changes.len() == 2 && changes.iter().all(|change| change["by_uid"].is_u64()));
}

#[test]
fn a_slip_of_the_pen_is_told_and_changes_nothing() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let long = "a".repeat(1_025);
    for (arguments, expected) in [
        (
            &["revoke", "user", &long][..],
            "names, ids and the reason have 1 to 1024 bytes each",
        ),
        (
            &["revoke", "user", "ada", "--reason", ""],
            "names, ids and the reason have 1 to 1024 bytes each",
        ),
        (&["revoke", "agent", "clerk-bt"], "there is no agent `clerk-bt`"),
        (&["revoke", "server", "twon"], "there is no server `twon`"),
        (
            &["revoke", "user", "ada", "--issuer", "nobody"],
            "there is no issuer of that kind `nobody`",
        ),
        (&["restore", "agent", "clerk-bot"], "agent clerk-bot is not shut off"),
    ] {
        let output = portreeve(gate.folder.path(), arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said.contains(expected), "{said}");
    }
    done(&gate, &["revoke", "user", "ada"]);
    let again = done(&gate, &["revoke", "user", "ada"]);
    assert_eq!(again, format!("user ada of {ISSUER} was shut off already\n"));
    assert_eq!(gate.raw(&call(&gate, &issuer, "clerk-bot", "read")).status, 401);
}

#[test]
fn a_configuration_that_cannot_be_read_keeps_nobody_in() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    fs::write(gate.folder.path().join("portreeve.toml"), "[gate\n").unwrap();
    let unread = portreeve(gate.folder.path(), &["revoke", "agent", "clerk-bot"]);
    assert_eq!(unread.status.code(), Some(3), "a broken configuration is told");
    done(&gate, &["revoke", "--state-dir", "state", "agent", "clerk-bot"]);
    done(
        &gate,
        &["revoke", "--state-dir", "state", "user", "bob", "--issuer", ISSUER],
    );
    assert_eq!(gate.raw(&call(&gate, &issuer, "clerk-bot", "read")).status, 401);
    let listed = done(&gate, &["revocations", "--state-dir", "state"]);
    assert!(listed.contains(&format!("user bob of {ISSUER}\n")), "{listed}");
}

#[test]
fn who_is_still_served_while_the_gate_stops_can_be_shut_off() {
    let (upstream, issuer) = (server(), Issuer::new());
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let stream = open(&gate, &call(&gate, &issuer, "clerk-bot", "watch"));
    let mut idle = gate.connect();
    idle.write_all(&call(&gate, &issuer, "other-bot", "read")).unwrap();
    assert_eq!(read_one(&mut idle).status, 200);
    gate.terminate();
    assert_eq!(idle.read(&mut [0; 64]).unwrap(), 0, "it drains");
    done(&gate, &["revoke", "agent", "clerk-bot"]);
    end_of(stream);
    assert!(gate.stop().success());
}

#[test]
fn one_state_directory_has_one_gate_and_a_list_that_can_be_read() {
    let upstream = server();
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let second = portreeve(gate.folder.path(), &["serve"]);
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(
        said.contains("another portreeve is running on this state directory"),
        "{said}"
    );
    assert_eq!(
        done(&gate, &["revocations"]),
        "nothing is shut off\n",
        "the first one goes on"
    );
    assert!(gate.stop().success());

    let absent = portreeve(gate.folder.path(), &["revocations"]);
    let said = String::from_utf8(absent.stderr).unwrap();
    assert_eq!(absent.status.code(), Some(1));
    assert!(said.contains("no gate is running on this state directory"), "{said}");

    fs::write(
        gate.folder.path().join("state/revocations.json"),
        "{\"revocations\": [{}]}",
    )
    .unwrap();
    let torn = portreeve(gate.folder.path(), &["serve"]);
    let said = String::from_utf8(torn.stderr).unwrap();
    assert_eq!(torn.status.code(), Some(3), "{said}");
    assert!(said.contains("this is not a list of revocations"), "{said}");
}
