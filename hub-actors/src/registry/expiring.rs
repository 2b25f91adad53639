//! A session ends when its credential does: when it was to end it is asked whether it has.
//!
//! A login slides on while it is used, and a token is refreshed. So the time that a session was
//! admitted with is only when to look.

use std::time::Duration;

use actix::{ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};
use schema::ids::CredentialId;

use super::Registry;
use crate::{
    clock,
    error::Fault,
    messages::SessionId,
    store::{Store, expiry, standing},
    topic::Topic,
};

/// Timers that are set for longer are looked at sooner: clocks are set, laptops sleep.
const LOOK_WITHIN: Duration = Duration::from_secs(600);
/// When the database could not say.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

enum Fate {
    /// It is live, and ends by itself in so long, if ever.
    Live(Option<Duration>),
    Over,
}

impl Registry {
    pub(super) fn expire_in(
        &mut self,
        ends_in: Duration,
        session: SessionId,
        credential: CredentialId,
        ctx: &mut Context<Self>,
    ) {
        let look = move |registry: &mut Self, ctx: &mut Context<Self>| {
            registry.expiries.remove(&session);
            registry.look_at_end(session, credential, ctx);
        };
        let timer = ctx.run_later(ends_in.min(LOOK_WITHIN), look);
        self.expiries.insert(session, timer);
    }

    fn look_at_end(&self, session: SessionId, credential: CredentialId, ctx: &mut Context<Self>) {
        let (store, asked) = (self.parts.store.clone(), credential.clone());
        let fate = async move { fate(&store, asked).await };
        ctx.spawn(fate.into_actor(self).map(move |fate, registry, ctx| {
            let is_here = registry.directory.user_of(session).is_some();
            match fate {
                Ok(Fate::Live(Some(ends_in))) if is_here => {
                    registry.expire_in(ends_in, session, credential, ctx);
                }
                Ok(Fate::Live(_)) => {}
                Ok(Fate::Over) => registry.expired(credential, ctx),
                Err(fault) => {
                    let error = &fault as &dyn std::error::Error;
                    tracing::warn!(error, "it is not known whether a credential has expired");
                    if is_here {
                        registry.expire_in(LOOK_AGAIN, session, credential, ctx);
                    }
                }
            }
        }));
    }

    fn expired(&mut self, credential: CredentialId, ctx: &mut Context<Self>) {
        self.end_expired(&Topic::Credential(credential.clone()));
        let store = self.parts.store.clone();
        let noted = async move {
            let ended = store.write(move |conn| {
                expiry::end_one(conn, &credential, clock::unix_ms()).map(Ok::<_, Fault>)
            });
            if let Err(fault) = ended.await {
                // The next sweep does it.
                let error = &fault as &dyn std::error::Error;
                tracing::warn!(error, "not noted: a credential that expired");
            }
        };
        ctx.spawn(noted.into_actor(self));
    }
}

async fn fate(store: &Store, credential: CredentialId) -> Result<Fate, Fault> {
    let now_ms = clock::unix_ms();
    let end = store.run(move |conn| standing::end_of(conn, &credential, now_ms));
    let left = |at: i64| u64::try_from(at.saturating_sub(now_ms)).unwrap_or_default();
    Ok(match end.await? {
        None => Fate::Over,
        Some(end) => Fate::Live(end.map(|at| Duration::from_millis(left(at)))),
    })
}
