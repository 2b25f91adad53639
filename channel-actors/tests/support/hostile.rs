//! A client that has real keys and keeps to nothing else.

use std::sync::Arc;

use bytes::Bytes;
use channel_actors::{
    Limits,
    endpoint::{AcceptParts, Endpoint, Event, Responder, claim::Statement},
};
use crypto::{DeviceKey, Established, Mode, Prologue};
use prost::Message as _;
use schema::{
    frame::{Frame, associated_data},
    wire::{self, Inner, control, inner::Body},
};

use super::{channel, device, identity, incoming, rng, user, wire::start, worker};

pub(crate) struct Hostile {
    pub(crate) keys: Established,
    pub(crate) worker: Endpoint,
    pub(crate) mode: Mode,
    pub(crate) now: std::time::Instant,
    correlation: u64,
}

impl Hostile {
    /// Through the handshake by the book, and not a step further.
    pub(crate) fn new() -> Self {
        let mode = Mode::Classic;
        let (id, now) = (channel(9), start());
        let prologue = Prologue::new(mode, id.as_bytes(), "worker", "alice").expect("good ids");
        let (awaiting, noise) =
            crypto::initiate(mode, &prologue, identity().public(), &mut rng(20))
                .expect("good keys");
        let (responder, job) = Responder::accept(AcceptParts {
            identity: identity(),
            mode,
            worker: worker(),
            incoming: &incoming(id, noise),
            limits: Arc::new(Limits::default()),
        })
        .expect("a good message 1");
        let signed = job.run(identity(), &mut rng(21)).expect("it can be signed");
        let (worker, opened) = responder.reply(signed, now);
        let control::Body::Opened(opened) = opened else {
            panic!("an answer")
        };
        let keys = awaiting.finish(&opened.noise).expect("a good message 2");
        Self {
            keys,
            worker,
            mode,
            now,
            correlation: 0,
        }
    }

    /// With an accepted claim.
    pub(crate) fn accepted() -> Self {
        let mut hostile = Self::new();
        let claim = hostile.claim("alice", &device());
        hostile.say(Body::Claim(claim));
        assert!(matches!(
            hostile.worker.poll_event(),
            Some(Event::Claimed { .. })
        ));
        hostile.worker.accept_claim(0, None, hostile.now);
        assert!(matches!(
            hostile.worker.poll_event(),
            Some(Event::Established { .. })
        ));
        hostile
    }

    /// Goes over to new keys, whatever comes of them.
    pub(crate) fn renew(&mut self, serial: u32, now: std::time::Instant) {
        let renewal = crypto::Renewal {
            mode: self.mode,
            serial,
            base: serial - 1,
            received: 0,
        };
        let (root, key) = (&self.keys.root, identity().public());
        let (awaiting, noise) =
            crypto::renew(&renewal, root, key, &mut rng(23)).expect("good keys");
        let renew = wire::Renew {
            channel_id: channel(9).as_bytes().to_vec().into(),
            worker_id: worker().as_str().to_owned(),
            serial,
            base: renewal.base,
            noise: noise.into(),
        };
        let answered = self
            .worker
            .answer_renewal(identity(), &renew, &mut rng(24), now);
        let Ok(control::Body::Renewed(renewed)) = answered else {
            panic!("an answer")
        };
        (self.keys, _) = awaiting.finish(&renewed.noise).expect("a good answer");
    }

    pub(crate) fn claim(&self, name: &str, key: &DeviceKey) -> wire::Claim {
        let statement = Statement {
            mode: self.mode,
            hash: self.keys.root.hash(),
            worker: &worker(),
            user: &user(name),
            workspaces: &[],
            certificates: Vec::new(),
        };
        statement.sign(key, &mut rng(22)).expect("it can be signed")
    }

    /// Seals anything and gives it to the Worker.
    pub(crate) fn say_raw(&mut self, correlation: u64, flags: u8, plaintext: &[u8]) {
        let frame = self.seal(correlation, flags, plaintext);
        self.worker.receive(frame, self.now);
    }

    pub(crate) fn say(&mut self, body: Body) {
        self.correlation += 1;
        let plaintext = Inner { body: Some(body) }.encode_to_vec();
        self.say_raw(self.correlation, 0, &plaintext);
    }

    pub(crate) fn seal(&mut self, correlation: u64, flags: u8, plaintext: &[u8]) -> Frame {
        let sealed = self
            .keys
            .sealer
            .seal(&associated_data(correlation, flags), plaintext);
        Frame::new(
            channel(9),
            0,
            correlation,
            flags,
            &sealed.expect("it can be sealed"),
        )
    }

    /// All events, and what the Worker sent, opened.
    pub(crate) fn outcome(&mut self) -> (Vec<Event>, Vec<Body>) {
        let mut said = Vec::new();
        while let Some(outer) = self.worker.poll_outgoing(self.now) {
            if let schema::frame::Outer::Frame(frame) = outer {
                let opened = self
                    .keys
                    .opener
                    .open(&frame.associated_data(), frame.ciphertext());
                let plaintext = Bytes::from(opened.expect("it opens").to_vec());
                said.extend(Inner::decode(plaintext).expect("an inner message").body);
            }
        }
        let events = std::iter::from_fn(|| self.worker.poll_event()).collect();
        (events, said)
    }
}
