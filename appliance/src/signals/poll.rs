//! Fetches the SETs of one transmitter, for as long as it is configured. Says what came; decides nothing about it.
//!
//! One request waits at the transmitter nearly all the time, so that an event is here as soon as it is there. What was
//! judged is acknowledged at once, with a request that does not wait; what is not acknowledged comes again.
//!
//! SPEC: RFC 8936 2.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

use super::{News, Report, Verdict, token};
use crate::config::Poll;
use crate::fetch::{FetchError, Fetcher};

/// SETs of one answer.
const SETS: usize = 64;
/// Bytes of one answer: that many SETs, their names, and what JSON adds.
const ANSWER_BYTES: usize = 1 << 20;
/// The longest that a transmitter may hold a request before it is made again: how long a connection may be dead unnoticed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The least time between two requests if the first one brought something, and if it brought nothing.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// The waits after failures: the first one, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Bytes of the name of a SET.
const NAME_BYTES: usize = 255;

/// What fetches the SETs of one transmitter.
pub(super) struct Task {
    pub(super) name: String,
    pub(super) number: u64,
    pub(super) poll: Poll,
    pub(super) fetcher: Fetcher,
    pub(super) tell: Sender<Report>,
}

/// A request (RFC 8936 2.4).
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    max_events: usize,
    return_immediately: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ack: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    set_errs: BTreeMap<String, Refused>,
}

/// What is said of a SET that was refused (RFC 8936 2.6).
#[derive(Debug, Serialize)]
struct Refused {
    err: &'static str,
    description: String,
}

impl Task {
    pub(super) async fn run(self) {
        let mut verdicts = Vec::new();
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let pause = match self.ask(&verdicts).await {
                Ok(sets) if sets.is_empty() => {
                    let told = !verdicts.is_empty();
                    verdicts.clear();
                    if self.say(News::Nothing).await.is_none() {
                        return;
                    }
                    failures = 0;
                    if told { PAUSE.0 } else { PAUSE.1 }
                }
                Ok(sets) => {
                    let Some(judged) = self.bring(sets).await else {
                        return;
                    };
                    // What could not be judged yet comes again, and need not come at once.
                    let waits = judged.iter().any(|(_, verdict)| *verdict == Verdict::Later);
                    verdicts = judged;
                    failures = 0;
                    if waits { BACKOFF.0 } else { PAUSE.0 }
                }
                Err(reason) => {
                    if self.say(News::Failed(reason)).await.is_none() {
                        return;
                    }
                    failures += 1;
                    BACKOFF.0.saturating_mul(1 << (failures - 1).min(6)).min(BACKOFF.1)
                }
            };
            tokio::time::sleep_until((began + pause).into()).await;
        }
    }

    /// Asks once for what is new, and says what came of the last SETs. Nothing is new if the transmitter lets it wait.
    async fn ask(&self, verdicts: &[(String, Verdict)]) -> Result<BTreeMap<String, String>, String> {
        let document = serde_json::to_vec(&asked(verdicts)).map_err(|error| error.to_string())?;
        let bearer = match self.poll.token_file.clone() {
            Some(file) => Some(bearer(file).await?),
            None => None,
        };
        let place = &self.poll.place;
        let bounds = (ANSWER_BYTES, PATIENCE);
        let bearer = bearer.as_deref().map(String::as_str);
        match self.fetcher.post(place, document, bearer, bounds).await {
            Ok(answer) => read(&answer.bytes).map_err(|reason| format!("{place} {reason}")),
            Err(FetchError::Late(_)) if verdicts.is_empty() => Ok(BTreeMap::new()),
            Err(error) => Err(format!("{place} {error}")),
        }
    }

    /// Has SETs judged. `None` if nobody listens any more.
    async fn bring(&self, sets: BTreeMap<String, String>) -> Option<Vec<(String, Verdict)>> {
        let (answer, judged) = oneshot::channel();
        let sets = sets.into_iter().collect();
        self.say(News::Sets(sets, answer)).await?;
        judged.await.ok()
    }

    async fn say(&self, news: News) -> Option<()> {
        let report = Report {
            name: self.name.clone(),
            number: self.number,
            news,
        };
        self.tell.send(report).await.ok()
    }
}

/// The file is small, but its disk may be slow.
async fn bearer(file: PathBuf) -> Result<zeroize::Zeroizing<String>, String> {
    let read = tokio::task::spawn_blocking(move || token::read(&file)).await;
    let read = read.map_err(|error| error.to_string())?;
    read.map_err(|fault| format!("{}: {}", fault.file.display(), fault.message))
}

fn asked(verdicts: &[(String, Verdict)]) -> Asked {
    let mut asked = Asked {
        max_events: SETS,
        ..Asked::default()
    };
    for (name, verdict) in verdicts {
        match verdict {
            Verdict::Taken => asked.ack.push(name.clone()),
            Verdict::Refused(error) => {
                let refused = Refused {
                    err: error.code(),
                    description: error.to_string(),
                };
                asked.set_errs.insert(name.clone(), refused);
            }
            Verdict::Later => {}
        }
    }
    // Else it would not be known for as long as nothing happens whether the transmitter heard it.
    asked.return_immediately = !asked.ack.is_empty() || !asked.set_errs.is_empty();
    asked
}

/// The SETs of an answer (RFC 8936 2.5).
fn read(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let fault = |error: serde_json::Error| format!("answered with no SETs: {error}");
    let mut answer: BTreeMap<String, Value> = serde_json::from_slice(bytes).map_err(fault)?;
    let sets: BTreeMap<String, String> = match answer.remove("sets") {
        Some(sets) => serde_json::from_value(sets).map_err(fault)?,
        None => BTreeMap::new(),
    };
    if sets.len() > SETS {
        return Err(format!("answered with more than the {SETS} SETs it was asked for"));
    }
    let plain = |name: &String| name.len() <= NAME_BYTES && !name.chars().any(char::is_control);
    if !sets.keys().all(plain) {
        return Err("answered with a SET of an unusable name".to_owned());
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use portreeve_core::signals::SignalError;
    use serde_json::json;

    use super::super::RefusedSignal;
    use super::*;

    #[test]
    fn says_what_came_of_each_set_and_nothing_of_those_that_wait() {
        let verdicts = [
            ("a".to_owned(), Verdict::Taken),
            (
                "b".to_owned(),
                Verdict::Refused(RefusedSignal::Set(SignalError::Audience)),
            ),
            ("c".to_owned(), Verdict::Later),
        ];
        assert_eq!(
            serde_json::to_value(asked(&verdicts)).unwrap(),
            json!({"maxEvents": 64, "returnImmediately": true, "ack": ["a"], "setErrs": {
                "b": {"err": "invalid_audience", "description": "aud is another receiver"}}})
        );
        assert_eq!(
            serde_json::to_value(asked(&[])).unwrap(),
            json!({"maxEvents": 64, "returnImmediately": false})
        );
    }

    #[test]
    fn an_answer_is_a_bounded_set_of_texts() {
        assert_eq!(read(b"{}").unwrap().len(), 0);
        assert_eq!(
            read(br#"{"sets": {"a": "x"}, "moreAvailable": true}"#).unwrap()["a"],
            "x"
        );
        let many: BTreeMap<String, &str> = (0..=SETS).map(|number| (number.to_string(), "x")).collect();
        let long = "a".repeat(NAME_BYTES + 1);
        for bad in [
            json!({"sets": many}),
            json!({"sets": {long: "x"}}),
            json!({"sets": {"a\nb": "x"}}),
            json!({"sets": {"a": 1}}),
            json!({"sets": ["x"]}),
            json!([]),
        ] {
            assert!(read(bad.to_string().as_bytes()).is_err(), "{bad}");
        }
        assert!(read(b"").is_err());
    }
}
