//! Both ends of a channel against a peer who has real keys and keeps to nothing else: what the
//! input says is sealed properly. That is the strongest place an attacker can have.

mod scene;

use std::{sync::Arc, time::Duration};

use arbitrary::{Arbitrary, Unstructured};
use channel_actors::{CloseReason, Limits, chunks::Joiner, endpoint::Call, tally::Tally};
use crypto::{Established, Renewal};
use schema::{
    frame::{Frame, Outer, associated_data},
    ids::ChannelId,
    wire::{self, control},
};

use self::scene::{CHANNEL, MODE, Scene, limits};
use crate::{
    crypto::identity,
    words::{Word, error, filler},
};

/// What happens next.
#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// The peer says it, in one frame.
    Says(Word<'a>),
    /// A frame with these flags and this correlation id, in this many after the current epoch.
    Frame(u8, u8, u8, Word<'a>),
    /// A message cut into chunks of so many bytes.
    Chunks(u16, Word<'a>),
    /// The peer renews, or answers a Renew, and says that it has received so much.
    Renews(u16),
    /// A control message of the Hub.
    Controls(&'a [u8]),
    Closes(u8, u8),
    Refuses(u8, u8),
    /// What the application of this end does.
    Does(Deed, u8, u16),
    Waits(u16),
    PathLost,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Deed {
    Call,
    OpenStream,
    Respond,
    Refuse,
    Send,
    End,
    Abort,
    Consume,
    Cancel,
    Finish,
    Ping,
    Renew,
    Close,
    Withdraw,
}

/// A Worker, and any client.
pub fn worker_end(data: &[u8]) {
    play(data, Scene::worker);
}

/// A client, and any Worker.
pub fn client_end(data: &[u8]) {
    play(data, Scene::client);
}

fn play(data: &[u8], scene: fn(Arc<Limits>) -> Scene) {
    let Ok((honest, steps)) = <(bool, Vec<Step<'_>>)>::arbitrary_take_rest(Unstructured::new(data))
    else {
        return;
    };
    let mut scene = scene(limits());
    if honest {
        scene.says(&Word::ClaimAccepted, &Word::Claim);
    }
    for step in steps.iter().take(100) {
        scene.take(step);
        scene.settle();
    }
}

impl Scene {
    /// What the peer says first: as a Worker, or as a client.
    fn says(&mut self, as_worker: &Word<'_>, as_client: &Word<'_>) {
        let word = if self.is_worker { as_client } else { as_worker };
        let plaintext = word.plaintext(&self.claim());
        self.frame(0, &plaintext);
        self.settle();
    }

    fn take(&mut self, step: &Step<'_>) {
        let claim = self.claim();
        match step {
            Step::Says(word) => self.frame(0, &word.plaintext(&claim)),
            Step::Frame(flags, correlation, ahead, word) => {
                self.correlation = u64::from(*correlation);
                let epoch = self.epoch;
                self.epoch = epoch.wrapping_add(u32::from(*ahead % 3)).wrapping_sub(1);
                self.frame(flags % 4, &word.plaintext(&claim));
                self.epoch = epoch;
            }
            Step::Chunks(size, word) => self.chunks(*size, &word.plaintext(&claim)),
            Step::Renews(received) => self.renews(u64::from(*received)),
            Step::Controls(bytes) => {
                let raw = [&[1], *bytes].concat();
                if let Ok(Outer::Control(body)) = Outer::parse(raw.into()) {
                    self.end.receive_control(&body, &mut self.dice, self.now);
                }
            }
            Step::Closes(epoch, reason) => self.control(control::Body::Close(wire::Close {
                channel_id: CHANNEL.to_vec().into(),
                epoch: u32::from(*epoch),
                reason: i32::from(*reason % 30),
            })),
            Step::Refuses(serial, reason) => self.control(control::Body::Refused(wire::Refused {
                channel_id: CHANNEL.to_vec().into(),
                reason: i32::from(*reason % 14),
                retry_after_ms: 100,
                serial: u32::from(*serial),
            })),
            Step::Does(deed, id, bytes) => self.does(*deed, u64::from(*id), *bytes),
            Step::Waits(tenths) => {
                self.now += Duration::from_millis(100) * u32::from(*tenths);
                self.end.expire(self.now);
            }
            Step::PathLost => self.end.detach(self.now),
        }
    }

    fn control(&mut self, body: control::Body) {
        self.end.receive_control(&body, &mut self.dice, self.now);
    }

    /// Seals a frame and gives it to the end.
    fn frame(&mut self, flags: u8, plaintext: &[u8]) {
        let covered = associated_data(self.correlation, flags);
        let sealed = self
            .keys
            .sealer
            .seal(&covered, plaintext)
            .expect("it is short");
        let id = ChannelId::from_bytes(CHANNEL);
        let frame = Frame::new(id, self.epoch, self.correlation, flags, &sealed);
        self.correlation += 1;
        self.end.receive(frame, self.now);
    }

    fn chunks(&mut self, size: u16, message: &[u8]) {
        let size = usize::from(size).max(1);
        let last = message.len().div_ceil(size).saturating_sub(1);
        for (number, chunk) in message.chunks(size).enumerate().take(40) {
            let correlation = self.correlation;
            self.frame(u8::from(number < last), chunk);
            self.correlation = correlation;
        }
        self.correlation += 1;
    }

    /// A renewal by the book, but for how much it says was received.
    fn renews(&mut self, received: u64) {
        if self.is_worker {
            self.renews_as_client(received);
        } else {
            self.answers_as_worker(received);
        }
    }

    fn renews_as_client(&mut self, received: u64) {
        self.serial += 1;
        let renewal = Renewal {
            mode: MODE,
            serial: self.serial,
            base: self.epoch,
            received,
        };
        let public = identity().public();
        let (awaiting, noise) =
            crypto::renew(&renewal, &self.keys.root, public, &mut self.dice).expect("a good key");
        let renew = wire::Renew {
            channel_id: CHANNEL.to_vec().into(),
            worker_id: "worker".to_owned(),
            serial: self.serial,
            base: self.epoch,
            noise: noise.into(),
        };
        let answer = self
            .end
            .answer_renewal(identity(), &renew, &mut self.dice, self.now);
        if let Ok(control::Body::Renewed(renewed)) = answer {
            let (keys, _) = awaiting.finish(&renewed.noise).expect("it is genuine");
            self.adopt(keys, renewed.serial);
            let claim = self.claim();
            self.frame(0, &Word::Claim.plaintext(&claim));
        }
    }

    fn answers_as_worker(&mut self, received: u64) {
        let Some(renew) = self.asked.take() else {
            return;
        };
        let renewal = Renewal {
            mode: MODE,
            serial: renew.serial,
            base: renew.base,
            received,
        };
        assert_eq!(renew.base, self.epoch, "it renews what it has");
        let root = &self.keys.root;
        let dice = &mut self.dice;
        let answer = crypto::answer_renewal(&renewal, root, identity(), &renew.noise, dice);
        let (keys, _, noise) = answer.expect("an end of ours renews by the book");
        let renewed = wire::Renewed {
            channel_id: CHANNEL.to_vec().into(),
            serial: renew.serial,
            noise: noise.into(),
        };
        self.control(control::Body::Renewed(renewed));
        if self.end.closed().is_none() {
            self.adopt(keys, renew.serial);
            let claim = self.claim();
            self.settle();
            self.frame(0, &Word::ClaimAccepted.plaintext(&claim));
        }
    }

    fn adopt(&mut self, keys: Established, serial: u32) {
        self.keys = keys;
        self.epoch = serial;
        self.tally = Tally::new(&self.limits, self.limits.message_bytes);
        self.joiner = Joiner::default();
    }

    fn does(&mut self, deed: Deed, id: u64, bytes: u16) {
        let end = &mut self.end;
        match deed {
            Deed::Call | Deed::OpenStream => {
                let _ = end.request(Call {
                    method: "terminal.list",
                    payload: filler(bytes),
                    opens_stream: matches!(deed, Deed::OpenStream),
                    workspace: None,
                });
            }
            Deed::Respond => {
                if end.respond(id, Ok(filler(bytes))).is_ok() {
                    assert!(self.calls.remove(&id).is_some(), "an answer to a question");
                }
            }
            Deed::Refuse => {
                if end.respond(id, Err(error())).is_ok() {
                    self.calls.remove(&id);
                }
            }
            Deed::Send => {
                let room = end.stream_room(id);
                let data = filler(bytes);
                let fits = data.len() <= room;
                let sent = end.stream_send(id, data);
                assert!(sent.is_err() || fits, "no more than there was room for");
            }
            Deed::End => drop(end.stream_end(id, None)),
            Deed::Abort => drop(end.stream_end(id, Some(error()))),
            Deed::Consume => {
                let unread = self.unread.remove(&id).unwrap_or_default();
                end.stream_consumed(id, unread);
            }
            Deed::Cancel => end.cancel(id),
            Deed::Finish => end.finished(id),
            Deed::Ping => end.ping(),
            Deed::Renew => drop(end.renew(&mut self.dice, self.now)),
            Deed::Close if bytes == 0 => end.close(CloseReason::ClosedByClient),
            Deed::Close => {}
            Deed::Withdraw => end.change_access(&[]),
        }
    }
}
