//! The task that owns the way to a Hub: a life with a transport, a life without, in turns.
//! What passes in the first of them stands in `traffic`.
//!
//! Frames are sealed only when the writer has a place for them, so that sealing and queueing stay
//! one step; and the writer runs beside the reader, so that a Hub which cannot write to us because
//! we cannot write to it does not stop either.

use std::{
    collections::BTreeMap,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use rand_core::CryptoRng;
use schema::{ids::ChannelId, wire::control::Body};
use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};

use super::{
    Dial, DialError, Signal, Transport,
    back_off::BackOff,
    channel::Farewell,
    pulse::{Pulse, Silence},
    session::Order,
    slot::{Around, Slot},
    transport::Outgoing,
};
use crate::{close::CloseReason, limits::Limits};

/// What the task owns.
pub(super) struct Task {
    pub(super) slots: BTreeMap<ChannelId, Slot>,
    pub(super) limits: Arc<Limits>,
    pub(super) rng: Box<dyn CryptoRng + Send>,
    /// Control messages that belong to no endpoint.
    pub(super) control: Vec<Body>,
    pub(super) orders: mpsc::WeakSender<Order>,
    pub(super) farewells: mpsc::UnboundedSender<Farewell>,
    pub(super) has_path: bool,
    /// For dialling.
    pub(super) back_off: BackOff,
}

/// How the handles reach the task.
pub(super) struct Ways {
    pub(super) orders: mpsc::WeakSender<Order>,
    pub(super) ordered: mpsc::Receiver<Order>,
}

/// What comes from the handles.
struct Inbox {
    orders: mpsc::Receiver<Order>,
    farewells: mpsc::UnboundedReceiver<Farewell>,
}

/// Why a life with a transport is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Every handle is gone, or the session's user has ended it.
    Ended,
    /// The transport is lost.
    Lost,
}

/// Reads, writes and carries orders out until the last handle is gone, or nothing is left that
/// could be carried on.
pub(super) async fn run(
    first: Transport,
    mut dial: Option<Box<dyn Dial>>,
    limits: Arc<Limits>,
    rng: Box<dyn CryptoRng + Send>,
    ways: Ways,
) {
    let (farewells, left) = mpsc::unbounded_channel();
    let mut inbox = Inbox {
        orders: ways.ordered,
        farewells: left,
    };
    let mut task = Task {
        slots: BTreeMap::new(),
        limits,
        rng,
        control: Vec::new(),
        orders: ways.orders,
        farewells,
        has_path: false,
        back_off: BackOff::new(),
    };
    let mut transport = first;
    let last_word = loop {
        task.attach();
        let left = task.with(transport, &mut inbox).await;
        task.detach();
        let (Left::Lost, Some(dial)) = (left, &mut dial) else {
            break CloseReason::ConnectionLost;
        };
        match task.without(&mut **dial, &mut inbox).await {
            Ok(next) => transport = next,
            Err(reason) => break reason,
        }
    };
    task.each(|slot, around| slot.end(last_word, around));
}

impl Task {
    fn attach(&mut self) {
        self.has_path = true;
        self.back_off.up(now());
        self.each(Slot::attach);
    }

    fn detach(&mut self) {
        self.has_path = false;
        self.control.clear();
        self.each(Slot::detach);
        self.sweep();
    }

    /// A life with a transport.
    async fn with(&mut self, transport: Transport, inbox: &mut Inbox) -> Left {
        let Transport {
            mut incoming,
            outgoing,
            has_beats,
        } = transport;
        let (queue, queued) = mpsc::channel(WRITES);
        let mut writer = pin!(write(queued, outgoing));
        let mut pulse = has_beats.then(|| Pulse::new(now()));
        loop {
            let waits = self.fill(&queue);
            self.sweep();
            let beat = pulse.as_ref().map(Pulse::deadline);
            let deadline = self.deadline().into_iter().chain(beat).min();
            tokio::select! {
                () = &mut writer => return Left::Lost,
                permit = queue.reserve(), if waits => {
                    // The place is given back and taken by `fill`.
                    let Ok(_) = permit else { return Left::Lost };
                }
                signal = incoming.next() => {
                    let Some(Ok(signal)) = signal else { return Left::Lost };
                    if let Some(pulse) = &mut pulse {
                        pulse.heard(now());
                    }
                    if !self.signal(signal) {
                        return Left::Lost;
                    }
                }
                Some(farewell) = inbox.farewells.recv() => self.farewell(&farewell),
                order = inbox.orders.recv() => match order {
                    None | Some(Order::End) => break,
                    Some(order) => self.order(order),
                },
                () = until(deadline) => {
                    self.expire();
                    match pulse.as_mut().map_or(Silence::Fine, |pulse| pulse.judge(now())) {
                        Silence::Fine => {}
                        // A queue without a place has a writer that waits, for a bounded time.
                        Silence::Ask => drop(queue.try_send(Signal::Beat)),
                        Silence::Dead => return Left::Lost,
                    }
                }
            }
            self.each(Slot::hear);
        }
        self.say_goodbye(queue, writer).await;
        Left::Ended
    }

    /// A life without a transport, until there is one. It ends when no channel is left that could
    /// be carried on.
    async fn without(
        &mut self,
        dial: &mut dyn Dial,
        inbox: &mut Inbox,
    ) -> Result<Transport, CloseReason> {
        loop {
            let wait = self.wait();
            let trying = async {
                sleep(wait).await;
                let dialled = timeout(DIAL_TIMEOUT, dial.dial()).await;
                dialled.unwrap_or(Err(DialError::Unreachable))
            };
            match self.while_trying(trying, inbox).await {
                Some(Ok(transport)) => return Ok(transport),
                Some(Err(DialError::Unreachable)) => {}
                Some(Err(DialError::Denied)) => return Err(CloseReason::Revoked),
                None => return Err(CloseReason::ConnectionLost),
            }
        }
    }

    /// What came of a try; none when there is nothing left to try for.
    async fn while_trying(
        &mut self,
        trying: impl Future<Output = Result<Transport, DialError>>,
        inbox: &mut Inbox,
    ) -> Option<Result<Transport, DialError>> {
        let mut trying = pin!(trying);
        while !self.slots.is_empty() {
            let deadline = self.deadline();
            tokio::select! {
                tried = &mut trying => return Some(tried),
                Some(farewell) = inbox.farewells.recv() => self.farewell(&farewell),
                order = inbox.orders.recv() => match order {
                    None | Some(Order::End) => return None,
                    Some(order) => self.order(order),
                },
                () = until(deadline) => self.expire(),
            }
            self.each(Slot::hear);
            self.each(|slot, _| slot.bury());
            self.sweep();
        }
        None
    }

    fn wait(&mut self) -> Duration {
        let around = Around {
            now: now(),
            rng: &mut *self.rng,
            has_path: false,
        };
        self.back_off.down(around.now, { around }.luck())
    }

    /// Lets every channel do something.
    pub(super) fn each(&mut self, act: impl Fn(&mut Slot, &mut Around<'_>)) {
        let mut around = Around {
            now: now(),
            rng: &mut *self.rng,
            has_path: self.has_path,
        };
        for slot in self.slots.values_mut() {
            act(slot, &mut around);
        }
    }

    fn sweep(&mut self) {
        self.slots.retain(|_, slot| !slot.is_over());
    }

    /// Closes every channel, and waits for the writer as long as it takes anything.
    async fn say_goodbye(
        &mut self,
        queue: mpsc::Sender<Signal>,
        writer: Pin<&mut impl Future<Output = ()>>,
    ) {
        self.each(|slot, _| slot.close());
        let saying = async move {
            while self.fill(&queue) {
                let place = timeout(WRITE_TIMEOUT, queue.reserve()).await;
                let Ok(Ok(_)) = place else { return };
            }
        };
        tokio::join!(saying, writer);
    }
}

/// Writes until there is nothing more to write, or the other side takes nothing.
async fn write(mut queued: mpsc::Receiver<Signal>, mut outgoing: Outgoing) {
    while let Some(signal) = queued.recv().await {
        let written = timeout(WRITE_TIMEOUT, outgoing.send(signal)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
    // The connection ends here, with a goodbye of the transport or without.
    let _ = timeout(WRITE_TIMEOUT, outgoing.close()).await;
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a shell reads the clock for its brains"
)]
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Longest try to get a transport.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Sealed messages that may wait for the transport: 16 of 64 KiB.
const WRITES: usize = 16;
/// A transport that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
