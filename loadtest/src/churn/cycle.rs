//! One client that comes and goes.

use std::{ops::AddAssign, time::Duration};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use channel_actors::{CloseReason, RefusalReason, close};
use futures_util::{SinkExt as _, StreamExt as _};
use rand::RngExt as _;
use schema::{
    frame::{FLAG_MORE, Frame, Outer},
    ids::{ChannelId, WorkerId},
    wire::{self, control::Body},
};
use serde::Serialize;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    hub::door::{Door, RelaySocket},
    schedule::Dice,
    worker::message_1,
};

/// What a client does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    frames: usize,
    bytes: usize,
    leaving: Leaving,
}

/// How it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// Closes the channel, then the WebSocket.
    Politely,
    /// The WebSocket is closed under the channel.
    Abruptly,
    /// The TCP connection is closed under the WebSocket.
    Dropped,
    /// The same in the middle of a message.
    MidMessage,
    /// The TCP connection is reset.
    Reset,
}

/// How cycles ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Outcomes {
    /// As planned.
    pub(crate) gone: u64,
    /// The link of their Worker was cut under them.
    pub(crate) cut_off: u64,
    /// Tries that found their Worker not back yet.
    pub(crate) offline: u64,
    /// Neither.
    pub(crate) failed: u64,
    /// Why the first of those did.
    pub(crate) first_failure: Option<String>,
}

/// How one did.
pub(super) enum Outcome {
    Gone,
    CutOff,
    /// To be tried again.
    Offline,
}

const PATIENCE: Duration = Duration::from_secs(20);
/// A cut Worker is back after 1.2 s, or 2.4 s if it was cut twice, and so on.
const RETRY: Duration = Duration::from_millis(300);
const TRIES: u64 = 1_000;
const FRAMES_MAX: usize = 8;
const BYTES_MIN: usize = 32;
const BYTES_MAX: usize = 4_096;

impl Plan {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        Self {
            frames: dice.below(FRAMES_MAX + 1),
            bytes: BYTES_MIN + dice.below(BYTES_MAX - BYTES_MIN),
            leaving: match dice.below(8) {
                0..=3 => Leaving::Politely,
                4 => Leaving::Abruptly,
                5 => Leaving::Dropped,
                6 => Leaving::MidMessage,
                _ => Leaving::Reset,
            },
        }
    }
}

impl Outcomes {
    /// Cycles so far.
    pub(crate) const fn all(&self) -> u64 {
        self.gone + self.cut_off + self.failed
    }

    /// Those of a warm-up count; nothing else of it does.
    pub(super) fn only_failures(self) -> Self {
        Self {
            failed: self.failed,
            first_failure: self.first_failure,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, outcome: anyhow::Result<Outcome>, tries: u64) {
        self.offline += tries;
        match outcome {
            Ok(Outcome::Gone) => self.gone += 1,
            Ok(Outcome::CutOff) => self.cut_off += 1,
            Ok(Outcome::Offline) => self.fail("a Worker did not come back".to_owned()),
            Err(error) => self.fail(format!("{error:#}")),
        }
    }
}

impl Outcomes {
    fn fail(&mut self, why: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(why);
    }
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, other: Self) {
        self.gone += other.gone;
        self.cut_off += other.cut_off;
        self.offline += other.offline;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }
}

/// Comes as planned, again as long as the Worker is not there. Gives the vain tries, too.
pub(super) async fn cycle(
    door: &Door,
    worker: &WorkerId,
    plan: Plan,
) -> (anyhow::Result<Outcome>, u64) {
    for tries in 0..TRIES {
        match visit(door, worker, plan).await {
            Ok(Outcome::Offline) => {
                let luck: f64 = rand::rng().random();
                tokio::time::sleep(RETRY.mul_f64(0.5 + luck)).await;
            }
            ended => return (ended, tries),
        }
    }
    (Ok(Outcome::Offline), TRIES)
}

/// Comes, does what is planned and goes.
///
/// # Errors
///
/// Anything but the cut of its Worker's link was in the way, or a frame came back changed.
async fn visit(door: &Door, worker: &WorkerId, plan: Plan) -> anyhow::Result<Outcome> {
    let socket = door.relay().await?;
    let channel = ChannelId::from_bytes(rand::rng().random());
    let mut visitor = Visitor { socket, channel };
    let staying = timeout(PATIENCE, visitor.stay(worker, plan));
    let ended = staying.await.context("a cycle stands still")??;
    visitor.leave(plan.leaving).await?;
    Ok(ended)
}

struct Visitor {
    socket: RelaySocket,
    channel: ChannelId,
}

/// What a visitor hears.
enum Heard {
    Opened,
    Back(Frame),
    CutOff,
    Offline,
}

impl Visitor {
    async fn stay(&mut self, worker: &WorkerId, plan: Plan) -> anyhow::Result<Outcome> {
        let open = wire::Open {
            channel_id: Bytes::copy_from_slice(self.channel.as_bytes()),
            worker_id: worker.as_str().to_owned(),
            noise: message_1(),
            workspaces: Vec::new(),
            max_message_bytes: 0,
        };
        self.say(Body::Open(open).into()).await?;
        match self.hear().await? {
            Heard::Opened => {}
            Heard::CutOff => return Ok(Outcome::CutOff),
            Heard::Offline => return Ok(Outcome::Offline),
            Heard::Back(_) => bail!("a frame came before the channel was open"),
        }
        for number in 0..plan.frames {
            self.say(self.frame(number, 0, plan.bytes).into()).await?;
        }
        self.hear_back(plan).await
    }

    async fn hear_back(&mut self, plan: Plan) -> anyhow::Result<Outcome> {
        for number in 0..plan.frames {
            let expected = self.frame(number, 0, plan.bytes);
            match self.hear().await? {
                Heard::Back(frame) if frame.as_bytes() == expected.as_bytes() => {}
                Heard::CutOff => return Ok(Outcome::CutOff),
                Heard::Back(_) | Heard::Opened | Heard::Offline => bail!("not what was sent"),
            }
        }
        if plan.leaving == Leaving::MidMessage {
            let first = self.frame(plan.frames, FLAG_MORE, plan.bytes);
            self.say(first.into()).await?;
        }
        Ok(Outcome::Gone)
    }

    fn frame(&self, number: usize, flags: u8, bytes: usize) -> Frame {
        let fill = u8::try_from(number % 251).unwrap_or_default();
        Frame::new(self.channel, 0, number as u64, flags, &vec![fill; bytes])
    }

    async fn say(&mut self, outer: Outer) -> anyhow::Result<()> {
        self.socket.send(Message::Binary(outer.encode())).await?;
        Ok(())
    }

    async fn hear(&mut self) -> anyhow::Result<Heard> {
        while let Some(message) = self.socket.next().await {
            let Message::Binary(raw) = message? else {
                continue;
            };
            match Outer::parse(raw)? {
                Outer::Frame(frame) => return Ok(Heard::Back(frame)),
                Outer::Control(Body::Opened(_)) => return Ok(Heard::Opened),
                Outer::Control(Body::Refused(refused)) => return refusal(refused.reason),
                Outer::Control(Body::Close(close)) => return end(close.reason),
                Outer::Control(_) => {}
            }
        }
        bail!("the Hub closed a session")
    }

    async fn leave(mut self, leaving: Leaving) -> anyhow::Result<()> {
        match leaving {
            Leaving::Politely => {
                let close = close::close(self.channel, 0, CloseReason::ClosedByClient);
                self.say(close.into()).await?;
                self.hang_up().await
            }
            Leaving::Abruptly => self.hang_up().await,
            Leaving::Dropped | Leaving::MidMessage => Ok(()),
            Leaving::Reset => Ok(self.socket.get_ref().set_zero_linger()?),
        }
    }

    /// Closes the WebSocket, and waits for the Hub's word that it has, but not for its socket.
    async fn hang_up(mut self) -> anyhow::Result<()> {
        let hanging_up = timeout(PATIENCE, async {
            self.socket.close(None).await?;
            while let Some(Ok(message)) = self.socket.next().await {
                if message.is_close() {
                    break;
                }
            }
            anyhow::Ok(())
        });
        hanging_up.await.context("the Hub does not say goodbye")?
    }
}

fn refusal(code: i32) -> anyhow::Result<Heard> {
    match RefusalReason::from_wire(code) {
        Some(RefusalReason::WorkerOffline) => Ok(Heard::Offline),
        Some(reason) => bail!("an open was refused: {}", reason.label()),
        None => bail!("an open was refused for no reason"),
    }
}

fn end(code: i32) -> anyhow::Result<Heard> {
    match CloseReason::from_wire(code) {
        Some(CloseReason::WorkerOffline | CloseReason::ConnectionLost) => Ok(Heard::CutOff),
        Some(reason) => bail!("a channel was closed: {}", reason.label()),
        None => bail!("a channel was closed for no reason"),
    }
}
