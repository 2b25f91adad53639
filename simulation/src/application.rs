//! What the ends are for: streams whose messages are numbered both ways, and calls.

use std::collections::BTreeMap;

use bytes::Bytes;
use channel_actors::{
    CloseReason,
    endpoint::{Call, Endpoint, Event},
};
use schema::ids::ChannelId;

use crate::{pace::Due, world::World};

/// What two applications say to each other over one channel, as the world knows it.
#[derive(Default)]
pub(crate) struct Conversation {
    pub(crate) client: usize,
    pub(crate) worker: usize,
    pub(crate) established: bool,
    pub(crate) streams: BTreeMap<u64, Stream>,
    pub(crate) calls: BTreeMap<u64, Asked>,
    /// Somebody broke rules in it on purpose, or let it go: any end will do.
    pub(crate) forsaken: bool,
    /// How each end heard that it is over.
    pub(crate) ended: [Option<CloseReason>; 2],
}

#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) up: Count,
    pub(crate) down: Count,
    at_worker: bool,
}

/// One direction.
#[derive(Default, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) sent: u32,
    pub(crate) arrived: u32,
    ended: bool,
    end_arrived: bool,
    /// Taken out of the channel by a slow reader, and not used yet.
    unused: usize,
}

#[derive(PartialEq, Eq, Clone, Copy)]
pub(crate) enum Asked {
    Waiting,
    Answered,
    GivenUp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Toward {
    Worker,
    Client,
}

impl Stream {
    fn count(&mut self, toward: Toward) -> &mut Count {
        match toward {
            Toward::Worker => &mut self.up,
            Toward::Client => &mut self.down,
        }
    }
}

impl Conversation {
    pub(crate) fn is_complete(&self) -> bool {
        let whole = |count: &Count| count.sent == count.arrived && count.ended == count.end_arrived;
        let streams = self
            .streams
            .values()
            .all(|it| whole(&it.up) && whole(&it.down));
        streams && self.calls.values().all(|asked| *asked != Asked::Waiting)
    }
}

impl World {
    /// Applications do something, now and then.
    pub(crate) fn talk(&mut self) {
        if self.quiet {
            return self.use_everything();
        }
        let wait = self.draw(10..250);
        self.after(wait, Due::Talk);
        let client = self.draw(0..self.clients.len() as u64) as usize;
        let channels: Vec<_> = self
            .talks
            .iter()
            .filter(|(_, it)| it.client == client && it.established && it.ended[0].is_none())
            .map(|(channel, _)| *channel)
            .collect();
        let choice = self.draw(0..100);
        if channels.is_empty() || choice < 4 {
            return self.open_one(client);
        }
        let channel = channels[self.draw(0..channels.len() as u64) as usize];
        match choice {
            4..10 => self.open_stream(channel),
            10..45 => self.send(channel, Toward::Worker),
            45..80 => self.send(channel, Toward::Client),
            80..83 => self.fill(channel),
            83..90 => self.call(channel),
            90..94 => self.end_stream(channel),
            94..96 => self.rekey(channel),
            96 => self.let_go(channel),
            _ => self.use_some(channel),
        }
        self.flush_client(client);
        let worker = self.talks[&channel].worker;
        self.flush_worker(worker);
    }

    /// New keys for all that it has, and a channel more.
    pub(crate) fn ask_for_something(&mut self, client: usize) {
        let channels: Vec<_> = self.clients[client].slots.keys().copied().collect();
        for channel in channels {
            self.rekey(channel);
        }
        self.open_one(client);
    }

    /// To a Worker of its own, mostly.
    fn open_one(&mut self, client: usize) {
        if !self.clients[client].connected || self.clients[client].slots.len() >= 4 {
            return;
        }
        let worker = self.draw(0..self.workers.len() as u64) as usize;
        if self.workers[worker].owner != self.clients[client].user && !self.one_in(5) {
            return;
        }
        let channel = self.new_channel_id();
        let talk = Conversation {
            client,
            worker,
            ..Conversation::default()
        };
        self.talks.insert(channel, talk);
        self.happened.opens += 1;
        self.client_opens(client, worker, channel);
        self.flush_client(client);
    }

    fn end(&mut self, channel: ChannelId, toward: Toward) -> Option<&mut Endpoint> {
        let talk = self.talks.get(&channel)?;
        match toward {
            Toward::Worker => self.clients[talk.client].endpoint(&channel),
            Toward::Client => {
                let held = self.workers[talk.worker].channels.get_mut(&channel);
                held.map(|held| &mut held.endpoint)
            }
        }
    }

    fn open_stream(&mut self, channel: ChannelId) {
        if self.talks[&channel].streams.len() >= 6 {
            return;
        }
        let opened = self.end(channel, Toward::Worker).and_then(|endpoint| {
            let call = Call {
                method: "stream",
                payload: Bytes::new(),
                opens_stream: true,
                workspace: None,
            };
            endpoint.request(call).ok()
        });
        if let (Some(id), Some(talk)) = (opened, self.talks.get_mut(&channel)) {
            talk.streams.insert(id, Stream::default());
            talk.calls.insert(id, Asked::Waiting);
        }
    }

    fn a_stream(&mut self, channel: ChannelId) -> Option<u64> {
        let ids: Vec<u64> = self.talks[&channel].streams.keys().copied().collect();
        if ids.is_empty() {
            return None;
        }
        Some(ids[self.draw(0..ids.len() as u64) as usize])
    }

    fn send(&mut self, channel: ChannelId, toward: Toward) {
        if let Some(stream) = self.a_stream(channel) {
            for _ in 0..self.draw(1..5) {
                self.send_on(channel, stream, toward);
            }
        }
    }

    /// False when the stream does not take it now.
    fn send_on(&mut self, channel: ChannelId, stream: u64, toward: Toward) -> bool {
        let long = self.one_in(20);
        let size = self.draw(0..if long { 70_000 } else { 300 }) as usize;
        let Some(count) = self.count(channel, stream, toward).copied() else {
            return false;
        };
        let known = toward == Toward::Worker || self.talks[&channel].streams[&stream].at_worker;
        if count.ended || !known {
            return false;
        }
        let mut data = vec![0; 4 + size];
        data[..4].copy_from_slice(&count.sent.to_be_bytes());
        let Some(endpoint) = self.end(channel, toward) else {
            return false;
        };
        // Who must not lose its stream on a channel without a path asks first.
        if endpoint.stream_room(stream) < data.len() {
            return false;
        }
        if endpoint.stream_send(stream, data.into()).is_err() {
            self.find("a stream with room did not take a message");
            return false;
        }
        self.happened.messages += 1;
        if let Some(count) = self.count(channel, stream, toward) {
            count.sent += 1;
        }
        true
    }

    fn count(&mut self, channel: ChannelId, stream: u64, toward: Toward) -> Option<&mut Count> {
        let stream = self.talks.get_mut(&channel)?.streams.get_mut(&stream)?;
        Some(stream.count(toward))
    }

    /// As much as all streams take, both ways.
    fn fill(&mut self, channel: ChannelId) {
        let ids: Vec<u64> = self.talks[&channel].streams.keys().copied().collect();
        for stream in ids {
            while self.send_on(channel, stream, Toward::Worker) {}
            while self.send_on(channel, stream, Toward::Client) {}
        }
        self.happened.filled += 1;
    }

    fn call(&mut self, channel: ChannelId) {
        let payload = Bytes::from(vec![1; self.draw(0..90_000) as usize]);
        let gives_up = self.one_in(6);
        let asked = self.end(channel, Toward::Worker).and_then(|endpoint| {
            let call = Call {
                method: "call",
                payload,
                opens_stream: false,
                workspace: None,
            };
            let id = endpoint.request(call).ok()?;
            if gives_up {
                endpoint.cancel(id);
            }
            Some(id)
        });
        if let (Some(id), Some(talk)) = (asked, self.talks.get_mut(&channel)) {
            talk.calls.insert(
                id,
                if gives_up {
                    Asked::GivenUp
                } else {
                    Asked::Waiting
                },
            );
        }
    }

    fn end_stream(&mut self, channel: ChannelId) {
        let Some(stream) = self.a_stream(channel) else {
            return;
        };
        let toward = if self.one_in(2) {
            Toward::Worker
        } else {
            Toward::Client
        };
        let known = toward == Toward::Worker || self.talks[&channel].streams[&stream].at_worker;
        let fresh = self
            .count(channel, stream, toward)
            .is_some_and(|count| !count.ended);
        if !fresh || !known {
            return;
        }
        let ended = self
            .end(channel, toward)
            .map(|endpoint| endpoint.stream_end(stream, None));
        if let (Some(Ok(())), Some(count)) = (ended, self.count(channel, stream, toward)) {
            count.ended = true;
        }
    }

    fn rekey(&mut self, channel: ChannelId) {
        let client = self.talks[&channel].client;
        let detached = self
            .end(channel, Toward::Worker)
            .is_none_or(|it| it.is_detached());
        if !detached {
            self.happened.rekeys += 1;
            self.client_renews(client, channel);
        }
    }

    /// Its user closes it.
    pub(crate) fn let_go(&mut self, channel: ChannelId) {
        if let Some(talk) = self.talks.get_mut(&channel) {
            talk.forsaken = true;
        }
        if let Some(endpoint) = self.end(channel, Toward::Worker) {
            endpoint.close(CloseReason::ClosedByClient);
        }
    }

    /// A slow reader reads.
    fn use_some(&mut self, channel: ChannelId) {
        let ids: Vec<u64> = self.talks[&channel].streams.keys().copied().collect();
        for stream in ids {
            for toward in [Toward::Worker, Toward::Client] {
                let unused = self
                    .count(channel, stream, toward)
                    .map(|it| std::mem::take(&mut it.unused));
                let reader = match toward {
                    Toward::Worker => Toward::Client,
                    Toward::Client => Toward::Worker,
                };
                if let (Some(unused), Some(endpoint)) = (unused, self.end(channel, reader)) {
                    endpoint.stream_consumed(stream, unused);
                }
            }
        }
    }

    pub(crate) fn use_everything(&mut self) {
        let channels: Vec<_> = self.talks.keys().copied().collect();
        for channel in channels {
            self.use_some(channel);
        }
        (0..self.clients.len()).for_each(|client| self.flush_client(client));
        (0..self.workers.len()).for_each(|worker| self.flush_worker(worker));
    }

    pub(crate) fn client_application(&mut self, _: usize, channel: ChannelId, event: Event) {
        match event {
            Event::Established { .. } => {
                self.happened.established += 1;
                if let Some(talk) = self.talks.get_mut(&channel) {
                    talk.established = true;
                }
                self.open_stream(channel);
            }
            Event::Response { id, result } => self.answered_call(channel, id, result.is_ok()),
            Event::StreamData { id, data } => self.arrived(channel, id, Toward::Client, &data),
            Event::StreamEnd { id, error } => {
                self.stream_ended(channel, id, Toward::Client, error.is_some());
            }
            Event::Closed { reason, .. } => self.check_ended(channel, 0, reason),
            _ => {}
        }
    }

    pub(crate) fn worker_application(&mut self, worker: usize, channel: ChannelId, event: Event) {
        match event {
            Event::Request {
                id,
                payload,
                opens_stream,
                ..
            } => {
                let stream = self
                    .talks
                    .get_mut(&channel)
                    .and_then(|it| it.streams.get_mut(&id));
                if let Some(stream) = stream.filter(|_| opens_stream) {
                    stream.at_worker = true;
                }
                if let Some(held) = self.workers[worker].channels.get_mut(&channel) {
                    let answer = payload.slice(..payload.len().min(40_000));
                    let _ = held.endpoint.respond(id, Ok(answer));
                }
            }
            Event::Cancelled { id } => {
                if let Some(held) = self.workers[worker].channels.get_mut(&channel) {
                    held.endpoint.finished(id);
                }
            }
            Event::StreamData { id, data } => self.arrived(channel, id, Toward::Worker, &data),
            Event::StreamEnd { id, error } => {
                self.stream_ended(channel, id, Toward::Worker, error.is_some());
            }
            Event::Closed { reason, .. } => self.check_ended(channel, 1, reason),
            _ => {}
        }
    }

    fn answered_call(&mut self, channel: ChannelId, id: u64, is_ok: bool) {
        let asked = self
            .talks
            .get_mut(&channel)
            .and_then(|it| it.calls.get_mut(&id));
        let before = asked.map(|asked| std::mem::replace(asked, Asked::Answered));
        if before != Some(Asked::Waiting) || !is_ok {
            self.find("a call was answered twice, with an error, or without being asked");
        }
    }

    fn arrived(&mut self, channel: ChannelId, stream: u64, toward: Toward, data: &Bytes) {
        let slow = self.one_in(10);
        let number = data.first_chunk().copied().map(u32::from_be_bytes);
        let Some(count) = self.count(channel, stream, toward) else {
            return self.find("data of a stream that nobody opened");
        };
        let in_order =
            number == Some(count.arrived) && count.arrived < count.sent && !count.end_arrived;
        count.arrived += 1;
        count.unused += data.len();
        if !in_order {
            return self.find("a message twice, out of order, or never sent");
        }
        if !slow || self.quiet {
            let unused = self
                .count(channel, stream, toward)
                .map(|it| std::mem::take(&mut it.unused));
            let reader = match toward {
                Toward::Worker => Toward::Client,
                Toward::Client => Toward::Worker,
            };
            if let (Some(unused), Some(endpoint)) = (unused, self.end(channel, reader)) {
                endpoint.stream_consumed(stream, unused);
            }
        }
    }

    fn stream_ended(&mut self, channel: ChannelId, stream: u64, toward: Toward, failed: bool) {
        let Some(count) = self.count(channel, stream, toward) else {
            return self.find("the end of a stream that nobody opened");
        };
        let whole = count.ended && !count.end_arrived && count.sent == count.arrived;
        count.end_arrived = true;
        if failed || !whole {
            self.find("a stream ended before all of it had come");
        }
    }
}
