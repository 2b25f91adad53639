//! The task that owns a connection.
//!
//! Frames are sealed only when the writer has a place for them, so that sealing and queueing stay
//! one step; and the writer runs beside the reader, so that a Hub which cannot write to us because
//! we cannot write to it does not stop either.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use crypto::{Pin, PinVerdict};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use rand_core::CryptoRng;
use schema::{frame::Outer, ids::ChannelId, wire::control::Body};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep_until, timeout},
};

use super::{
    ConnectError, ConnectParts, PinQuestion,
    channel::{Farewell, Way},
    session::Order,
    slot::{ConnectAnswer, Connecting, Slot},
};
use crate::{
    close::{self, CloseReason},
    endpoint::{Initiator, OpenParts},
    limits::Limits,
};

struct Task {
    slots: BTreeMap<ChannelId, Slot>,
    limits: Arc<Limits>,
    rng: Box<dyn CryptoRng + Send>,
    /// Control messages that belong to no endpoint.
    control: Vec<Body>,
    orders: mpsc::WeakSender<Order>,
    farewells: mpsc::UnboundedSender<Farewell>,
}

/// Reads, writes and carries orders out until the connection or the last handle is gone.
pub(super) async fn run<T, S, E>(
    incoming: T,
    outgoing: S,
    limits: Arc<Limits>,
    rng: Box<dyn CryptoRng + Send>,
    (orders, ordered): (mpsc::WeakSender<Order>, mpsc::Receiver<Order>),
) where
    T: Stream<Item = Result<Bytes, E>> + Unpin,
    S: Sink<Bytes> + Unpin,
{
    let (farewells, left) = mpsc::unbounded_channel();
    let (queue, queued) = mpsc::channel(WRITES);
    let (slots, control) = (BTreeMap::new(), Vec::new());
    let task = Task {
        slots,
        limits,
        rng,
        control,
        orders,
        farewells,
    };
    tokio::join!(
        task.run(incoming, ordered, left, queue),
        write(queued, outgoing)
    );
}

impl Task {
    async fn run<T, E>(
        mut self,
        mut incoming: T,
        mut orders: mpsc::Receiver<Order>,
        mut farewells: mpsc::UnboundedReceiver<Farewell>,
        queue: mpsc::Sender<Bytes>,
    ) where
        T: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        loop {
            let waits = self.fill(&queue);
            self.slots.retain(|_, slot| !slot.is_over());
            let deadline = self.deadline();
            tokio::select! {
                permit = queue.reserve(), if waits => {
                    // The place is given back and taken by `fill`.
                    let Ok(_) = permit else { break };
                }
                message = incoming.next() => {
                    let Some(Ok(raw)) = message else { break };
                    if !self.message(raw) {
                        break;
                    }
                }
                Some(farewell) = farewells.recv() => self.farewell(&farewell),
                order = orders.recv() => match order {
                    None | Some(Order::End) => {
                        self.say_goodbye(&queue).await;
                        break;
                    }
                    Some(order) => self.order(order),
                },
                () = sleep_until(deadline.into()) => self.expire(),
            }
            self.events();
        }
        self.slots.values_mut().for_each(Slot::lost);
    }

    /// Seals and queues as long as there is place; true when something may be left.
    fn fill(&mut self, queue: &mpsc::Sender<Bytes>) -> bool {
        for body in std::mem::take(&mut self.control) {
            let Ok(permit) = queue.try_reserve() else {
                self.control.push(body);
                continue;
            };
            permit.send(Outer::Control(body).encode());
        }
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
                match slot.outgoing(now()) {
                    Some(outer) => permit.send(outer.encode()),
                    None => return false,
                }
                true
            });
        }
        self.events();
        more
    }

    /// Takes one outer message; false when it cannot be read.
    fn message(&mut self, raw: Bytes) -> bool {
        match Outer::parse(raw) {
            Ok(Outer::Frame(frame)) => {
                let slot = self.slots.get_mut(&frame.channel());
                if let Some(endpoint) = slot.and_then(Slot::endpoint) {
                    endpoint.receive(frame, now());
                }
                true
            }
            Ok(Outer::Control(Body::Goodbye(_))) | Err(_) => false,
            Ok(Outer::Control(body)) => {
                let slot = channel_of(&body).and_then(|id| self.slots.get_mut(&id));
                if let Some(slot) = slot {
                    let answer = slot.control(&body, &mut *self.rng, now());
                    self.control.extend(answer);
                }
                true
            }
        }
    }

    fn order(&mut self, order: Order) {
        let channel = match order {
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

    fn connect(&mut self, parts: ConnectParts, answer: ConnectAnswer) {
        let opened = self.open(parts);
        match opened {
            Ok((initiator, pin)) => self.insert(initiator, pin, answer),
            // Who asked may have gone.
            Err(error) => {
                let _ = answer.send(Err(error));
            }
        }
    }

    fn open(&mut self, parts: ConnectParts) -> Result<(Box<Initiator>, Option<Pin>), ConnectError> {
        let pin = judged(&parts)?;
        if self.slots.contains_key(&parts.channel) {
            return Err(ConnectError::Taken);
        }
        let open = OpenParts {
            mode: parts.mode,
            worker_key: &parts.worker_key,
            channel: parts.channel,
            worker: parts.worker,
            user: parts.user,
            device: parts.device,
            certificates: parts.certificates,
            workspaces: parts.workspaces,
            limits: self.limits.clone(),
        };
        let (initiator, body) = Initiator::open(open, &mut *self.rng, now())?;
        self.control.push(body);
        Ok((Box::new(initiator), pin))
    }

    fn insert(&mut self, initiator: Box<Initiator>, pin: Option<Pin>, answer: ConnectAnswer) {
        let Some(orders) = self.orders.upgrade() else {
            return;
        };
        let farewells = self.farewells.clone();
        let channel = initiator.channel();
        let (closed, watched) = watch::channel(None);
        let way = Way {
            channel,
            orders,
            farewells,
            closed: watched,
        };
        let slot = Slot::opening(initiator, Connecting { way, pin, answer }, closed);
        self.slots.insert(channel, slot);
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

    fn deadline(&self) -> Instant {
        let next = self.slots.values().filter_map(Slot::deadline).min();
        next.unwrap_or_else(|| now() + IDLE)
    }

    fn expire(&mut self) {
        for (channel, slot) in &mut self.slots {
            slot.expire(now());
            if slot.is_over() {
                let given_up = close::close(*channel, 0, CloseReason::ClosedByClient);
                self.control.push(given_up);
            }
        }
    }

    fn events(&mut self) {
        self.slots.values_mut().for_each(Slot::events);
    }

    /// Closes every channel, and waits for the writer as long as it takes anything.
    async fn say_goodbye(&mut self, queue: &mpsc::Sender<Bytes>) {
        self.slots.values_mut().for_each(Slot::close);
        while self.fill(queue) {
            let place = timeout(WRITE_TIMEOUT, queue.reserve()).await;
            let Ok(Ok(_)) = place else { return };
        }
    }
}

/// The pin to store, if it may go on.
fn judged(parts: &ConnectParts) -> Result<Option<Pin>, ConnectError> {
    let key = parts.worker_key.as_bytes();
    let verdict = crypto::judge(parts.pinned.as_ref(), key, parts.mode);
    let question = PinQuestion {
        worker: &parts.worker,
        verdict,
        pinned: parts.pinned.as_ref(),
        offered_key: key,
        offered_mode: parts.mode,
    };
    if verdict.stops() && !parts.trust.accepts(&question) {
        return Err(ConnectError::NotTrusted(verdict));
    }
    let pin = || Pin {
        public_key: key.to_vec(),
        mode: parts.mode,
    };
    Ok((verdict != PinVerdict::Match).then(pin))
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
async fn write<S>(mut queued: mpsc::Receiver<Bytes>, mut outgoing: S)
where
    S: Sink<Bytes> + Unpin,
{
    while let Some(raw) = queued.recv().await {
        let written = timeout(WRITE_TIMEOUT, outgoing.send(raw)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
    // The connection ends here, with a goodbye of the transport or without.
    let _ = timeout(WRITE_TIMEOUT, outgoing.close()).await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "a shell reads the clock for its brains"
)]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Sealed messages that may wait for the transport: 16 of 64 KiB.
const WRITES: usize = 16;
/// A transport that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the task sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);
