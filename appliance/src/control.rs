//! The control plane: signals, the configuration on disk, and the words on the operator's terminal.
//!
//! One tokio thread beside the shards; the data plane never waits for it. A configuration that does not load leaves the
//! last good one in force and says so loudly; what cannot change while running is named, not ignored.

use std::pin::pin;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, channel, unbounded_channel};
use tokio::time::interval;

use crate::admin::revocations::Revocations;
use crate::admin::{Admin, AdminError};
use crate::boot::{BootError, Gate};
use crate::broker::{Broker, Landed};
use crate::clock;
use crate::config::{self, Config, Diagnostic, publish};
use crate::introspector::{self, Introspector};
use crate::issuers::{Keeper, Report};
use crate::registry;
use crate::say;
use crate::shard::{Heard, channel_of_wants};
use crate::signals::standing::Remarks;
use crate::signals::{self as shared, Receivers};

mod desk;
mod registrar;
mod reload;
mod sightings;
mod signals;
mod status;
mod watched;

use desk::Desk;
use reload::{Came, Unread};
use sightings::{Sighted, Then};

/// Orders that wait while one is carried out; who brings more waits too.
const ORDERS: usize = 16;

/// Why serving ended badly.
#[derive(Debug)]
pub enum ServeError {
    /// The configuration, a policy or a key file is wrong.
    Config(Vec<Diagnostic>),
    /// The gate did not start.
    Boot(BootError),
    /// The admin API cannot be offered.
    Admin(AdminError),
    /// Signals or file changes cannot be received.
    Control(String),
}

/// Serves `config` until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// The gate did not start; once it runs, only a signal ends it.
pub fn serve(config: Config) -> Result<(), ServeError> {
    let control = |error: std::io::Error| ServeError::Control(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(control)?;
    let inside = runtime.enter();
    // Before anything of the state directory is read: of two gates on one of them the second must not begin.
    let admin = Admin::open(&config.gate.state_dir).map_err(ServeError::Admin)?;
    let told = told_to_stop().map_err(control)?;
    let (jobs, to_do) = channel(ORDERS);
    let came = reload::watch(&config, to_do).map_err(control)?;
    drop(inside);
    let config = as_it_is_now(config)?;
    let revocations =
        Revocations::load(&config.gate.state_dir, clock::now()).map_err(|fault| ServeError::Config(vec![fault]))?;
    let mut snapshot = publish::snapshot(&config).map_err(ServeError::Config)?;
    snapshot.denylist = revocations.denylist();
    let remarks = Remarks::load(&config.gate.state_dir).map_err(|fault| ServeError::Config(vec![fault]))?;
    snapshot.standing = remarks.standing();
    let transmitters = publish::transmitters(&config).map_err(ServeError::Config)?;
    let (keeper, reports) = runtime.block_on(first_keys(&config))?;
    publish::set_keys(&mut snapshot, keeper.sets());
    let (broker, landed) = Broker::start(&config).map_err(ServeError::Config)?;
    let (introspector, introspected) = Introspector::start(&config).map_err(ServeError::Config)?;
    let (wants, heard) = channel_of_wants();
    let gate = Gate::start(&config, snapshot, &wants).map_err(ServeError::Boot)?;
    let seen = registry::seen::load(&config.gate.state_dir);
    let (sighted, sightings) = unbounded_channel();
    let inside = runtime.enter();
    let (mut receivers, signals) =
        Receivers::start(&config, transmitters).map_err(|error| ServeError::Boot(BootError::Tls(error)))?;
    drop(inside);
    receivers.set_all_keys(keeper.sets());
    let mut desk = Desk {
        gate: &gate,
        state_dir: config.gate.state_dir.clone(),
        config,
        revocations,
        keeper,
        broker,
        receivers,
        remarks,
        introspector,
        jobs,
        provisional: Vec::new(),
        seen,
        seen_since_kept: false,
        sighted,
        looking: 0,
    };
    announce(&desk);
    let news = News {
        came,
        reports,
        heard,
        landed,
        introspected,
        sightings,
        signals,
    };
    runtime.block_on(async {
        attend(&mut desk, &admin, told, news).await;
        admin.settle().await;
    });
    say::notice("stopped");
    Ok(())
}

/// Says what the operator should know at the start, and that it is one.
fn announce(desk: &Desk<'_>) {
    desk.warn_of_strangers();
    desk.warn_of_reviews();
    let scheme = desk.config.gate.scheme();
    say::ready(&format!("listening on {scheme}://{}", desk.gate.address()));
}

/// What reaches the control plane besides orders.
struct News {
    came: Receiver<Came>,
    reports: Receiver<Report>,
    heard: Heard,
    landed: Receiver<Landed>,
    introspected: Receiver<introspector::Landed>,
    sightings: UnboundedReceiver<Sighted>,
    signals: Receiver<shared::Report>,
}

/// Keys of all issuers that have any to give, and a refusal where the operator insists on one that has none.
async fn first_keys(config: &Config) -> Result<(Keeper, Receiver<Report>), ServeError> {
    let (mut keeper, mut reports) = Keeper::start(config).map_err(|error| ServeError::Boot(BootError::Tls(error)))?;
    keeper.first_keys(&mut reports).await;
    let missing = keeper.missing().into_iter();
    let faults: Vec<Diagnostic> = missing
        .map(|(issuer, reason)| {
            Diagnostic::of_file(&config.file, format!("issuers.{issuer} has no keys: {reason}"))
                .hint("require_at_start = false starts without them; its tokens are refused until they are there")
        })
        .collect();
    if faults.is_empty() {
        Ok((keeper, reports))
    } else {
        Err(ServeError::Config(faults))
    }
}

/// The configuration once more: it may have been edited before the lock was ours and the watch began.
fn as_it_is_now(before: Config) -> Result<Config, ServeError> {
    let now = config::load(&before.file).map_err(ServeError::Config)?;
    if now.gate.state_dir == before.gate.state_dir {
        return Ok(now);
    }
    let fault = Diagnostic::of_file(&now.file, "state_dir changed while the gate started").hint("start it again");
    Err(ServeError::Config(vec![fault]))
}

/// Reacts to changed files and orders until told to stop, and then to orders until all is quiet.
async fn attend(desk: &mut Desk<'_>, admin: &Admin, told: impl Future<Output = ()>, mut news: News) {
    let mut time_to_look = interval(sightings::EVERY);
    let gate = desk.gate;
    let (give, mut orders) = channel(ORDERS);
    let (mut serving, mut told) = (pin!(admin.serve(give)), pin!(told));
    loop {
        tokio::select! {
            () = &mut told => break,
            Some(came) = news.came.recv() => desk.take(came),
            Some(report) = news.reports.recv() => desk.hear(report),
            Some(issuer) = news.heard.keys.recv() => desk.keeper.wanted(&issuer),
            Some(question) = news.heard.questions.recv() => desk.answer(question),
            Some(ask) = news.heard.tokens.recv() => desk.broker.order(ask),
            Some(landed) = news.landed.recv() => desk.broker.land(landed),
            Some(report) = news.signals.recv() => desk.take_in(report),
            Some(ask) = news.heard.opaque.recv() => desk.introspector.inquire(ask),
            Some(landed) = news.introspected.recv() => desk.introspector.land(landed),
            Some(sighted) = news.sightings.recv() => desk.sighted(sighted),
            _ = time_to_look.tick() => desk.look(Then::Keep),
            Some(order) = orders.recv() => desk.carry_out(order),
            never = &mut serving => match never {},
        }
    }
    say::notice("stopping: no new connections, running calls may finish");
    // While every shard is there to tell.
    desk.look(Then::End);
    let mut quiet = pin!(quiet(gate));
    loop {
        tokio::select! {
            () = &mut quiet => break,
            Some(came) = news.came.recv() => desk.take(came),
            Some(question) = news.heard.questions.recv() => desk.answer(question),
            Some(ask) = news.heard.tokens.recv() => desk.broker.order(ask),
            Some(landed) = news.landed.recv() => desk.broker.land(landed),
            Some(report) = news.signals.recv() => desk.take_in(report),
            Some(ask) = news.heard.opaque.recv() => desk.introspector.inquire(ask),
            Some(landed) = news.introspected.recv() => desk.introspector.land(landed),
            Some(sighted) = news.sightings.recv() => desk.sighted(sighted),
            Some(order) = orders.recv() => desk.carry_out(order),
            never = &mut serving => match never {},
        }
    }
    desk.last_look(&mut news.sightings).await;
}

/// Comes to its end after SIGTERM or SIGINT, which are heard from this call on.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Drains the gate; who is still being served can be shut off meanwhile.
async fn quiet(gate: &Gate) {
    let stopping = gate.drain();
    // A shard that panicked has been reported by the panic itself.
    let _joined = tokio::task::spawn_blocking(|| stopping.wait()).await;
}

/// Says why what is on the disk is not put in force.
fn not_taken_up(unread: Unread) {
    match unread {
        Unread::Files(faults) => say::faults(&faults),
        Unread::Servers(error) => say::notice(&error.to_string()),
    }
    say::notice("NOT reloaded: the configuration and policies before this change stay in force");
}
