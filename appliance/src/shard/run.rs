//! A shard's life: started on its own thread and core, accepting until it is told to drain, gone when it is quiet.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use portreeve_core::audit::Record;
use portreeve_core::credential::MintCache;
use portreeve_core::identity::{Authenticator, LastSeen};
use portreeve_core::json;
use portreeve_core::mediation::Bench;
use portreeve_core::session::SessionLimits;
use portreeve_core::time::UnixTime;
use tokio::sync::mpsc::UnboundedSender;

use super::owners::{Ask, Owners, Told};
use super::{Limits, Origins, Shard, Shown, Signal, Wants};
use crate::audit::Audit;
use crate::clock;
use crate::config;
use crate::io::IoError;
use crate::io::listener::{Listener, ShardSocket};
use crate::io::mailbox::{Answer, Seat};
use crate::io::ring;
use crate::io::stream::Stream;
use crate::io::timer::Timers;
use crate::pep;
use crate::publish::Published;
use crate::say;
use crate::tls::Listening;
use crate::upstream::{Pool, PoolLimits};

/// Verified tokens, and pairs of them, that a shard remembers.
const IDENTITY_CACHE: usize = 4_096;
/// How often a shard drops what nobody used.
const SWEEP: Duration = Duration::from_secs(30);

/// What reaches a shard from outside of it.
pub enum Order {
    /// Another shard asks about something this one owns.
    Ask(Ask, Answer<Told>),
    /// The servers behind the gate have changed.
    Origins(Origins),
    /// The files of the listener have changed.
    Listen(Option<Listening>),
    /// Something happened that belongs into the audit and to no request.
    Note(Record),
    /// Somebody wants to know when agents were last let in.
    LastSeen(UnboundedSender<LastSeen>),
    /// A new generation is in force: whoever waits looks whether it may go on.
    LookAgain,
    /// Stop: running calls may take this long.
    Drain(Duration),
}

/// Everything a shard is made of.
pub struct Plan {
    /// Its number, from 0.
    pub number: u8,
    /// How many there are.
    pub shards: u8,
    /// The operator's limits, for the whole gate.
    pub limits: config::Limits,
    /// The configuration in force.
    pub published: Arc<Published>,
    /// The servers behind the gate.
    pub origins: Origins,
    /// Where lacking keys are told.
    pub wants: Wants,
    /// What it speaks; plain HTTP without.
    pub tls: Option<Listening>,
    /// Where audit files go.
    pub audit: PathBuf,
    /// When the gate was started; names the audit files.
    pub started: UnixTime,
}

/// A shard that was started.
pub struct Handle {
    ready: Receiver<Result<(), String>>,
    thread: glommio::ExecutorJoinHandle<()>,
}

impl Handle {
    /// Waits until the shard accepts.
    ///
    /// # Errors
    /// Why it does not.
    pub fn wait_until_ready(&mut self) -> Result<(), String> {
        self.ready.recv().unwrap_or_else(|_| Err("its thread ended".to_owned()))
    }

    /// Waits until the shard is gone.
    pub fn join(self) {
        // A panic has ended the process already: the release profile aborts.
        let _ = self.thread.join();
    }
}

/// Starts a shard on a thread of its own, bound to a core where there are enough of them.
///
/// # Errors
/// The executor cannot be made.
pub fn start(plan: Plan, socket: ShardSocket, seat: Seat<Order>) -> Result<Handle, String> {
    let (tell, ready) = mpsc::channel();
    let name = format!("shard-{}", plan.number);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let core = (usize::from(plan.shards) <= cores).then_some(usize::from(plan.number));
    let thread = ring::executor(&name, core)
        .spawn(move || async move { live(plan, socket, seat, &tell).await })
        .map_err(|error| error.to_string())?;
    Ok(Handle { ready, thread })
}

async fn live(plan: Plan, socket: ShardSocket, seat: Seat<Order>, tell: &Sender<Result<(), String>>) {
    let audit = match Audit::create(&plan.audit, plan.number, plan.started) {
        Ok(audit) => audit,
        Err(error) => {
            let _starter_is_gone = tell.send(Err(format!("{}: {error}", plan.audit.display())));
            return;
        }
    };
    let listener = Rc::new(socket.adopt());
    let (shard, drained_by) = assemble(plan, audit, seat, &listener);
    let _starter_is_gone = tell.send(Ok(()));
    glommio::spawn_local(sweep(Rc::downgrade(&shard))).detach();
    accept(&shard, &listener).await;
    shard.drain();
    if shard.timers.deadline(drained_by.get(), shard.quiet()).await.is_err() {
        // Each one that runs is woken, drops what it does and notes its outcome, none of which waits for anybody.
        let _all_concluded = shard.timers.deadline(shard.limits.write, shard.cut()).await;
    }
    settle(&shard).await;
    shard.owners.leave();
}

/// Waits for the disk. What it did not take is said where somebody may still see it.
async fn settle(shard: &Shard) {
    let settled = shard.timers.deadline(shard.limits.write, shard.audit.settle()).await;
    if !matches!(settled, Ok(Ok(()))) {
        say::notice("the last audit records are not known to be on the disk");
    }
    let lost = shard.audit.lost();
    if lost > 0 {
        say::notice(&format!("{lost} audit records are lost, and the file does not tell"));
    }
}

/// Builds the shard around its seat, through which orders come as soon as it exists.
fn assemble(plan: Plan, audit: Audit, seat: Seat<Order>, listener: &Rc<Listener>) -> (Rc<Shard>, Rc<Cell<Duration>>) {
    let drained_by = Rc::new(Cell::new(Duration::ZERO));
    let place: Rc<RefCell<Weak<Shard>>> = Rc::default();
    let post = seat.serve({
        let (place, listener, drained_by) = (Rc::clone(&place), Rc::clone(listener), Rc::clone(&drained_by));
        move |order| match order {
            Order::Drain(limit) => {
                drained_by.set(limit);
                listener.close();
            }
            Order::Ask(ask, answer) => {
                if let Some(shard) = place.borrow().upgrade() {
                    answer.send(shard.owners.answer(ask));
                }
            }
            Order::Origins(origins) => {
                if let Some(shard) = place.borrow().upgrade() {
                    shard.set_origins(origins);
                }
            }
            Order::Listen(listening) => {
                if let Some(shard) = place.borrow().upgrade() {
                    shard.set_listening(listening);
                }
            }
            Order::Note(record) => {
                if let Some(shard) = place.borrow().upgrade() {
                    shard.audit.note(&record);
                }
            }
            Order::LastSeen(tell) => {
                if let Some(shard) = place.borrow().upgrade() {
                    let _asker_is_gone = tell.send(shard.take_last_seen());
                }
            }
            Order::LookAgain => {
                if let Some(shard) = place.borrow().upgrade() {
                    shard.look_again();
                }
            }
        }
    });
    let timers = Timers::start();
    let sessions = SessionLimits {
        count: plan.limits.sessions.div_ceil(usize::from(plan.shards)),
        idle: plan.limits.session_idle,
    };
    let bench = RefCell::new(bench(&plan));
    let shard = Rc::new(Shard {
        pool: Pool::new(timers.clone(), PoolLimits::default()),
        timers,
        limits: Limits::of(&plan.limits, plan.shards),
        owners: Owners::new(plan.number, plan.shards, sessions, post),
        audit,
        current: RefCell::new(plan.published.latest()),
        published: plan.published,
        bench,
        wants: plan.wants,
        origins: RefCell::new(plan.origins),
        listening: RefCell::new(plan.tls),
        connections: Cell::new(0),
        admitted: Cell::new(0),
        draining: Signal::default(),
        cut: Signal::default(),
        emptied: Cell::new(None),
    });
    *place.borrow_mut() = Rc::downgrade(&shard);
    (shard, drained_by)
}

fn bench(plan: &Plan) -> Bench {
    Bench {
        shard: plan.number,
        shards: plan.shards,
        authenticator: Authenticator::new(IDENTITY_CACHE),
        minted: MintCache::new(),
        seen: LastSeen::default(),
        scratch: json::Scratch::new(),
    }
}

/// Accepts until the listener is closed.
async fn accept(shard: &Rc<Shard>, listener: &Listener) {
    loop {
        let stream = match listener.accept(&shard.timers).await {
            Ok(stream) => stream,
            Err(IoError::Closed) => return,
            Err(_) => continue,
        };
        // Above the cap a connection is closed at once: whoever holds the others open gains nothing by one more.
        let Some(place) = shard.admit_connection() else {
            continue;
        };
        let (shard, tls) = (Rc::clone(shard), shard.listening());
        glommio::spawn_local(async move {
            let number = place.number;
            if let Some((stream, shown)) = secured(&shard, stream, tls).await {
                pep::serve(shard, stream, shown, number).await;
            }
            drop(place);
        })
        .detach();
    }
}

/// The connection after its handshake, and the certificate that the client showed in it.
async fn secured(shard: &Shard, stream: Stream, tls: Option<Listening>) -> Option<(Stream, Option<Shown>)> {
    let Some(tls) = tls else {
        return Some((stream, None));
    };
    let securing = stream.secure_server(Arc::clone(&tls.config));
    let stream = shard.timers.deadline(shard.limits.header, securing).await.ok()?.ok()?;
    let certificate = stream.client_certificate().and_then(|leaf| tls.read(leaf));
    let shown = certificate.map(|certificate| Shown {
        certificate,
        under: tls,
    });
    Some((stream, shown))
}

async fn sweep(shard: Weak<Shard>) {
    while let Some(alive) = shard.upgrade() {
        alive.owners.expire(clock::now());
        alive.audit.mend();
        let timers = alive.timers.clone();
        drop(alive);
        timers.sleep(SWEEP).await;
    }
}
