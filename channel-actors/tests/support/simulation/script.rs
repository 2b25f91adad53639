//! What happens: a throw of the dice for each step.

use std::time::Duration;

use bytes::Bytes;
use channel_actors::{CloseReason, close::close, endpoint::Call};
use rand::RngExt as _;
use schema::frame::Outer;

use super::{Count, Path, STREAMS, Simulation, Way};
use crate::support::channel;

impl Simulation {
    pub(super) fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..14 => self.send(Way::Up),
            14..28 => self.send(Way::Down),
            28..29 => self.fill(),
            29..34 => self.ask(),
            34..48 => self.some(|it| it.arrive(Way::Up)),
            48..62 => self.some(|it| it.arrive(Way::Down)),
            62..66 => self.cut(),
            66..68 => self.move_link(),
            68..78 => self.some(Self::deliver_late),
            78..79 => self.replay(),
            79..86 => self.judge(),
            86..92 => self.come_back(),
            92..95 => self.rekey(),
            _ => self.pass(),
        }
        self.pump();
    }

    pub(super) fn settle(&mut self) {
        self.come_back();
        self.pump();
        for _ in 0..120 {
            self.deliver(self.client_path, Way::Up);
            self.judge();
            self.deliver(self.client_path, Way::Down);
        }
        self.deliver_late();
        self.pass();
        self.pump();
    }

    pub(super) fn some(&mut self, act: impl Fn(&mut Self)) {
        for _ in 0..self.rng.random_range(1..7) {
            act(self);
        }
    }

    pub(super) fn message(&mut self, number: u32, most: usize) -> Bytes {
        let long = self.rng.random_range(0..20) == 0;
        let size = self.rng.random_range(0..if long { most } else { 300 });
        let mut data = vec![0; 4 + size];
        data[..4].copy_from_slice(&number.to_be_bytes());
        data.into()
    }

    pub(super) fn send(&mut self, way: Way) {
        let stream = self.rng.random_range(0..STREAMS);
        self.send_on(way, stream, 70_000);
    }

    /// False when the stream takes no message of the size that fell.
    pub(super) fn send_on(&mut self, way: Way, stream: usize, most: usize) -> bool {
        let number = self.count(way, stream).sent;
        let data = self.message(number, most);
        let id = self.streams[stream];
        let end = match way {
            Way::Up => &mut self.client,
            Way::Down => &mut self.worker,
        };
        // Who must not lose its stream on a channel without a path asks first.
        if end.stream_room(id) < data.len() {
            return false;
        }
        assert_eq!(end.stream_send(id, data), Ok(()));
        self.count(way, stream).sent += 1;
        true
    }

    /// As much as all streams take, both ways.
    pub(super) fn fill(&mut self) {
        for stream in 0..STREAMS {
            while self.send_on(Way::Up, stream, 70_000) {}
            while self.send_on(Way::Down, stream, 70_000) {}
        }
        self.happened.full_windows += 1;
    }

    pub(super) fn ask(&mut self) {
        let asked = self.client.request(Call {
            method: "call",
            payload: Bytes::from(vec![1; self.rng.random_range(0..90_000)]),
            opens_stream: false,
            workspace: None,
        });
        self.asked += u64::from(asked.is_ok());
    }

    pub(super) fn count(&mut self, way: Way, stream: usize) -> &mut Count {
        match way {
            Way::Up => &mut self.up[stream],
            Way::Down => &mut self.down[stream],
        }
    }

    /// Of what is under way each way, a part from the end on is lost; the rest may come late. Either
    /// end hears of it, or finds out.
    pub(super) fn cut(&mut self) {
        let path = &mut self.paths[self.client_path];
        if !path.is_alive {
            return;
        }
        path.is_alive = false;
        for way in [&mut path.up, &mut path.down] {
            let kept = self.rng.random_range(0..=way.len());
            self.happened.lost += (way.len() - kept) as u64;
            way.truncate(kept);
        }
        self.happened.cuts += 1;
        let reason = match self.rng.random_range(0..6) {
            0 => Some(CloseReason::ConnectionLost),
            1 => Some(CloseReason::TooSlow),
            _ => None,
        };
        let said = reason.map(|reason| close(channel(9), self.client.epoch(), reason));
        self.paths[self.client_path]
            .down
            .extend(said.map(Outer::Control));
        if self.rng.random_range(0..2) == 0 {
            self.worker.detach(self.now);
        }
        if self.rng.random_range(0..2) == 0 {
            self.client.detach(self.now);
        }
    }

    /// The Worker's link is lost, and the Hub tells the client behind all that it had for it.
    pub(super) fn move_link(&mut self) {
        let path = &mut self.paths[self.worker_path];
        if !path.is_alive {
            return;
        }
        self.happened.lost += path.up.len() as u64;
        path.up.clear();
        let lost = close(channel(9), self.worker.epoch(), CloseReason::ConnectionLost);
        path.down.push_back(Outer::Control(lost));
        self.worker.detach(self.now);
        self.happened.moves += 1;
    }

    /// The client notices, if it has not, and has a new path.
    pub(super) fn come_back(&mut self) {
        let is_alive = self.paths[self.client_path].is_alive;
        if is_alive && !self.client.is_detached() {
            return;
        }
        self.client.detach(self.now);
        if !is_alive {
            self.paths.push(Path::alive());
            self.client_path = self.paths.len() - 1;
        }
        self.ask_for_keys();
        self.happened.reattached += 1;
    }

    pub(super) fn rekey(&mut self) {
        if !self.client.is_detached() {
            self.ask_for_keys();
            self.happened.rekeys += 1;
        }
    }

    pub(super) fn ask_for_keys(&mut self) {
        let asked = self.client.renew(&mut self.rng, self.now);
        // Where it is closed its last event will say why.
        assert!(asked.is_ok() || self.client.closed().is_some());
    }

    pub(super) fn judge(&mut self) {
        for epoch in std::mem::take(&mut self.claims) {
            self.worker.accept_claim(epoch, None, self.now);
        }
        self.pump();
    }

    pub(super) fn pass(&mut self) {
        self.now += Duration::from_millis(self.rng.random_range(0..3_000));
        self.client.expire(self.now);
        self.worker.expire(self.now);
    }
}
