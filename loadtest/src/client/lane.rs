//! One channel's books during a run, shared by who sends and who receives.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::BytesMut;

use crate::{
    audit::{Audit, Delivery, Flight},
    clock::Clock,
    payload::Payloads,
    recorder::Recorder,
    schedule::Arrival,
};

/// What all channels of a run share.
pub(crate) struct Run {
    pub(crate) clock: Clock,
    pub(crate) payloads: Payloads,
    pub(crate) recorder: Mutex<Recorder>,
    /// Messages that one channel has under way before it waits: less than a Hub keeps for it.
    pub(crate) under_way_max: usize,
}

/// One channel's audit.
#[derive(Default)]
pub(crate) struct Lane {
    audit: Mutex<Audit>,
}

/// How long a wait for the Hub excuses a late send.
pub(crate) struct Pace {
    clock: Clock,
    held_until: Duration,
}

/// A wait shorter than this was for the processor, not for the Hub.
const HELD: Duration = Duration::from_millis(1);
/// Longest silence of the Hub while something is under way.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

impl Lane {
    /// Appends the payload of an arrival and books it as sent.
    pub(crate) fn depart(&self, run: &Run, arrival: Arrival, pace: &Pace, into: &mut BytesMut) {
        let sent = run.clock.elapsed();
        lock(&run.recorder).picked_up(arrival.at.max(pace.held_until), sent);
        let number = lock(&self.audit).sent(Flight {
            intended: arrival.at,
            sent,
        });
        run.payloads.put(number, arrival.bytes, into);
    }

    /// Books a payload that came back.
    pub(crate) fn arrive(&self, run: &Run, payload: &[u8]) {
        let now = run.clock.elapsed();
        let number = run.payloads.number(payload);
        let flight = lock(&self.audit).received(number);
        if let Some(flight) = flight {
            lock(&run.recorder).returned(flight, now);
        }
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> usize {
        lock(&self.audit).under_way()
    }

    /// The books as they stand.
    pub(crate) fn close(&self) -> Delivery {
        lock(&self.audit).close()
    }
}

impl Pace {
    pub(crate) const fn new(clock: Clock) -> Self {
        Self {
            clock,
            held_until: Duration::ZERO,
        }
    }

    /// Waits for the Hub. What was to be sent meanwhile is late for its sake.
    pub(crate) async fn hold<T>(&mut self, waiting: impl Future<Output = T>) -> T {
        let before = self.clock.elapsed();
        let waited = waiting.await;
        let after = self.clock.elapsed();
        if after.saturating_sub(before) >= HELD {
            self.held_until = after;
        }
        waited
    }
}

/// Books of integers are as good after a panic as before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
