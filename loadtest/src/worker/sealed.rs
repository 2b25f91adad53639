//! A Worker with real keys: it shakes hands, believes every device, and echoes streams.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use channel_actors::{
    Limits, RefusalReason,
    endpoint::{AcceptParts, Endpoint, Event, Identity, Mode, Responder, SendError, SignedReply},
    refusal,
};
use schema::{
    frame::Outer,
    ids::{ChannelId, WorkerId},
    wire::{self, control::Body},
};
use tokio::task::JoinSet;

use super::handshakes::Handshakes;
use crate::clock;

/// All channels of one simulated Worker.
pub(super) struct Sealed {
    worker: WorkerId,
    identity: Arc<Identity>,
    mode: Mode,
    limits: Arc<Limits>,
    handshakes: Arc<Handshakes>,
    signing: JoinSet<Signed>,
    pending: BTreeMap<ChannelId, Responder>,
    lines: BTreeMap<ChannelId, Line>,
}

/// What the pool of threads gives back.
pub(super) type Signed = (ChannelId, Result<SignedReply, RefusalReason>);

struct Line {
    endpoint: Endpoint,
    echoes: BTreeMap<u64, Echo>,
}

/// A stream, and what of it has not gone back for want of room.
#[derive(Default)]
struct Echo {
    waiting: VecDeque<Bytes>,
    has_ended: bool,
}

impl Sealed {
    pub(super) fn new(
        worker: WorkerId,
        identity: Arc<Identity>,
        mode: Mode,
        handshakes: Arc<Handshakes>,
    ) -> Self {
        Self {
            worker,
            identity,
            mode,
            limits: Arc::new(Limits::default()),
            handshakes,
            signing: JoinSet::new(),
            pending: BTreeMap::new(),
            lines: BTreeMap::new(),
        }
    }

    /// One outer message of the Hub; what is to be said goes behind `out`.
    pub(super) fn outer(&mut self, outer: Outer, out: &mut Vec<Outer>) {
        match outer {
            Outer::Frame(frame) => {
                let channel = frame.channel();
                self.with(channel, out, |line| {
                    line.endpoint.receive(frame, clock::now())
                });
            }
            Outer::Control(Body::Incoming(incoming)) => self.incoming(&incoming, out),
            Outer::Control(Body::Close(close)) => self.close(close, out),
            Outer::Control(Body::Renew(renew)) => self.renew(&renew, out),
            Outer::Control(Body::AccessChanged(changed)) => self.change_access(&changed, out),
            Outer::Control(_) => {}
        }
    }

    /// The next signature that is ready. Pends while none is asked for.
    pub(super) async fn signed(&mut self) -> Signed {
        loop {
            match self.signing.join_next().await {
                Some(Ok(signed)) => return signed,
                // A job that panicked leaves its channel to the Hub's deadline.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// A signature is ready.
    pub(super) fn answer(&mut self, (channel, reply): Signed, out: &mut Vec<Outer>) {
        // Closed meanwhile, perhaps.
        let Some(responder) = self.pending.remove(&channel) else {
            return;
        };
        match reply {
            Ok(reply) => {
                self.handshakes.sign();
                let (endpoint, opened) = responder.reply(reply, clock::now());
                out.push(opened.into());
                self.lines.insert(
                    channel,
                    Line {
                        endpoint,
                        echoes: BTreeMap::new(),
                    },
                );
            }
            Err(reason) => out.push(refusal::refused(channel, reason.into()).into()),
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, out: &mut Vec<Outer>) {
        let now = clock::now();
        let is_due = |line: &Line| line.endpoint.deadline().is_some_and(|due| due <= now);
        let due: Vec<_> = self
            .lines
            .iter()
            .filter(|(_, line)| is_due(line))
            .map(|(id, _)| *id)
            .collect();
        for channel in due {
            self.with(channel, out, |line| line.endpoint.expire(now));
        }
    }

    /// The link is gone: what waits for a signature is, too, and channels wait to be attached again.
    pub(super) fn lost(&mut self) {
        self.pending.clear();
        let channels: Vec<_> = self.lines.keys().copied().collect();
        for channel in channels {
            let nobody = &mut Vec::new();
            self.with(channel, nobody, |line| line.endpoint.detach(clock::now()));
        }
    }

    fn incoming(&mut self, incoming: &wire::Incoming, out: &mut Vec<Outer>) {
        let parts = AcceptParts {
            identity: &self.identity,
            mode: self.mode,
            worker: self.worker.clone(),
            incoming,
            limits: self.limits.clone(),
        };
        match Responder::accept(parts) {
            Ok((responder, job)) => {
                let channel = responder.channel();
                self.pending.insert(channel, responder);
                let identity = self.identity.clone();
                // The runtime has as many such threads as there are cores.
                self.signing
                    .spawn_blocking(move || (channel, job.run(&identity, &mut rand::rng())));
            }
            Err(reason) => {
                if let Ok(channel) = ChannelId::try_from(&*incoming.channel_id) {
                    out.push(refusal::refused(channel, reason.into()).into());
                }
            }
        }
    }

    /// Answered where it came in. A channel that is not known here is over.
    fn renew(&mut self, renew: &wire::Renew, out: &mut Vec<Outer>) {
        let Ok(channel) = ChannelId::try_from(&*renew.channel_id) else {
            return;
        };
        let (identity, handshakes) = (self.identity.clone(), self.handshakes.clone());
        let mut answer = Err(RefusalReason::Stale);
        let nothing = &mut Vec::new();
        self.with(channel, nothing, |line| {
            let (rng, now) = (&mut rand::rng(), clock::now());
            answer = line.endpoint.answer_renewal(&identity, renew, rng, now);
        });
        let body = answer.inspect(|_| handshakes.renew());
        let body = body.unwrap_or_else(|reason| {
            handshakes.refuse();
            refusal::refused_renewal(channel, reason.into(), renew.serial)
        });
        out.push(body.into());
        out.append(nothing);
    }

    fn change_access(&mut self, changed: &wire::AccessChanged, out: &mut Vec<Outer>) {
        let Ok(channel) = ChannelId::try_from(&*changed.channel_id) else {
            return;
        };
        self.with(channel, out, |line| {
            line.endpoint.change_access(&changed.workspaces);
        });
        if changed.change > 0 && self.lines.contains_key(&channel) {
            let acknowledged = wire::AccessAcknowledged {
                channel_id: changed.channel_id.clone(),
                change: changed.change,
            };
            out.push(Body::AccessAcknowledged(acknowledged).into());
        }
    }

    fn close(&mut self, close: wire::Close, out: &mut Vec<Outer>) {
        if let Ok(channel) = ChannelId::try_from(&*close.channel_id) {
            self.pending.remove(&channel);
            self.with(channel, out, |line| {
                line.endpoint
                    .receive_control(&Body::Close(close), &mut rand::rng(), clock::now());
            });
        }
    }

    fn with(&mut self, channel: ChannelId, out: &mut Vec<Outer>, act: impl FnOnce(&mut Line)) {
        let Some(line) = self.lines.get_mut(&channel) else {
            return;
        };
        act(line);
        line.settle(out);
        if line.endpoint.closed().is_some() {
            self.lines.remove(&channel);
        }
    }
}

impl Line {
    fn settle(&mut self, out: &mut Vec<Outer>) {
        loop {
            while let Some(event) = self.endpoint.poll_event() {
                self.heed(event);
            }
            let before = out.len();
            out.extend(std::iter::from_fn(|| {
                self.endpoint.poll_outgoing(clock::now())
            }));
            if out.len() == before {
                return;
            }
        }
    }

    fn heed(&mut self, event: Event) {
        match event {
            Event::Claimed { epoch, .. } => {
                self.endpoint.accept_claim(epoch, None, clock::now());
            }
            Event::Request {
                id, opens_stream, ..
            } => {
                // A request that was cancelled meanwhile takes no answer.
                let _ = self.endpoint.respond(id, Ok(Bytes::new()));
                if opens_stream {
                    self.echoes.insert(id, Echo::default());
                }
            }
            Event::StreamData { id, data } => {
                self.echo(id, |echo| echo.waiting.push_back(data));
            }
            Event::StreamEnd { id, error: None } => self.echo(id, |echo| echo.has_ended = true),
            Event::StreamRoom { id, .. } => self.echo(id, |_| {}),
            Event::StreamEnd { id, error: Some(_) } | Event::Cancelled { id } => {
                self.echoes.remove(&id);
            }
            Event::Established { .. }
            | Event::Response { .. }
            | Event::Pong { .. }
            | Event::RenewalDue
            | Event::Detached
            | Event::Attached
            | Event::RenewalRefused { .. }
            | Event::Closed { .. } => {}
        }
    }

    /// Sends back what there is room for, and grants as much anew.
    fn echo(&mut self, id: u64, act: impl FnOnce(&mut Echo)) {
        let Some(echo) = self.echoes.get_mut(&id) else {
            return;
        };
        act(echo);
        while let Some(data) = echo.waiting.front() {
            match self.endpoint.stream_send(id, data.clone()) {
                Ok(()) => self.endpoint.stream_consumed(id, data.len()),
                Err(SendError::NoRoom) => return,
                // The stream is over, and so is its echo.
                Err(_) => {
                    self.echoes.remove(&id);
                    return;
                }
            }
            echo.waiting.pop_front();
        }
        if echo.has_ended {
            // It may be over already.
            let _ = self.endpoint.stream_end(id, None);
            self.echoes.remove(&id);
        }
    }
}
