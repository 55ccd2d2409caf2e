//! Child processes that say when they are ready, and never outlive the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for a child to say that it is ready.
const READY: Duration = Duration::from_secs(60);

/// What a ready child prints before its URL.
const ANNOUNCEMENT: &str = "listening on ";

/// A server process; dropping it ends it.
pub(crate) struct Running {
    child: Child,
    url: String,
}

impl Running {
    /// Starts `command` and waits for its `listening on URL` line.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// As [`Running::start`], with something on its standard input.
    #[expect(
        clippy::panic,
        reason = "this is how a test fails; the lint knows test functions only"
    )]
    pub(crate) fn start_with(command: &mut Command, stdin: Stdio) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = child.stdout.take().expect("stdout was piped");
        let (said, says) = mpsc::channel();
        // Reads on after the announcement, so that the child never blocks on a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once(ANNOUNCEMENT) {
                    let _ = said.send(url.trim().to_owned());
                }
            }
        });
        let mut running = Self {
            child,
            url: String::new(),
        };
        match says.recv_timeout(READY) {
            Ok(url) => running.url = url,
            Err(reason) => panic!("{command:?} never said `{ANNOUNCEMENT}URL`: {reason}"),
        }
        running
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it has not ended by itself");
        let ended = self.child.wait().expect("a child can be awaited");
        assert!(ended.success(), "it did not end well: {ended}");
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; both calls then do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
