//! Carries out what transmitters of signals say, as orders of the admin API are: in force, then kept, then acknowledged.

use std::io;

use portreeve_core::credential::Minted;
use portreeve_core::jose::jws::JwsError;
use portreeve_core::mediation::SignalOutcome;
use portreeve_core::signals::{About, Effect, Remark, Signal, SignalError};
use portreeve_core::time::UnixTime;

use super::desk::Desk;
use crate::admin::contract::{By, Entry, What};
use crate::clock;
use crate::config::Signals;
use crate::say;
use crate::shard::{Pushed, Question};
use crate::signals::{Judged, News, RefusedSignal, Report, Verdict};

/// A SET that is to be carried out: its place in the answer, what it says, and its bytes.
type New = (usize, Signal, String);

impl Desk<'_> {
    /// Takes in what a transmitter's task reports, and answers it.
    pub(super) fn take_in(&mut self, report: Report) {
        let Some(received) = self.receivers.of(&report) else {
            return;
        };
        let name = report.name;
        match report.news {
            News::Nothing => received.answered(),
            News::Failed(error) => received.failed(error),
            News::Sets(sets, answer) => {
                let sets = sets.into_iter().map(|(name, set)| (Some(name), set)).collect();
                let verdicts = self.judge(&name, sets).into_iter();
                let verdicts = verdicts.filter_map(|(name, verdict)| Some((name?, verdict))).collect();
                // Who was replaced meanwhile does not get it: the SETs come again.
                let _ = answer.send(verdicts);
            }
        }
    }

    /// Answers what a shard asks.
    pub(super) fn answer(&mut self, question: Question) {
        match question {
            Question::Judgement(Pushed {
                transmitter,
                set,
                answer,
            }) => answer.send(self.judge_pushed(&transmitter, set)),
            Question::Revocation(token, answer) => answer.send(self.revoke_minted(token)),
        }
    }

    /// Shuts off a token that the gate minted: every core forgets it with the new generation, and makes another one.
    fn revoke_minted(&mut self, token: Minted) -> SignalOutcome {
        let by = By::Server { server: token.server };
        let what = What::Token {
            issuer: self.gate.snapshot().front.public_url.clone(),
            id: token.id,
        };
        if self.revocations.contains(&what, &by) {
            return SignalOutcome::InForce;
        }
        let entry = Entry {
            what,
            since: clock::now().secs(),
            by,
            reason: None,
        };
        let done = self.shut_off(&[entry]).is_ok() && self.revocations.keep().is_ok();
        if done {
            SignalOutcome::InForce
        } else {
            SignalOutcome::Later
        }
    }

    fn judge_pushed(&mut self, transmitter: &str, set: Vec<u8>) -> SignalOutcome {
        let Ok(set) = String::from_utf8(set) else {
            return refused(RefusedSignal::Set(SignalError::Form(JwsError::Charset)));
        };
        let verdicts = self.judge(transmitter, vec![(None, set)]);
        match verdicts.first().map(|(_, verdict)| *verdict) {
            Some(Verdict::Taken) => SignalOutcome::InForce,
            Some(Verdict::Refused(reason)) => refused(reason),
            Some(Verdict::Later) | None => SignalOutcome::Later,
        }
    }

    fn judge(&mut self, transmitter: &str, sets: Vec<(Option<String>, String)>) -> Vec<(Option<String>, Verdict)> {
        let now = clock::now();
        let (mut verdicts, mut new) = (Vec::new(), Vec::new());
        for (place, (name, set)) in sets.into_iter().enumerate() {
            let verdict = match self.receivers.judge(transmitter, name.as_deref(), set.as_bytes(), now) {
                Judged::Settled(verdict) => verdict,
                Judged::LacksKey => {
                    self.keeper.wanted(&Signals::signer_name(transmitter));
                    Verdict::Later
                }
                Judged::New(signal) => {
                    new.push((place, signal, set));
                    Verdict::Later
                }
            };
            verdicts.push((name, verdict));
        }
        match self.carry_out_signals(transmitter, &new, now) {
            Ok(()) => {
                for (place, signal, set) in new {
                    self.receivers.carried_out(transmitter, &signal, set.as_bytes(), now);
                    verdicts[place].1 = Verdict::Taken;
                }
                self.receivers.well(transmitter);
            }
            Err(error) => self.receivers.unwell(transmitter, error),
        }
        verdicts
    }

    /// All of `new` at once: a burst of signals costs one publication and one write.
    fn carry_out_signals(&mut self, transmitter: &str, new: &[New], now: UnixTime) -> Result<(), String> {
        let by = By::Transmitter {
            transmitter: transmitter.to_owned(),
        };
        let (mut entries, mut remarks, mut any) = (Vec::new(), Vec::new(), false);
        for (_, signal, _) in new {
            let reason = format!("{} (SET {})", signal.event, signal.id);
            for effect in &signal.effects {
                match effect {
                    Effect::Note(remark) => remarks.push((remark, reason.clone())),
                    Effect::Revoke(revocation) => {
                        any = true;
                        entries.push(Entry {
                            what: What::from(revocation),
                            since: now.secs(),
                            by: by.clone(),
                            reason: Some(reason.clone()),
                        });
                    }
                }
            }
        }
        entries.retain(|entry| !self.revocations.contains(&entry.what, &by));
        if !entries.is_empty() {
            self.shut_off(&entries).map_err(|error| error.to_string())?;
            // One line for all: a transmitter must not fill the operator's terminal. The audit names each.
            say::notice(&format!("signals {transmitter}: {} more shut off", entries.len()));
        }
        if any {
            // Also where nothing is new: the last time it may not have been written down.
            self.revocations.keep().map_err(|error| unwritten(&error))?;
        }
        self.note(&remarks, &by)
    }

    fn note(&mut self, remarks: &[(&Remark, String)], by: &By) -> Result<(), String> {
        if remarks.is_empty() {
            return Ok(());
        }
        let noted: Vec<&Remark> = remarks.iter().map(|(remark, _)| *remark).collect();
        self.remarks = self.remarks.with(&noted).map_err(|error| error.to_string())?;
        self.gate.know(self.remarks.standing());
        for (remark, reason) in remarks {
            self.trace("note", &said(remark), by, Some(reason));
        }
        self.remarks.keep().map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &io::Error) -> String {
    format!("what it says is in force, but could not be written down: {error}")
}

fn said(remark: &Remark) -> String {
    let about = match &remark.about {
        About::Risk(risk) => format!("risk is {}", risk.name()),
        About::Device { device, compliant } => {
            let complies = if *compliant { "complies" } else { "does not comply" };
            format!("device {} {complies}", device.escape_debug())
        }
    };
    format!(
        "user {} of {}: {about}",
        remark.user.escape_debug(),
        remark.issuer.escape_debug()
    )
}

fn refused(reason: RefusedSignal) -> SignalOutcome {
    SignalOutcome::Refused {
        code: reason.code(),
        description: reason.to_string(),
    }
}
