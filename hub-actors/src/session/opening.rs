//! Opens that are under way: who may, what the Registry says, and a Close that comes too early.

use std::{sync::PoisonError, time::Duration};

use channel_actors::{CloseReason, Refusal, RefusalReason, close};
use schema::{
    ids::{ChannelId, WorkerId},
    wire,
};

use super::relay::Session;
use crate::{
    caller::Caller,
    claim::Claim,
    clock,
    error::{Fault, Quota},
    grant::{self, Plea},
    messages::{OpenChannel, SessionId},
    state::{State, ask},
    telemetry,
};

/// Opens of one session that may be under way in the Hub.
const OPENING_MAX: usize = 64;
/// Message 1 in the post-quantum mode (docs/protocol.md, section 3).
const NOISE_MAX: usize = 3_184;

/// An open that is under way in the Hub, until its channel introduces itself.
pub(super) struct Opening {
    pub(super) claim: Claim,
    /// What the client has said meanwhile.
    pub(super) close: Option<wire::Close>,
}

impl Session {
    pub(super) fn may_open(&self, channel: ChannelId, open: &wire::Open) -> Result<(), Refusal> {
        if open.noise.len() > NOISE_MAX {
            return Err(RefusalReason::Malformed.into());
        }
        if self.opening.contains_key(&channel) {
            return Err(RefusalReason::Duplicate.into());
        }
        if self.opening.len() >= OPENING_MAX {
            return Err(busy());
        }
        let opens = self.state.opens.lock();
        let mut opens = opens.unwrap_or_else(PoisonError::into_inner);
        opens
            .take(&self.caller.user, clock::now())
            .map_err(|retry_after| {
                telemetry::quota_refusal(Quota::Opens);
                Refusal {
                    reason: RefusalReason::Quota,
                    retry_after,
                }
            })
    }

    /// Who has closed it already was told.
    pub(super) fn not_opened(&mut self, channel: ChannelId, refusal: Refusal) {
        let opening = self.opening.remove(&channel);
        if opening.is_none_or(|opening| opening.close.is_none()) {
            self.refuse(channel, refusal);
        }
    }

    /// A Close that came before its channel: it is never opened, or closed as soon as it is here.
    pub(super) fn close_early(&mut self, channel: ChannelId, close: wire::Close) {
        if let Some(opening) = self.opening.get_mut(&channel) {
            if opening.claim.settle() {
                let reason = CloseReason::ClosedByClient;
                self.outgoing.control(close::close(channel, 0, reason));
            }
            opening.close = Some(close);
        }
    }
}

/// Asks the Registry, at most as long as it takes to answer.
pub(super) async fn open_channel(
    state: &State,
    caller: Caller,
    session: SessionId,
    worker: WorkerId,
    open: wire::Open,
    channel: ChannelId,
    claim: Claim,
) -> Result<(), Refusal> {
    let failed = |fault: Fault| {
        tracing::error!(error = &fault as &dyn std::error::Error, "an open failed");
        busy()
    };
    let plea = Plea::new(caller, worker, open.workspaces);
    let grant = grant::authorise(&state.store, state.config.organisations, plea);
    let grant = grant.await.map_err(failed)??;
    let order = OpenChannel {
        grant,
        session,
        channel,
        noise: open.noise,
        claim: claim.clone(),
        max_message_bytes: open.max_message_bytes,
    };
    match ask(&state.registry, order).await {
        Ok(answer) => answer,
        Err(fault) if claim.settle() => Err(failed(fault)),
        // The answer is late, the channel is not.
        Err(_) => Ok(()),
    }
}

const fn busy() -> Refusal {
    Refusal {
        reason: RefusalReason::Busy,
        retry_after: Duration::from_secs(1),
    }
}
