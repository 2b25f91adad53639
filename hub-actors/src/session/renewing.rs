//! Renewals that are under way: who may, what the Registry says, and a Close that comes too early.
//!
//! After a restart everybody comes back at once, so renewals wait for each other and are not refused
//! for being many: their bound is that of the channels that a user may have.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use actix_web_actors::ws::WebsocketContext;
use channel_actors::{Refusal, RefusalReason, figures, refusal};
use schema::{
    ids::{ChannelId, WorkerId},
    wire,
};

use super::relay::Session;
use crate::{
    caller::Caller,
    clock,
    error::{Fault, Quota},
    grant::{self, Plea},
    messages::{RenewChannel, SessionId},
    state::{State, ask},
    telemetry::{self, SessionEnd},
};

/// Renewals of one session that may be under way: as many as a user has channels.
const RENEWING_MAX: usize = 1_024;
/// How long one waits for its turn at the database.
const TURN_WITHIN: Duration = Duration::from_secs(8);
/// Message 1 of a renewal in the post-quantum mode (docs/protocol.md, section 5).
const NOISE_MAX: usize = 3_192;

/// The renewals of one session that are not answered.
#[derive(Default)]
pub(super) struct Renewing {
    channels: BTreeMap<ChannelId, Asked>,
}

struct Asked {
    serial: u32,
    /// What the client has said meanwhile.
    close: Option<wire::Close>,
}

impl Renewing {
    /// Notes one; an older one of the same channel is of no interest any more.
    fn begin(&mut self, channel: ChannelId, serial: u32) -> Result<(), Refusal> {
        let is_known = self.channels.contains_key(&channel);
        if !is_known && self.channels.len() >= RENEWING_MAX {
            return Err(busy(channel));
        }
        let close = None;
        self.channels.insert(channel, Asked { serial, close });
        Ok(())
    }

    /// It was answered; the Close that waits for its channel, as said under its new epoch.
    pub(super) fn end(&mut self, channel: &ChannelId) -> Option<wire::Close> {
        let Asked { serial, close } = self.channels.remove(channel)?;
        close.map(|close| said_after(close, serial))
    }

    /// A Close of a channel that has no route here before its renewal is answered.
    pub(super) fn keep(&mut self, channel: &ChannelId, close: &wire::Close) -> bool {
        let asked = self.channels.get_mut(channel);
        asked
            .map(|asked| asked.close = Some(close.clone()))
            .is_some()
    }

    /// A Close that comes behind a renewal, over the same socket, is not one of an older epoch.
    pub(super) fn date(&self, channel: &ChannelId, close: wire::Close) -> wire::Close {
        match self.channels.get(channel) {
            Some(asked) => said_after(close, asked.serial),
            None => close,
        }
    }

    /// One was answered; a newer one of the same channel still waits for its own answer.
    pub(super) fn answered(&mut self, channel: &ChannelId, serial: u32) {
        if self.is_newest(channel, serial) {
            self.channels.remove(channel);
        }
    }

    fn is_newest(&self, channel: &ChannelId, serial: u32) -> bool {
        let asked = self.channels.get(channel);
        asked.is_some_and(|asked| asked.serial == serial)
    }
}

impl Session {
    /// The client wants new keys, over the path that stands or over this one in its place.
    pub(super) fn renew(&mut self, renew: wire::Renew, ctx: &mut WebsocketContext<Self>) {
        let Ok(channel) = ChannelId::try_from(&renew.channel_id[..]) else {
            return self.leave(SessionEnd::Protocol, ctx);
        };
        let serial = renew.serial;
        let worker = match self.may_renew(channel, &renew) {
            Ok(worker) => worker,
            Err(refusal) => return self.refuse_renewal(channel, serial, refusal),
        };
        let (state, caller, session) = (self.state.clone(), self.caller.clone(), self.guard.id);
        let renewed =
            async move { renew_channel(&state, caller, session, worker, channel, renew).await };
        ctx.spawn(renewed.into_actor(self).map(move |renewed, session, _| {
            // Else its answer comes by the channel.
            if let Err(refusal) = renewed {
                session.refuse_renewal(channel, serial, refusal);
            }
        }));
    }

    fn may_renew(&mut self, channel: ChannelId, renew: &wire::Renew) -> Result<WorkerId, Refusal> {
        if renew.serial == 0 || renew.noise.len() > NOISE_MAX {
            return Err(RefusalReason::Malformed.into());
        }
        // Whatever is no id is no Worker either.
        let worker = WorkerId::parse(&renew.worker_id).map_err(|_| RefusalReason::NotFound)?;
        if self.opening.contains_key(&channel) {
            return Err(RefusalReason::Stale.into());
        }
        let renewals = self.state.renewals.lock();
        let mut renewals = renewals.unwrap_or_else(PoisonError::into_inner);
        renewals
            .take(&self.caller.user, clock::now())
            .map_err(|retry_after| {
                telemetry::quota_refusal(Quota::Renewals);
                let reason = RefusalReason::Quota;
                Refusal {
                    reason,
                    retry_after,
                }
            })?;
        self.renewing.begin(channel, renew.serial)?;
        Ok(worker)
    }

    /// Changes nothing of the channel.
    fn refuse_renewal(&mut self, channel: ChannelId, serial: u32, refusal: Refusal) {
        self.renewing.answered(&channel, serial);
        figures::renewal_refused(refusal.reason);
        let refused = refusal::refused_renewal(channel, refusal, serial);
        self.outgoing.control(refused);
    }
}

/// Asks the Registry, in turn.
async fn renew_channel(
    state: &State,
    caller: Caller,
    session: SessionId,
    worker: WorkerId,
    channel: ChannelId,
    renew: wire::Renew,
) -> Result<(), Refusal> {
    let failed = |fault: Fault| {
        tracing::error!(error = &fault as &dyn std::error::Error, "a renewal failed");
        busy(channel)
    };
    let turn = tokio::time::timeout(TURN_WITHIN, state.renewing.acquire());
    let Ok(Ok(_turn)) = turn.await else {
        return Err(busy(channel));
    };
    let plea = Plea::new(caller, worker, Vec::new());
    let grant = grant::authorise(&state.store, state.config.organisations, plea);
    let grant = grant.await.map_err(failed)??;
    let order = RenewChannel {
        grant,
        session,
        channel,
        renew,
    };
    ask(&state.registry, order).await.map_err(failed)?
}

fn said_after(close: wire::Close, serial: u32) -> wire::Close {
    wire::Close {
        epoch: close.epoch.max(serial),
        ..close
    }
}

/// Not all at the same time again: a channel id is as good as a draw, being one.
fn busy(channel: ChannelId) -> Refusal {
    let drawn = channel.as_bytes().iter().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    Refusal {
        reason: RefusalReason::Busy,
        retry_after: Duration::from_millis(250 + drawn % 1_000),
    }
}

#[cfg(test)]
mod tests {
    use schema::wire::control::Body;

    use super::*;
    use crate::departure;

    #[test]
    fn the_answer_to_an_older_renewal_does_not_end_a_newer_one() {
        let channel = ChannelId::from_bytes([7; 16]);
        let mut renewing = Renewing::default();
        for serial in [5, 6] {
            assert!(renewing.begin(channel, serial).is_ok());
        }
        let close = wire::Close::default();
        assert!(renewing.keep(&channel, &close));
        for (serial, epoch) in [(5, 6), (6, 0)] {
            let reason = RefusalReason::Stale.into();
            let body: Body = refusal::refused_renewal(channel, reason, serial);
            let answered = departure::answered(&body);
            assert_eq!(answered, Some((channel, serial)));
            renewing.answered(&channel, serial);
            let dated = renewing.date(&channel, close.clone());
            assert_eq!(dated.epoch, epoch);
        }
        assert_eq!(renewing.end(&channel), None);
    }
}
