//! One Worker's stream to the Hub: hello, heartbeats, and outer messages both ways.

use std::time::Duration;

use anyhow::bail;
use schema::{
    frame::Outer,
    wire::{
        FromWorker, Heartbeat, ToWorker, WorkerHello, from_worker, to_worker,
        worker_link_client::WorkerLinkClient,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming, metadata::MetadataValue, transport::Endpoint};

use super::{
    ends::Ends,
    registration::{Registered, announced},
    sealed::Signed,
};
use crate::hub::door::Door;

/// A link that was welcomed.
pub(super) struct Link {
    heard: Streaming<ToWorker>,
    saying: mpsc::Sender<FromWorker>,
    /// To a heartbeat, due before anything else.
    answer: Option<from_worker::Body>,
    /// When to come back, once the Hub has said goodbye.
    hint: Duration,
}

/// What happened at a link.
enum Input {
    Heard(Option<ToWorker>),
    Signed(Signed),
    Tick,
}

/// Longest time in which the Hub takes nothing.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// Messages that may wait for the socket.
const SAYINGS: usize = 256;
/// A control message of 128 KiB and what is round it.
const MESSAGE_MAX: usize = 256 << 10;
/// What may be under way, and in one frame of HTTP/2: as a real Worker has it.
const WINDOW_BYTES: u32 = 4 << 20;
const DATA_FRAME_MAX: u32 = 256 << 10;
/// How often endpoints are asked whether something is due.
const TICK: Duration = Duration::from_millis(100);
/// A Hub that is silent for so long is gone: it asks after five seconds of silence itself.
const SILENCE_MAX: Duration = Duration::from_secs(15);

impl Link {
    /// Dials and is welcomed.
    pub(super) async fn open(door: &Door, worker: &Registered) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(door.url())?
            .tcp_nodelay(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(DATA_FRAME_MAX);
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
        Ok(Self {
            heard,
            saying,
            answer: None,
            hint: Duration::ZERO,
        })
    }

    /// Serves until the stream ends. Says when the Hub wants it back; zero when it did not say.
    ///
    /// Saying may wait for the socket, and hearing waits with it. That is safe here: clients of a
    /// run bound what is under way to less than the Hub keeps for a Worker.
    pub(super) async fn serve(&mut self, ends: &mut Ends) -> Duration {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let (mut out, mut quiet) = (Vec::new(), Duration::ZERO);
        while quiet < SILENCE_MAX {
            let input = tokio::select! {
                heard = self.heard.message() => Input::Heard(heard.ok().flatten()),
                signed = ends.signed() => Input::Signed(signed),
                _ = tick.tick() => Input::Tick,
            };
            match input {
                Input::Heard(None) => break,
                Input::Heard(Some(heard)) => {
                    quiet = Duration::ZERO;
                    self.heed(heard, ends, &mut out);
                }
                Input::Signed(signed) => ends.answer(signed, &mut out),
                Input::Tick => {
                    quiet += TICK;
                    ends.tick(&mut out);
                }
            }
            if !self.say(&mut out).await {
                break;
            }
        }
        self.hint
    }

    /// False when the Hub takes nothing any more.
    async fn say(&mut self, out: &mut Vec<Outer>) -> bool {
        let answer = self.answer.take().into_iter();
        for body in answer.chain(out.drain(..).map(relay)) {
            let saying = self.saying.send_timeout(message(body), WRITE_PATIENCE);
            if saying.await.is_err() {
                return false;
            }
        }
        true
    }

    fn heed(&mut self, heard: ToWorker, ends: &mut Ends, out: &mut Vec<Outer>) {
        match heard.body {
            Some(to_worker::Body::Relay(raw)) => ends.outer(raw, out),
            // Odd: a question.
            Some(to_worker::Body::Heartbeat(Heartbeat { nonce })) if nonce % 2 == 1 => {
                let nonce = nonce.wrapping_add(1);
                self.answer = Some(from_worker::Body::Heartbeat(Heartbeat { nonce }));
            }
            Some(to_worker::Body::Goodbye(goodbye)) => {
                self.hint = Duration::from_millis(goodbye.reconnect_after_ms.into());
            }
            Some(to_worker::Body::Heartbeat(_) | to_worker::Body::Welcome(_)) | None => {}
        }
    }
}

fn relay(outer: Outer) -> from_worker::Body {
    from_worker::Body::Relay(outer.encode())
}

const fn message(body: from_worker::Body) -> FromWorker {
    FromWorker { body: Some(body) }
}
