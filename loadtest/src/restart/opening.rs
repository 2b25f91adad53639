//! How a simulated client opens its channels: one handshake each, and never another.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use channel_actors::{
    RefusalReason,
    endpoint::{Endpoint, Initiator, OpenParts, PublicKey},
};
use rand::RngExt as _;
use schema::{
    frame::Outer,
    ids::ChannelId,
    wire::{self, control::Body},
};
use tokio::time::{sleep, timeout};

use super::{
    line::Line,
    session::{PATIENCE, Session, hear, write},
};
use crate::{client::lane::Lane, clock, worker::Registered};

/// Refusals that name a delay, before an open counts as failed.
const TRIES: u32 = 100;

impl Session {
    /// Opens one more channel, and the stream on it.
    ///
    /// # Errors
    ///
    /// It was refused for good, or too often, or is not ready in time.
    pub(super) async fn open(
        &mut self,
        worker: &Registered,
        lane: Arc<Lane>,
    ) -> anyhow::Result<()> {
        let channel = ChannelId::from_bytes(rand::rng().random());
        let endpoint = self.shake_hands(worker, channel).await?;
        self.lines.insert(channel, Line::new(endpoint, lane));
        self.order.push(channel);
        let ready = async {
            self.settle().await;
            while !self.line(channel)?.is_ready() {
                self.step(&mut None).await?;
                self.settle().await;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, ready)
            .await
            .context("a channel is not ready in time")?
    }

    /// A handshake, tried again when the Worker is busy.
    async fn shake_hands(
        &mut self,
        worker: &Registered,
        channel: ChannelId,
    ) -> anyhow::Result<Endpoint> {
        for _ in 0..TRIES {
            let (initiator, open) = self.initiate(worker, channel)?;
            let socket = self.socket.as_mut().context("the Hub closed a session")?;
            write(socket, vec![open.into()]).await?;
            match timeout(PATIENCE, self.answer()).await?? {
                Ok(opened) => {
                    self.shared.open();
                    let endpoint = initiator.opened(&opened, &mut rand::rng(), clock::now());
                    return Ok(endpoint?);
                }
                Err(refused) => sleep(patience(&refused)?).await,
            }
        }
        bail!("an open was refused too often")
    }

    fn initiate(
        &self,
        worker: &Registered,
        channel: ChannelId,
    ) -> anyhow::Result<(Initiator, Body)> {
        let worker_key = PublicKey::from_bytes(&worker.public_key)
            .map_err(|_| anyhow::anyhow!("a simulated Worker's key is none"))?;
        let parts = OpenParts {
            mode: worker.mode,
            worker_key: &worker_key,
            channel,
            worker: worker.id.clone(),
            user: self.shared.user.clone(),
            device: self.shared.device.clone(),
            certificates: Vec::new(),
            workspaces: Vec::new(),
            limits: self.shared.limits.clone(),
        };
        Ok(Initiator::open(parts, &mut rand::rng(), clock::now())?)
    }

    /// The answer to an open. What is another channel's goes there.
    async fn answer(&mut self) -> anyhow::Result<Result<wire::Opened, wire::Refused>> {
        loop {
            let raw = hear(&mut self.socket).await;
            match Outer::parse(raw.context("the Hub closed a session")?)? {
                Outer::Control(Body::Opened(opened)) => return Ok(Ok(opened)),
                Outer::Control(Body::Refused(refused)) if refused.serial == 0 => {
                    return Ok(Err(refused));
                }
                other @ (Outer::Frame(_) | Outer::Control(_)) => self.heard(other),
            }
        }
    }
}

/// How long to wait before the next try.
///
/// # Errors
///
/// A refusal for good.
fn patience(refused: &wire::Refused) -> anyhow::Result<Duration> {
    if refused.retry_after_ms == 0 {
        let reason = RefusalReason::from_wire(refused.reason);
        let reason = reason.map_or("no reason", RefusalReason::label);
        bail!("an open was refused: {reason}");
    }
    let luck: f64 = rand::rng().random();
    let wait = Duration::from_millis(refused.retry_after_ms.into()).mul_f64(1.0 + luck / 2.0);
    Ok(wait.min(PATIENCE))
}
