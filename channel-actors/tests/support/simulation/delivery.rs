//! What is under way, and what it leads to where it arrives.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

use bytes::Bytes;
use channel_actors::{endpoint::Event, refusal::refused_renewal};
use rand::RngExt as _;
use schema::{
    frame::{Frame, Outer},
    wire::{self, control::Body},
};

use super::{Header, Simulation, Way};
use crate::support::{channel, identity};

impl Simulation {
    pub(super) fn deliver_late(&mut self) {
        let at = self.rng.random_range(0..self.paths.len());
        let way = [Way::Up, Way::Down][self.rng.random_range(0..2)];
        if !self.paths[at].is_alive && self.deliver(at, way) {
            self.happened.late += 1;
        }
    }

    /// A Renew of any age comes once more.
    pub(super) fn replay(&mut self) {
        if !self.renews.is_empty() {
            let renew = self.renews[self.rng.random_range(0..self.renews.len())].clone();
            let path = self.client_path;
            self.happened.replays += 1;
            self.renew(&renew, path);
        }
    }

    pub(super) fn arrive(&mut self, way: Way) {
        self.deliver(self.client_path, way);
    }

    pub(super) fn deliver(&mut self, at: usize, way: Way) -> bool {
        let path = &mut self.paths[at];
        let message = match way {
            Way::Up => path.up.pop_front(),
            Way::Down => path.down.pop_front(),
        };
        let Some(message) = message else {
            return false;
        };
        match way {
            Way::Up => self.give_worker(message, at),
            Way::Down => self.give_client(message),
        }
        self.pump();
        true
    }

    pub(super) fn give_worker(&mut self, message: Outer, at: usize) {
        match message {
            Outer::Frame(frame) => {
                let frame = self.on_the_wire(frame, self.worker.epoch());
                self.worker.receive(frame, self.now);
            }
            Outer::Control(Body::Renew(renew)) => {
                self.renew(&renew, at);
                self.renews.push(renew);
            }
            Outer::Control(body) => self.worker.receive_control(&body, &mut self.rng, self.now),
        }
    }

    /// The path by which the Worker heard of an epoch is where it speaks in it.
    pub(super) fn renew(&mut self, renew: &wire::Renew, at: usize) {
        let answered = self
            .worker
            .answer_renewal(identity(), renew, &mut self.rng, self.now);
        let answer = match answered {
            Ok(renewed) => {
                self.worker_path = at;
                renewed
            }
            Err(reason) => refused_renewal(channel(9), reason.into(), renew.serial),
        };
        self.put(at, Way::Down, Outer::Control(answer));
    }

    pub(super) fn give_client(&mut self, message: Outer) {
        match message {
            Outer::Frame(frame) => {
                let frame = self.on_the_wire(frame, self.client.epoch());
                self.client.receive(frame, self.now);
            }
            // A Close for good that is not late would be judged, and rightly so.
            Outer::Control(Body::Close(close))
                if close.reason == wire::CloseReason::TooSlow as i32
                    && close.epoch >= self.client.epoch() => {}
            Outer::Control(body) => self.client.receive_control(&body, &mut self.rng, self.now),
        }
    }

    pub(super) fn on_the_wire(&self, frame: Frame, receiver: u32) -> Frame {
        match self.header {
            Header::Kept => frame,
            Header::TakenOut => Frame::new(
                frame.channel(),
                receiver,
                frame.correlation(),
                frame.flags(),
                frame.ciphertext(),
            ),
        }
    }

    /// All that either end wants to send goes on its path; what a dead path is given is lost.
    pub(super) fn pump(&mut self) {
        loop {
            self.heed();
            let up = self.client.poll_outgoing(self.now);
            let down = self.worker.poll_outgoing(self.now);
            if up.is_none() && down.is_none() {
                return;
            }
            up.into_iter()
                .for_each(|outer| self.put(self.client_path, Way::Up, outer));
            down.into_iter()
                .for_each(|outer| self.put(self.worker_path, Way::Down, outer));
        }
    }

    pub(super) fn put(&mut self, at: usize, way: Way, outer: Outer) {
        let path = &mut self.paths[at];
        if !path.is_alive {
            self.happened.lost += 1;
            return;
        }
        match way {
            Way::Up => path.up.push_back(outer),
            Way::Down => path.down.push_back(outer),
        }
    }

    pub(super) fn heed(&mut self) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::StreamData { id, data } => {
                    self.arrived(Way::Down, id, &data);
                    self.client.stream_consumed(id, data.len());
                }
                Event::Response { id, result: Ok(_) } => self.answered.push(id),
                Event::Closed { .. } | Event::StreamEnd { .. } | Event::Response { .. } => {
                    self.broken
                        .get_or_insert_with(|| format!("at the client: {event:?}"));
                }
                _ => {}
            }
        }
        while let Some(event) = self.worker.poll_event() {
            match event {
                Event::Claimed { epoch, .. } => self.claims.push(epoch),
                Event::Request { id, payload, .. } => {
                    let answered = self.worker.respond(id, Ok(payload));
                    assert!(answered.is_ok() || self.worker.closed().is_some());
                }
                Event::StreamData { id, data } => {
                    self.arrived(Way::Up, id, &data);
                    self.worker.stream_consumed(id, data.len());
                }
                Event::Closed { .. } | Event::StreamEnd { .. } => {
                    self.broken
                        .get_or_insert_with(|| format!("at the Worker: {event:?}"));
                }
                _ => {}
            }
        }
    }

    pub(super) fn arrived(&mut self, way: Way, id: u64, data: &Bytes) {
        let stream = self.streams.iter().position(|stream| *stream == id);
        let number = data.first_chunk().expect("a number in front");
        let number = u32::from_be_bytes(*number);
        self.count(way, stream.expect("a stream of ours"))
            .arrived
            .push(number);
    }
}
