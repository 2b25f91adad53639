//! One Worker's stream to the Hub: hello, heartbeats, and outer messages both ways.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use schema::{
    frame::Outer,
    wire::{
        FromWorker, Heartbeat, ToWorker, WorkerHello, from_worker, to_worker,
        worker_link_client::WorkerLinkClient,
    },
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming, metadata::MetadataValue, transport::Endpoint};

use super::{
    junk::Junk,
    registration::{Registered, announced},
    sealed::{Sealed, Signed},
};
use crate::hub::door::Door;

/// A link that was welcomed.
pub(super) struct Link {
    heard: Streaming<ToWorker>,
    saying: mpsc::Sender<FromWorker>,
    /// To a heartbeat, due before anything else.
    answer: Option<from_worker::Body>,
    ends: Ends,
}

/// What is behind a link.
enum Ends {
    Junk(Junk),
    Sealed(Box<Sealed>),
}

/// What happened at a link.
enum Input {
    Heard(Option<ToWorker>),
    Signed(Signed),
    Tick,
}

const PATIENCE: Duration = Duration::from_secs(20);
/// Messages that may wait for the socket.
const SAYINGS: usize = 256;
/// A control message of 128 KiB and what is round it.
const MESSAGE_MAX: usize = 256 << 10;
/// Several full-size frames on the way, as a real Worker has it.
const WINDOW_BYTES: u32 = 1 << 20;
/// How often endpoints are asked whether something is due.
const TICK: Duration = Duration::from_millis(100);

impl Link {
    /// Dials and is welcomed.
    pub(super) async fn open(door: &Door, worker: Registered) -> anyhow::Result<Self> {
        timeout(PATIENCE, Self::greet(door, worker))
            .await
            .context("no welcome in time")?
    }

    async fn greet(door: &Door, worker: Registered) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(door.url())?
            .tcp_nodelay(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES);
        let (saying, said) = mpsc::channel(SAYINGS);
        let hello = WorkerHello {
            encryption_mode: announced(worker.mode).into(),
            public_key: worker.public_key.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        saying
            .send(message(from_worker::Body::Hello(hello)))
            .await?;
        let mut request = Request::new(ReceiverStream::new(said));
        let bearer = MetadataValue::try_from(format!("Bearer {}", worker.token))?;
        request.metadata_mut().insert("authorization", bearer);
        let client = WorkerLinkClient::new(endpoint.connect().await?);
        let mut client = client.max_decoding_message_size(MESSAGE_MAX);
        let mut heard = client.connect(request).await?.into_inner();
        match heard.message().await?.and_then(|first| first.body) {
            Some(to_worker::Body::Welcome(_)) => {}
            Some(_) | None => bail!("a simulated Worker was not welcomed"),
        }
        let ends = match worker.identity {
            None => Ends::Junk(Junk::new()),
            Some(identity) => Ends::Sealed(Box::new(Sealed::new(worker.id, identity, worker.mode))),
        };
        Ok(Self {
            heard,
            saying,
            answer: None,
            ends,
        })
    }

    /// Serves until the Hub ends the stream.
    ///
    /// Saying may wait for the socket, and hearing waits with it. That is safe here: clients of a
    /// run bound what is under way to less than the Hub keeps for a Worker.
    pub(super) async fn serve(mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut out = Vec::new();
        loop {
            let input = tokio::select! {
                heard = self.heard.message() => Input::Heard(heard.ok().flatten()),
                signed = self.ends.signed() => Input::Signed(signed),
                _ = tick.tick() => Input::Tick,
            };
            match input {
                Input::Heard(None) => return,
                Input::Heard(Some(heard)) => self.heed(heard, &mut out),
                Input::Signed(signed) => self.ends.answer(signed, &mut out),
                Input::Tick => self.ends.tick(&mut out),
            }
            for body in self
                .answer
                .take()
                .into_iter()
                .chain(out.drain(..).map(relay))
            {
                if self.saying.send(message(body)).await.is_err() {
                    return;
                }
            }
        }
    }

    fn heed(&mut self, heard: ToWorker, out: &mut Vec<Outer>) {
        match heard.body {
            Some(to_worker::Body::Relay(raw)) => self.ends.outer(raw, out),
            // Odd: a question.
            Some(to_worker::Body::Heartbeat(Heartbeat { nonce })) if nonce % 2 == 1 => {
                let nonce = nonce.wrapping_add(1);
                self.answer = Some(from_worker::Body::Heartbeat(Heartbeat { nonce }));
            }
            Some(
                to_worker::Body::Heartbeat(_)
                | to_worker::Body::Welcome(_)
                | to_worker::Body::Goodbye(_),
            )
            | None => {}
        }
    }
}

impl Ends {
    /// A message that cannot be parsed is the Hub's fault and shows as a loss.
    fn outer(&mut self, raw: Bytes, out: &mut Vec<Outer>) {
        let Ok(outer) = Outer::parse(raw) else { return };
        match self {
            Self::Junk(junk) => out.extend(junk.outer(outer)),
            Self::Sealed(sealed) => sealed.outer(outer, out),
        }
    }

    async fn signed(&mut self) -> Signed {
        match self {
            Self::Junk(_) => std::future::pending().await,
            Self::Sealed(sealed) => sealed.signed().await,
        }
    }

    fn answer(&mut self, signed: Signed, out: &mut Vec<Outer>) {
        if let Self::Sealed(sealed) = self {
            sealed.answer(signed, out);
        }
    }

    fn tick(&mut self, out: &mut Vec<Outer>) {
        if let Self::Sealed(sealed) = self {
            sealed.tick(out);
        }
    }
}

fn relay(outer: Outer) -> from_worker::Body {
    from_worker::Body::Relay(outer.encode())
}

const fn message(body: from_worker::Body) -> FromWorker {
    FromWorker { body: Some(body) }
}
