//! What the doors of one Hub share.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr, Handler, Message, dev::ToEnvelope};
use channel_actors::{Limits, post::tell_addr};
use schema::ids::{CredentialId, UserId};
use tokio::sync::{Semaphore, watch};
use tracing::Instrument as _;

use crate::{
    abuse::Abuse,
    accounts::{failures::Failures, lockout::Lockout, password::Passwords, reset::Wishes},
    config::HubConfig,
    error::{Fault, Refusal},
    forwarded::Proxies,
    keyring::Keyring,
    limiter::Limiter,
    mail::Mailer,
    messages::{Announce, RefreshAccess, ShowCertificates},
    notes::{self, Author, Notes},
    oauth,
    orders::Orders,
    origin::Names,
    pace::Paces,
    presence::Presence,
    registry::Registry,
    revocation::Tail,
    store::{Connection, Store, certificates, users::User},
    token::Pepper,
    tokens::Tries,
};

/// One Hub, as its doors see it.
pub(crate) struct State {
    pub(crate) config: HubConfig,
    pub(crate) names: Names,
    pub(crate) store: Store,
    pub(crate) pepper: Pepper,
    /// Seals what is stored and has to be read again.
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) registry: Addr<Registry>,
    /// Carries revocations out.
    pub(crate) tail: Tail,
    pub(crate) presence: Presence,
    pub(crate) paces: Paces,
    pub(crate) limits: Arc<Limits>,
    pub(crate) admin: User,
    /// What a solo admin's sessions and channels stand with.
    pub(crate) solo_credential: CredentialId,
    pub(crate) abuse: Abuse,
    pub(crate) orders: Orders,
    pub(crate) passwords: Passwords,
    /// Speaks to providers of sign-in.
    pub(crate) oauth: oauth::Client,
    pub(crate) lockout: Mutex<Lockout>,
    pub(crate) failures: Failures,
    pub(crate) tries: Tries,
    /// Rises whenever a Worker has said that it goes.
    pub(crate) departures: watch::Sender<u64>,
    pub(crate) wishes: Wishes,
    pub(crate) mailer: Mailer,
    pub(crate) proxies: Proxies,
    /// Before the database is asked: an open costs it two questions.
    pub(crate) opens: Mutex<Limiter<UserId>>,
    /// The same, for renewals: they may be many at once.
    pub(crate) renewals: Mutex<Limiter<UserId>>,
    /// Turns at the database, so that all who come back at once wait among themselves.
    pub(crate) renewing: Semaphore,
    pub(crate) draining: AtomicBool,
}

/// An actor of ours that does not answer in this time never will.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

impl State {
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

impl State {
    /// Gives an order: one transaction that writes down who gave it and what it took back. When this
    /// returns, nothing passes any more that stood with what was taken back, and everybody who has
    /// to know is being told. What is begun is carried out, also when whoever asked has gone.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unconfirmed`]: it is done, and takes effect when the ledger can be read.
    pub(crate) async fn order<T, F>(&self, author: Author, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnMut(&mut Connection, &mut Notes) -> Result<Result<T, Refusal>, Fault> + Send + 'static,
    {
        let place = self.orders.begin(&author)?;
        let (store, tail) = (self.store.clone(), self.tail.clone());
        let registry = self.registry.clone();
        let carried_out = async move {
            // Held until it is done, though nobody waits.
            let _place = place;
            let (answer, notes) = notes::order(&store, author, work).await?;
            carry_out(&tail, &registry, notes).await?;
            Ok(answer)
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "waited for here; it has its own limits of time, and ends though nobody waits"
        )]
        let carried_out = tokio::spawn(carried_out.in_current_span());
        carried_out.await.map_err(|_| Fault::Task)?
    }
}

/// What has to be done behind the commit.
pub(crate) async fn carry_out(
    tail: &Tail,
    registry: &Addr<Registry>,
    notes: Notes,
) -> Result<(), Refusal> {
    let reached = match notes.newest {
        Some(newest) => tail.reach(newest, notes.revoked.len()).await,
        None => Ok(()),
    };
    for (worker, row) in notes.shown {
        let pieces = certificates::pieces([row]);
        tell_addr(registry, ShowCertificates { worker, pieces });
    }
    if !notes.refresh.is_empty() {
        let users = notes.refresh;
        tell_addr(registry, RefreshAccess { users });
    }
    for news in notes.news {
        tell_addr(registry, Announce(news));
    }
    reached.map_err(|fault| {
        let error = &fault as &dyn std::error::Error;
        tracing::error!(error, "done, and not confirmed: a revocation");
        Refusal::Unconfirmed
    })
}

/// Asks an actor, within a time.
pub(crate) async fn ask<A, M>(addr: &Addr<A>, message: M) -> Result<M::Result, Fault>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    match tokio::time::timeout(ANSWER_WITHIN, addr.send(message)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(Fault::Actor),
    }
}
