//! What the doors of one Hub share.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr, Handler, Message, dev::ToEnvelope};
use channel_actors::Limits;
use schema::ids::{CredentialId, UserId};
use tokio::sync::{Semaphore, watch};

use crate::{
    abuse::Abuse,
    accounts::{failures::Failures, lockout::Lockout, password::Passwords, reset::Wishes},
    config::HubConfig,
    error::{Fault, Refusal},
    forwarded::Proxies,
    keyring::Keyring,
    limiter::Limiter,
    mail::Mailer,
    messages::{Announce, RefreshAccess},
    notes::{self, Author, Notes},
    oauth,
    orders::Orders,
    origin::Names,
    pace::Paces,
    presence::Presence,
    registry::Registry,
    revocation::Tail,
    store::{Connection, Store, users::User},
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
    /// to know is being told.
    pub(crate) async fn order<T, F>(&self, author: Author, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnMut(&mut Connection, &mut Notes) -> Result<Result<T, Refusal>, Fault> + Send + 'static,
    {
        let _place = self.orders.begin(&author)?;
        let (answer, notes) = notes::order(&self.store, author, work).await?;
        self.carry_out(notes).await?;
        Ok(answer)
    }

    async fn carry_out(&self, notes: Notes) -> Result<(), Fault> {
        if let Some(newest) = notes.newest {
            self.tail.reach(newest, notes.revoked.len()).await?;
        }
        if !notes.refresh.is_empty() {
            let users = notes.refresh;
            channel_actors::post::tell_addr(&self.registry, RefreshAccess { users });
        }
        for news in notes.news {
            channel_actors::post::tell_addr(&self.registry, Announce(news));
        }
        Ok(())
    }
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
