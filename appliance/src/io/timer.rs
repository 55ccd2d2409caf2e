//! Deadlines for the many: one coarse wheel per shard, one runtime timer for all of it.
//!
//! Nearly every deadline is set and taken back without firing, so setting and taking back are a push and a
//! swap-remove, and a future that is ready at once does not even read the clock. A deadline may fire up to one tick
//! (16 ms) late and never early. Must never be used to pace work or to measure.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::rc::Rc;
use std::rc::Weak;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;

use glommio::timer::Timer;

/// Milliseconds per tick of the wheel.
const TICK_MS: u64 = 16;

/// Slots of the wheel: 1024 ticks are 16 s; a later deadline waits in its slot for more than one turn.
const SLOTS: usize = 1024;

/// The deadline passed before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline passed")
    }
}

impl std::error::Error for TimedOut {}

impl From<TimedOut> for super::IoError {
    fn from(_: TimedOut) -> Self {
        Self::TimedOut
    }
}

/// The deadlines of one shard. Clones share one wheel.
#[derive(Clone)]
pub struct Timers {
    shared: Rc<Shared>,
}

struct Shared {
    start: Instant,
    wheel: RefCell<Wheel>,
}

impl Timers {
    /// Starts the wheel on the current executor. It stops when the last clone is gone.
    #[must_use]
    pub fn start() -> Self {
        let shared = Rc::new(Shared {
            start: Instant::now(),
            wheel: RefCell::new(Wheel::new()),
        });
        glommio::spawn_local(drive(Rc::downgrade(&shared))).detach();
        Self { shared }
    }

    /// Runs `future` for at most `limit`, counted from when it first has to wait; then drops it.
    ///
    /// # Errors
    /// [`TimedOut`] when the time is up.
    pub async fn deadline<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, TimedOut> {
        let mut future = pin!(future);
        let mut armed: Option<Armed<'_>> = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            match &armed {
                None => armed = Some(self.arm(limit, cx.waker())),
                Some(armed) if armed.fired(cx.waker()) => return Poll::Ready(Err(TimedOut)),
                Some(_) => {}
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for `time`.
    pub async fn sleep(&self, time: Duration) {
        let never = std::future::pending::<()>();
        let _always_times_out = self.deadline(time, never).await;
    }

    fn arm(&self, limit: Duration, waker: &Waker) -> Armed<'_> {
        let due = self.shared.tick_at(Instant::now() + limit) + 1;
        let (key, driver) = self.shared.wheel.borrow_mut().insert(due, waker.clone());
        if let Some(driver) = driver {
            driver.wake();
        }
        Armed {
            shared: &self.shared,
            key,
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        if Rc::strong_count(&self.shared) == 1
            && let Some(driver) = self.shared.wheel.borrow_mut().driver.take()
        {
            driver.wake();
        }
    }
}

impl Shared {
    fn tick_at(&self, moment: Instant) -> u64 {
        let millis = moment.saturating_duration_since(self.start).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX - TICK_MS) / TICK_MS
    }

    fn moment_of(&self, tick: u64) -> Instant {
        self.start + Duration::from_millis(tick.saturating_mul(TICK_MS))
    }
}

/// A deadline in the wheel; dropping it takes it back.
struct Armed<'a> {
    shared: &'a Shared,
    key: usize,
}

impl Armed<'_> {
    fn fired(&self, waker: &Waker) -> bool {
        self.shared.wheel.borrow_mut().fired(self.key, waker)
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        let waker = self.shared.wheel.borrow_mut().remove(self.key);
        // Dropped after the borrow has ended: dropping the last waker of a task may drop what owns other deadlines.
        drop(waker);
    }
}

/// Fires what is due, then sleeps until the next slot in use, or until somebody sets an earlier deadline.
async fn drive(shared: Weak<Shared>) {
    let mut timer: Option<(u64, Timer)> = None;
    let mut due = Vec::new();
    poll_fn(|cx| {
        loop {
            let Some(shared) = shared.upgrade() else {
                return Poll::Ready(());
            };
            let next = shared
                .wheel
                .borrow_mut()
                .advance(shared.tick_at(Instant::now()), &mut due);
            due.drain(..).for_each(Waker::wake);
            shared.wheel.borrow_mut().attend(cx.waker(), next);
            let Some(tick) = next else {
                timer = None;
                return Poll::Pending;
            };
            if timer.as_ref().is_none_or(|(armed, _)| *armed != tick) {
                timer = Some((
                    tick,
                    Timer::new(shared.moment_of(tick).saturating_duration_since(Instant::now())),
                ));
            }
            if poll_timer(&mut timer, cx).is_pending() {
                return Poll::Pending;
            }
            timer = None;
        }
    })
    .await;
}

fn poll_timer(timer: &mut Option<(u64, Timer)>, cx: &mut Context<'_>) -> Poll<()> {
    match timer {
        Some((_, timer)) => Pin::new(timer).poll(cx).map(drop),
        None => Poll::Ready(()),
    }
}

/// Deadlines by tick. A key is owned by one [`Armed`] and reused only after it is gone.
struct Wheel {
    /// Every tick up to and including this one has been fired.
    now: u64,
    slots: Vec<Vec<usize>>,
    entries: Vec<Entry>,
    free: Vec<usize>,
    /// The task that fires the deadlines, and the tick it sleeps for.
    driver: Option<Waker>,
    awaited: u64,
    pending: usize,
}

struct Entry {
    tick: u64,
    /// Where in its slot this entry stands; meaningless once fired.
    place: usize,
    /// None when it has fired, or when the entry is free.
    waker: Option<Waker>,
}

impl Wheel {
    fn new() -> Self {
        let slots = std::iter::repeat_with(Vec::new).take(SLOTS).collect();
        Self {
            now: 0,
            slots,
            entries: Vec::new(),
            free: Vec::new(),
            driver: None,
            awaited: u64::MAX,
            pending: 0,
        }
    }

    /// Returns the key, and the driver if it sleeps for too long.
    fn insert(&mut self, due: u64, waker: Waker) -> (usize, Option<Waker>) {
        let tick = due.max(self.now + 1);
        let slot = &mut self.slots[slot_of(tick)];
        let entry = Entry {
            tick,
            place: slot.len(),
            waker: Some(waker),
        };
        let key = match self.free.pop() {
            Some(key) => {
                self.entries[key] = entry;
                key
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        slot.push(key);
        self.pending += 1;
        (key, if tick < self.awaited { self.driver.take() } else { None })
    }

    fn fired(&mut self, key: usize, waker: &Waker) -> bool {
        match &mut self.entries[key].waker {
            None => true,
            Some(current) => {
                current.clone_from(waker);
                false
            }
        }
    }

    fn remove(&mut self, key: usize) -> Option<Waker> {
        let waker = self.entries[key].waker.take();
        if waker.is_some() {
            self.unlink(key);
        }
        self.free.push(key);
        waker
    }

    fn unlink(&mut self, key: usize) {
        let Entry { tick, place, .. } = self.entries[key];
        let slot = &mut self.slots[slot_of(tick)];
        slot.swap_remove(place);
        if let Some(moved) = slot.get(place) {
            self.entries[*moved].place = place;
        }
        self.pending -= 1;
    }

    /// Moves the wakers of everything due at `now` to `due`; returns the next tick at which to look again.
    fn advance(&mut self, now: u64, due: &mut Vec<Waker>) -> Option<u64> {
        let first = self.now + 1;
        let last = now.min(self.now + SLOTS as u64);
        for tick in first..=last {
            let mut place = 0;
            while let Some(&key) = self.slots[slot_of(tick)].get(place) {
                if self.entries[key].tick > now {
                    place += 1;
                    continue;
                }
                due.extend(self.entries[key].waker.take());
                self.unlink(key);
            }
        }
        self.now = self.now.max(now);
        if self.pending == 0 {
            return None;
        }
        (self.now + 1..=self.now + SLOTS as u64).find(|tick| !self.slots[slot_of(*tick)].is_empty())
    }

    fn attend(&mut self, driver: &Waker, next: Option<u64>) {
        self.awaited = next.unwrap_or(u64::MAX);
        self.driver = Some(driver.clone());
    }
}

fn slot_of(tick: u64) -> usize {
    // INVARIANT: the remainder is below SLOTS, so it fits any usize.
    (tick % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(wheel: &mut Wheel, now: u64) -> usize {
        let mut due = Vec::new();
        wheel.advance(now, &mut due);
        due.len()
    }

    #[test]
    fn deadlines_fire_in_their_tick_and_not_before() {
        let mut wheel = Wheel::new();
        let far = SLOTS as u64 * 3 + 7;
        for tick in [5, 7, 7, far] {
            wheel.insert(tick, Waker::noop().clone());
        }
        assert_eq!(fired(&mut wheel, 4), 0);
        assert_eq!(fired(&mut wheel, 5), 1);
        assert_eq!(fired(&mut wheel, 7), 2);
        assert_eq!(fired(&mut wheel, far - 1), 0, "a deadline of a later turn must wait");
        assert_eq!(fired(&mut wheel, far), 1);
        assert_eq!(wheel.pending, 0);
    }

    #[test]
    fn a_deadline_taken_back_never_fires_and_its_place_is_reused() {
        let mut wheel = Wheel::new();
        let keys: Vec<usize> = (0..4).map(|_| wheel.insert(9, Waker::noop().clone()).0).collect();
        wheel.remove(keys[0]);
        wheel.remove(keys[2]);
        assert_eq!(fired(&mut wheel, 9), 2);
        keys.iter().skip(1).step_by(2).for_each(|key| drop(wheel.remove(*key)));
        wheel.insert(11, Waker::noop().clone());
        assert_eq!(wheel.entries.len(), 4);
    }

    #[test]
    fn a_jump_of_the_clock_over_the_whole_wheel_fires_everything_due() {
        let mut wheel = Wheel::new();
        (1..=SLOTS as u64).for_each(|tick| drop(wheel.insert(tick, Waker::noop().clone())));
        assert_eq!(fired(&mut wheel, SLOTS as u64 * 10), SLOTS);
    }

    #[test]
    fn the_driver_is_called_only_for_an_earlier_deadline() {
        let mut wheel = Wheel::new();
        wheel.attend(Waker::noop(), Some(20));
        assert!(wheel.insert(21, Waker::noop().clone()).1.is_none());
        assert!(wheel.insert(19, Waker::noop().clone()).1.is_some());
    }
}
