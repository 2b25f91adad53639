//! Who hears what: changes, from a cursor on, and where people are, live only.

use std::{collections::BTreeSet, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, Context, Handler, WrapFuture as _};
use schema::ids::{UserId, WorkerId};

use super::{KnownSession, Registry, Ways};
use crate::{
    clock,
    events::Missed,
    messages::{Announce, Notice, SessionId, Speak},
    notes::About,
    store::{Connection, workers},
    telemetry::SessionEnd,
    whereabouts::Told,
};

/// How often pages are looked at that say nothing.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Registry {
    /// Tells everybody who watches as this user.
    pub(super) fn announce(&mut self, user: UserId, about: &About) {
        let watchers = self.directory.watchers(&user);
        let cursor = self.events.note(user, about.clone());
        for session in watchers {
            let about = about.clone();
            self.notify(session, Notice { cursor, about });
        }
    }

    /// A Worker came or went: its owner hears it at once, and then whoever else may route to it.
    pub(super) fn announce_worker(
        &mut self,
        owner: UserId,
        worker: WorkerId,
        ctx: &mut Context<Self>,
    ) {
        self.announce(owner.clone(), &About::Worker(worker.clone()));
        let (store, id) = (self.parts.store.clone(), worker.clone());
        let viewers = move |conn: &mut Connection| match workers::find(conn, &id)? {
            Some(found) => workers::viewers(conn, &found),
            None => Ok(BTreeSet::new()),
        };
        let question = async move { store.run(viewers).await };
        let told = question
            .into_actor(self)
            .map(move |users, registry, _| match users {
                Ok(users) => {
                    let others = users.into_iter().filter(|user| *user != owner);
                    others.for_each(|user| registry.announce(user, &About::Worker(worker.clone())));
                }
                Err(fault) => {
                    let error = &fault as &dyn std::error::Error;
                    tracing::warn!(error, %worker, "not told to others");
                }
            });
        ctx.spawn(told);
    }

    fn notify(&self, session: SessionId, notice: Notice) {
        let Some(KnownSession {
            ways: Ways::Events(notices),
            ..
        }) = self.sessions.get(&session)
        else {
            return;
        };
        if notices.offer(notice).is_err() {
            self.depart(session, SessionEnd::Slow, Duration::ZERO);
        }
    }

    /// What a watcher missed, and where everybody is.
    pub(super) fn replay(&self, session: SessionId, user: &UserId, cursor: Option<u64>) {
        match self.events.since(cursor, user) {
            Missed::Everything(cursor) => {
                let about = About::Everything;
                self.notify(session, Notice { cursor, about });
            }
            Missed::Changes(changes) => {
                for (cursor, about) in changes {
                    self.notify(session, Notice { cursor, about });
                }
            }
        }
        for it in self.whereabouts.seen_by(user) {
            let (cursor, about) = (self.events.newest(), About::Presence(Box::new(it)));
            self.notify(session, Notice { cursor, about });
        }
    }

    /// Told to whoever watches now, and not remembered.
    fn tell_live(&self, told: Vec<Told>) {
        let cursor = self.events.newest();
        for (people, it) in told {
            for user in people {
                for session in self.directory.watchers(&user) {
                    let about = About::Presence(Box::new(it.clone()));
                    self.notify(session, Notice { cursor, about });
                }
            }
        }
    }

    pub(super) fn look_for_the_silent(&mut self) {
        let told = self.whereabouts.expire(clock::now());
        self.tell_live(told);
    }
}

impl Handler<Announce> for Registry {
    type Result = ();

    fn handle(&mut self, Announce(news): Announce, _: &mut Context<Self>) {
        for user in news.users {
            self.announce(user, &news.about);
        }
    }
}

impl Handler<Speak> for Registry {
    type Result = ();

    fn handle(&mut self, Speak { said, people }: Speak, _: &mut Context<Self>) {
        let told = self.whereabouts.hear(said, people, clock::now());
        self.tell_live(told);
    }
}
