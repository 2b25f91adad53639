//! What passes between the transport, the handles and the channels of a session's task.

use std::time::{Duration, Instant};

use bytes::Bytes;
use schema::{frame::Outer, ids::ChannelId, wire::control::Body};
use tokio::sync::mpsc;

use super::{
    ConnectError, Signal,
    channel::Farewell,
    session::Order,
    slot::{Around, Slot},
    task::{Task, now},
};
use crate::close::{self, CloseReason};

impl Task {
    /// Seals and queues as long as there is place; true when something may be left.
    pub(super) fn fill(&mut self, queue: &mpsc::Sender<Signal>) -> bool {
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
    pub(super) fn signal(&mut self, signal: Signal) -> bool {
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

    pub(super) fn order(&mut self, order: Order) {
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

    pub(super) fn farewell(&mut self, farewell: &Farewell) {
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

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.slots.values().filter_map(Slot::deadline).min()
    }

    pub(super) fn expire(&mut self) {
        self.each(|slot, around| slot.expire(around));
        for (channel, slot) in &self.slots {
            if slot.is_over() {
                let given_up = close::close(*channel, 0, CloseReason::ClosedByClient);
                self.control.push(given_up);
            }
        }
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
