//! What the doors of one Hub share.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr, Handler, Message, dev::ToEnvelope};
use channel_actors::Limits;
use schema::ids::{CredentialId, UserId};
use tokio::sync::Semaphore;

use crate::{
    config::HubConfig,
    error::Fault,
    limiter::Limiter,
    origin::Names,
    presence::Presence,
    registry::Registry,
    store::{Store, users::User},
    token::Pepper,
};

/// One Hub, as its doors see it.
pub(crate) struct State {
    pub(crate) config: HubConfig,
    pub(crate) names: Names,
    pub(crate) store: Store,
    pub(crate) pepper: Pepper,
    pub(crate) registry: Addr<Registry>,
    pub(crate) presence: Presence,
    pub(crate) limits: Arc<Limits>,
    pub(crate) admin: User,
    /// What a solo admin's sessions and channels stand with.
    pub(crate) solo_credential: CredentialId,
    pub(crate) sign_ins: Mutex<Limiter<Option<IpAddr>>>,
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
