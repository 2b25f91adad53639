//! One channel of a simulated client, over all its paths, and the one stream on it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::bail;
use bytes::{Bytes, BytesMut};
use channel_actors::{
    CloseReason,
    endpoint::{Call, Endpoint, Event, SendError},
};
use rand::RngExt as _;
use schema::{frame::Outer, wire::control::Body};

use super::{outage::Outage, shared::Shared};
use crate::{
    client::lane::{Lane, Pace},
    clock,
    redial::{Manner, Redial},
    schedule::Arrival,
};

/// A channel.
pub(super) struct Line {
    endpoint: Endpoint,
    stream: u64,
    is_ready: bool,
    unsent: VecDeque<Bytes>,
    pub(super) lane: Arc<Lane>,
    outage: Outage,
    /// When to renew on the path that stands.
    renew_at: Option<Instant>,
    redial: Redial,
    broken: Option<String>,
}

const METHOD: &str = "loadtest.Echo/Open";

impl Line {
    pub(super) fn new(endpoint: Endpoint, lane: Arc<Lane>) -> Self {
        Self {
            endpoint,
            stream: 0,
            is_ready: false,
            unsent: VecDeque::new(),
            lane,
            outage: Outage::default(),
            renew_at: None,
            redial: Redial::new(Manner::Page),
            broken: None,
        }
    }

    /// Whether its stream is open.
    pub(super) const fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Whether it still waits for an echo on a new path.
    pub(super) const fn is_dark(&self) -> bool {
        self.outage.lasts()
    }

    /// Fails when the channel is over.
    ///
    /// # Errors
    ///
    /// With the reason.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match &self.broken {
            Some(why) => bail!("a channel broke: {why}"),
            None => Ok(()),
        }
    }

    /// Books an arrival as sent, and sends it as soon as there is room.
    pub(super) fn send(&mut self, shared: &Shared, arrival: Arrival) {
        let mut payload = BytesMut::with_capacity(arrival.bytes);
        let pace = Pace::new(shared.run.clock);
        self.lane.depart(&shared.run, arrival, &pace, &mut payload);
        self.unsent.push_back(payload.freeze());
        self.flush();
    }

    /// One outer message of the Hub that is this channel's.
    pub(super) fn heard(&mut self, outer: Outer) {
        let now = clock::now();
        match outer {
            Outer::Frame(frame) => self.endpoint.receive(frame, now),
            Outer::Control(body) => self.control(&body, now),
        }
    }

    fn control(&mut self, body: &Body, now: Instant) {
        self.endpoint.receive_control(body, &mut rand::rng(), now);
    }

    /// The session's socket is gone.
    pub(super) fn lost(&mut self) {
        self.renew_at = None;
        self.endpoint.detach(clock::now());
    }

    /// The session has another socket.
    pub(super) fn path(&mut self, shared: &Shared) {
        self.renew(shared);
    }

    /// When it wants to be asked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let times = [self.endpoint.deadline(), self.renew_at];
        times.into_iter().flatten().min()
    }

    /// Time has passed.
    pub(super) fn expire(&mut self, shared: &Shared) {
        let now = clock::now();
        if self.endpoint.deadline().is_some_and(|due| due <= now) {
            self.endpoint.expire(now);
        }
        if self.renew_at.is_some_and(|due| due <= now) {
            self.renew(shared);
        }
    }

    /// What is to be sent now, after everything that has happened.
    pub(super) fn settle(&mut self, shared: &Shared, has_path: bool, out: &mut Vec<Outer>) {
        loop {
            while let Some(event) = self.endpoint.poll_event() {
                self.heed(event, shared, has_path);
            }
            let before = out.len();
            let polled = std::iter::from_fn(|| self.endpoint.poll_outgoing(clock::now()));
            out.extend(polled);
            if out.len() == before {
                return;
            }
        }
    }

    /// Ends it.
    pub(super) fn close(&mut self) {
        self.endpoint.close(CloseReason::ClosedByClient);
    }

    fn renew(&mut self, shared: &Shared) {
        self.renew_at = None;
        shared.renew();
        if let Err(error) = self.endpoint.renew(&mut rand::rng(), clock::now()) {
            self.broken.get_or_insert_with(|| error.to_string());
        }
    }

    /// Renews on the path that stands, after a while.
    fn renew_later(&mut self, shared: &Shared, hint: Duration) {
        let luck = rand::rng().random();
        let wait = self.redial.down(shared.run.clock.elapsed(), luck, hint);
        self.renew_at = Some(clock::now() + wait);
    }

    fn heed(&mut self, event: Event, shared: &Shared, has_path: bool) {
        let now = shared.run.clock.elapsed();
        match event {
            Event::Established { .. } => self.open_stream(),
            Event::Response { result: Ok(_), .. } => self.is_ready = true,
            Event::StreamData { id, data } => {
                self.lane.arrive(&shared.run, &data);
                self.endpoint.stream_consumed(id, data.len());
                shared.gaps(self.outage.echoed(now));
            }
            Event::StreamRoom { .. } => self.flush(),
            Event::Detached => {
                self.outage.lost(now);
                if has_path {
                    self.renew_later(shared, Duration::ZERO);
                }
            }
            Event::RenewalRefused { retry_after, .. } => {
                shared.refuse();
                self.outage.lost(now);
                self.renew_later(shared, retry_after);
            }
            Event::Attached => {
                shared.attach();
                self.redial.up(now);
                self.outage.attached(now);
            }
            Event::RenewalDue => self.renew(shared),
            Event::Response { result: Err(_), .. } => self.break_off("a request failed"),
            Event::StreamEnd { .. } => self.break_off("its stream ended"),
            Event::Closed { reason, .. } => self.break_off(reason.label()),
            Event::Claimed { .. }
            | Event::Request { .. }
            | Event::Cancelled { .. }
            | Event::Pong { .. } => {}
        }
    }

    fn break_off(&mut self, why: &str) {
        self.broken.get_or_insert_with(|| why.to_owned());
    }

    fn open_stream(&mut self) {
        let call = Call {
            method: METHOD,
            payload: Bytes::new(),
            opens_stream: true,
            workspace: None,
        };
        match self.endpoint.request(call) {
            Ok(id) => self.stream = id,
            Err(error) => self.break_off(&error.to_string()),
        }
    }

    fn flush(&mut self) {
        while let Some(payload) = self.unsent.front() {
            match self.endpoint.stream_send(self.stream, payload.clone()) {
                Ok(()) => {}
                Err(SendError::NoRoom) => return,
                Err(error) => return self.break_off(&error.to_string()),
            }
            self.unsent.pop_front();
        }
    }
}
