//! What goes wrong: a throw of the dice now and then.

use bytes::Bytes;
use schema::{
    frame::Frame,
    ids::{ChannelId, CredentialId},
    wire::{self, control::Body},
};

use crate::{
    pace::Due,
    tells::{Part, Tell, ToRegistry},
    world::{Control, World},
};

impl World {
    pub(crate) fn fault(&mut self) {
        if self.quiet {
            return;
        }
        let wait = self.draw(300..5_000);
        self.after(wait, Due::Fault);
        match self.draw(0..100) {
            0..18 => self.cut_a_session(),
            18..28 => self.cut_a_link(),
            28..36 => self.half_open(),
            36..42 => self.kill_the_hub(),
            42..45 => {
                self.happened.drains += 1;
                self.hub_drains();
            }
            45..48 => {
                let worker = self.draw(0..self.workers.len() as u64) as usize;
                self.happened.workers_killed += 1;
                self.worker_dies(worker);
            }
            48..52 => self.jump_the_clock(),
            52..60 => self.freeze_somebody(),
            60..70 => self.read_slowly(),
            70..85 => self.be_a_stranger(),
            85..91 => self.revoke_somebody(),
            91..95 => self.offend(),
            _ => self.dial_twice(),
        }
    }

    fn a_client(&mut self) -> usize {
        self.draw(0..self.clients.len() as u64) as usize
    }

    fn cut_a_session(&mut self) {
        let client = self.a_client();
        if let Some(socket) = self.clients[client].socket {
            self.happened.sessions_cut += 1;
            self.cut(socket);
            // It may notice at once, and be back before the Hub knows that it was gone.
            if self.one_in(3) {
                self.client_lost(client);
            }
        }
    }

    fn cut_a_link(&mut self) {
        let worker = self.draw(0..self.workers.len() as u64) as usize;
        if let Some(socket) = self.workers[worker].socket {
            self.happened.links_cut += 1;
            self.cut(socket);
            if self.one_in(3) {
                self.worker_lost(worker);
            }
        }
    }

    fn half_open(&mut self) {
        let sockets: Vec<u64> = self.sockets.keys().copied().collect();
        if sockets.is_empty() {
            return;
        }
        let socket = sockets[self.draw(0..sockets.len() as u64) as usize];
        if let Some(it) = self.sockets.get_mut(&socket) {
            it.half_open = true;
            self.happened.half_open += 1;
        }
    }

    fn kill_the_hub(&mut self) {
        if self.hub.is_up {
            self.happened.hubs_killed += 1;
            self.hub_dies();
        }
    }

    /// Up to two hours, forward and back; nothing that is monotonic notices.
    fn jump_the_clock(&mut self) {
        let by = self.draw(0..4 * 3_600_000);
        self.wall_jump += i64::try_from(by).unwrap_or_default() - 2 * 3_600_000;
        self.happened.clock_jumps += 1;
    }

    fn freeze_somebody(&mut self) {
        let mut parts: Vec<Part> = (0..self.clients.len()).map(Part::Client).collect();
        parts.extend((0..self.workers.len()).map(Part::Worker));
        parts.extend(self.hub.sessions.keys().copied().map(Part::Session));
        parts.extend(self.hub.links.keys().copied().map(Part::Link));
        parts.push(Part::Registry);
        let part = parts[self.draw(0..parts.len() as u64) as usize];
        let long = self.one_in(3);
        let for_ms = if long { 30_000 } else { self.draw(500..9_000) };
        self.happened.freezes += 1;
        self.freeze(part, for_ms);
    }

    fn read_slowly(&mut self) {
        let (client, for_ms) = (self.a_client(), self.draw(1_000..12_000));
        self.clients[client].reads_again = self.now_ms + for_ms;
        self.freeze(Part::Channel(u64::MAX - client as u64), for_ms);
        self.happened.slow_readers += 1;
    }

    /// With the id of a channel of somebody else, whichever way he came by it.
    fn be_a_stranger(&mut self) {
        let stranger = self.a_client();
        let user = self.clients[stranger].user.clone();
        let others: Vec<(ChannelId, usize)> = self
            .talks
            .iter()
            .filter(|(_, talk)| self.clients[talk.client].user != user && talk.ended[0].is_none())
            .map(|(channel, talk)| (*channel, talk.worker))
            .collect();
        if others.is_empty() || !self.clients[stranger].connected {
            return;
        }
        let (channel, worker) = others[self.draw(0..others.len() as u64) as usize];
        let worker_id = self.workers[worker].id.as_str().to_owned();
        let channel_id = Bytes::copy_from_slice(channel.as_bytes());
        let noise = Bytes::from(vec![7; 56]);
        self.happened.strange += 1;
        match self.draw(0..4) {
            0 => {
                let renew = wire::Renew {
                    channel_id,
                    worker_id,
                    serial: 1_000,
                    base: 0,
                    noise,
                };
                self.clients[stranger].control.push(Body::Renew(renew));
            }
            1 => {
                let workspaces = Vec::new();
                let open = wire::Open {
                    channel_id,
                    worker_id,
                    noise,
                    workspaces,
                    max_message_bytes: 0,
                };
                self.clients[stranger].control.push(Body::Open(open));
            }
            2 => {
                let reason = wire::CloseReason::ClosedByClient.into();
                let close = wire::Close {
                    channel_id,
                    epoch: u32::MAX,
                    reason,
                };
                self.clients[stranger].control.push(Body::Close(close));
            }
            _ => {
                let many = self.draw(1..20);
                for correlation in 0..many {
                    let frame = Frame::new(channel, 0, correlation, 0, &[9; 40]);
                    self.clients[stranger].forged.push(frame);
                }
            }
        }
        self.flush_client(stranger);
    }

    /// In the middle of something, or out of the blue.
    fn revoke_somebody(&mut self) {
        let client = self.a_client();
        if self.one_in(2) {
            self.ask_for_something(client);
        }
        let wait = self.draw(0..400);
        self.after(wait, Due::Revoke(client));
    }

    pub(crate) fn revoke(&mut self, client: usize) {
        let credential = self.clients[client].credential.clone();
        self.database.revoke(&credential);
        if self.setting.control == Control::ChecksBeforeItRegisters {
            self.wedge_sessions(&credential);
        }
        self.revoked.insert(client);
        self.happened.revocations += 1;
        if self.hub.is_up {
            self.tell(
                Part::Session(0),
                Part::Registry,
                Tell::Registry(ToRegistry::Revoked(credential)),
            );
        }
        let wait = self.draw(2_000..10_000);
        self.after(wait, Due::SignIn(client));
    }

    /// A client breaks a rule of the wire in a channel of its own.
    fn offend(&mut self) {
        let client = self.a_client();
        let own: Vec<ChannelId> = self.clients[client].slots.keys().copied().collect();
        if own.is_empty() || !self.clients[client].connected {
            return;
        }
        let channel = own[self.draw(0..own.len() as u64) as usize];
        let Some(talk) = self.talks.get_mut(&channel).filter(|talk| talk.established) else {
            return;
        };
        talk.forsaken = true;
        let epoch = self.clients[client]
            .endpoint(&channel)
            .map_or(0, |it| it.epoch());
        let (flags, bytes, ahead) = match self.draw(0..4) {
            0 => (0, 16, 0),
            1 => (2, 40, 0),
            2 => (0, 40, 7),
            _ => (1, 40, 0),
        };
        self.happened.offences += 1;
        self.forgers.insert(client);
        for correlation in 0..2 {
            let frame = Frame::new(
                channel,
                epoch + ahead,
                u64::MAX - correlation,
                flags,
                &vec![9; bytes],
            );
            self.clients[client].forged.push(frame);
        }
        self.flush_client(client);
    }

    /// A Worker's process that was not stopped, and another: the older link is replaced.
    fn dial_twice(&mut self) {
        let worker = self.draw(0..self.workers.len() as u64) as usize;
        if let Some(socket) = self.workers[worker].socket {
            if let Some(it) = self.sockets.get_mut(&socket) {
                it.half_open = true;
            }
            self.happened.replaced += 1;
            self.worker_lost(worker);
        }
    }

    /// Their browsers have stopped reading, so they are not polled, and their goodbyes wait: that a
    /// session goes at once would save this negative control too.
    fn wedge_sessions(&mut self, credential: &CredentialId) {
        let of_it = |key: &u64| self.hub.sessions[key].credential == *credential;
        let keys: Vec<u64> = self.hub.sessions.keys().copied().filter(of_it).collect();
        for key in keys {
            self.freeze(Part::Session(key), 3_000);
        }
    }
}
