//! The task that owns the way to a Hub: a life with a transport, a life without, in turns.
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

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rand_core::CryptoRng;
use schema::{frame::Outer, ids::ChannelId, wire::control::Body};
use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};

use super::{
    ConnectError, Dial, DialError, Signal, Transport,
    back_off::BackOff,
    channel::Farewell,
    pulse::{Pulse, Silence},
    session::Order,
    slot::{Around, Slot},
    transport::Outgoing,
};
use crate::{
    close::{self, CloseReason},
    limits::Limits,
};

/// What the task owns.
pub(super) struct Task {
    pub(super) slots: BTreeMap<ChannelId, Slot>,
    pub(super) limits: Arc<Limits>,
    pub(super) rng: Box<dyn CryptoRng + Send>,
    /// Control messages that belong to no endpoint.
    pub(super) control: Vec<Body>,
    pub(super) orders: mpsc::WeakSender<Order>,
    pub(super) farewells: mpsc::UnboundedSender<Farewell>,
    has_path: bool,
    /// For dialling.
    back_off: BackOff,
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
    fn each(&mut self, act: impl Fn(&mut Slot, &mut Around<'_>)) {
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

    /// Seals and queues as long as there is place; true when something may be left.
    fn fill(&mut self, queue: &mpsc::Sender<Signal>) -> bool {
        for body in std::mem::take(&mut self.control) {
            let Ok(permit) = queue.try_reserve() else {
                self.control.push(body);
                continue;
            };
            permit.send(Signal::Message(Outer::Control(body).encode()));
        }
        let mut around = Around {
            now: now(),
            rng: &mut *self.rng,
            has_path: self.has_path,
        };
        let mut more = !self.control.is_empty();
        // Channels take turns frame by frame.
        let mut busy: Vec<ChannelId> = self.slots.keys().copied().collect();
        while !busy.is_empty() {
            busy.retain(|channel| {
                let Some(slot) = self.slots.get_mut(channel) else {
                    return false;
                };
                let Ok(permit) = queue.try_reserve() else {
                    more = true;
                    return false;
                };
                match slot.outgoing(&mut around) {
                    Some(outer) => permit.send(Signal::Message(outer.encode())),
                    None => return false,
                }
                true
            });
        }
        self.each(Slot::hear);
        more
    }

    /// Takes what came; false when the transport is of no more use.
    fn signal(&mut self, signal: Signal) -> bool {
        match signal {
            Signal::Message(raw) => self.message(raw),
            Signal::Beat => true,
        }
    }

    fn message(&mut self, raw: Bytes) -> bool {
        match Outer::parse(raw) {
            Ok(Outer::Frame(frame)) => {
                let slot = self.slots.get_mut(&frame.channel());
                if let Some(endpoint) = slot.and_then(Slot::endpoint) {
                    endpoint.receive(frame, now());
                }
                true
            }
            Ok(Outer::Control(Body::Goodbye(goodbye))) => {
                let after = Duration::from_millis(goodbye.reconnect_after_ms.into());
                self.back_off.told(after);
                false
            }
            Err(_) => false,
            Ok(Outer::Control(body)) => {
                self.control(&body);
                true
            }
        }
    }

    fn control(&mut self, body: &Body) {
        let mut around = Around {
            now: now(),
            rng: &mut *self.rng,
            has_path: self.has_path,
        };
        let slot = channel_of(body).and_then(|id| self.slots.get_mut(&id));
        let answer = slot.and_then(|slot| slot.control(body, &mut around));
        self.control.extend(answer);
    }

    fn order(&mut self, order: Order) {
        let channel = match order {
            Order::Connect { answer, .. } if !self.has_path => {
                // Who asked may have gone.
                let _ = answer.send(Err(ConnectError::Disconnected));
                return;
            }
            Order::Connect { parts, answer } => return self.connect(*parts, answer),
            Order::End => return,
            Order::Call { channel, .. }
            | Order::Send { channel, .. }
            | Order::EndStream { channel, .. }
            | Order::Consumed { channel, .. }
            | Order::Ping { channel, .. } => channel,
        };
        // What is dropped unanswered tells its handle that the channel is over.
        if let Some(slot) = self.slots.get_mut(&channel) {
            slot.order(order);
        }
    }

    fn farewell(&mut self, farewell: &Farewell) {
        match farewell {
            Farewell::Call(channel, id) => {
                if let Some(slot) = self.slots.get_mut(channel) {
                    slot.cancel(*id);
                }
            }
            Farewell::Channel(channel) => {
                if let Some(slot) = self.slots.get_mut(channel) {
                    slot.close();
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.slots.values().filter_map(Slot::deadline).min()
    }

    fn expire(&mut self) {
        self.each(|slot, around| slot.expire(around));
        for (channel, slot) in &self.slots {
            if slot.is_over() {
                let given_up = close::close(*channel, 0, CloseReason::ClosedByClient);
                self.control.push(given_up);
            }
        }
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

fn channel_of(body: &Body) -> Option<ChannelId> {
    let bytes = match body {
        Body::Opened(opened) => &opened.channel_id,
        Body::Refused(refused) => &refused.channel_id,
        Body::Renewed(renewed) => &renewed.channel_id,
        Body::Close(close) => &close.channel_id,
        Body::Open(_)
        | Body::Incoming(_)
        | Body::Renew(_)
        | Body::AccessChanged(_)
        | Body::AccessAcknowledged(_)
        | Body::Goodbye(_) => return None,
    };
    ChannelId::try_from(&**bytes).ok()
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
