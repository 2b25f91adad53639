//! What is revoked ends: fences first, and then everybody is told.

use std::time::Duration;

use actix::{Context, Handler};
use channel_actors::CloseReason;

use super::Registry;
use crate::{
    clock,
    directory::Revoked,
    messages::{DepartLink, Lapse, Revoke, SeeAgain},
    store::ledger::{Entry, Reason},
    telemetry::{self, LinkEnd, SessionEnd},
    topic::Topic,
};

/// When whoever was let go may come back; everybody adds a wait of their own.
const COME_BACK: Duration = Duration::from_millis(500);

impl Handler<Revoke> for Registry {
    type Result = ();

    fn handle(&mut self, order: Revoke, _: &mut Context<Self>) {
        self.directory.forget_old(clock::now());
        for entry in order.entries {
            let is_own = order.own.has(entry.seq);
            self.revoke(entry, is_own);
        }
    }
}

impl Handler<Lapse> for Registry {
    type Result = ();

    fn handle(&mut self, Lapse { seq, is_blind }: Lapse, _: &mut Context<Self>) {
        telemetry::lapsed();
        if is_blind {
            self.directory.go_blind();
        }
        // Whoever waits for an order of theirs hears that it has taken effect.
        self.fences.fall_all();
        let lapsed = self.directory.lapse(seq);
        self.close(&lapsed.channels, CloseReason::ConnectionLost);
        for session in lapsed.sessions {
            self.depart(session, SessionEnd::Lapsed, COME_BACK);
        }
        for (worker, id) in lapsed.links {
            let (end, reconnect_after) = (LinkEnd::Lapsed, COME_BACK);
            let goodbye = DepartLink {
                end,
                reconnect_after,
            };
            self.depart_link(&worker, id, goodbye);
        }
    }
}

impl Handler<SeeAgain> for Registry {
    type Result = ();

    fn handle(&mut self, _: SeeAgain, _: &mut Context<Self>) {
        self.directory.see();
    }
}

impl Registry {
    fn revoke(&mut self, entry: Entry, is_own: bool) {
        let Entry {
            seq,
            topic,
            reason,
            at_ms,
        } = entry;
        let (began, kind) = (clock::now(), topic.kind());
        self.fences.fall(&topic, seq);
        let revoked = self.directory.revoke(topic, seq, began);
        telemetry::revocation(kind, reason, clock::now().saturating_duration_since(began));
        let since = clock::unix_ms().saturating_sub(at_ms);
        let since = Duration::from_millis(u64::try_from(since).unwrap_or_default());
        telemetry::revocation_delay(is_own, since);
        self.end(revoked, reason);
    }

    /// What stood with a credential that has expired falls at once, before that is written down.
    pub(super) fn end_expired(&mut self, credential: &Topic) {
        self.fences.fall(credential, i64::MAX);
        let expired = self.directory.expire(credential);
        self.end(expired, Reason::Expired);
    }

    /// The fences are down.
    fn end(&self, revoked: Revoked, reason: Reason) {
        for (channel, session) in revoked.paths {
            self.close_path(session, &[channel], CloseReason::Revoked);
        }
        for session in revoked.sessions {
            self.depart(session, SessionEnd::Revoked, Duration::ZERO);
        }
        if let Some((worker, id)) = revoked.link {
            let (end, reconnect_after) = (end_of_link(reason), Duration::ZERO);
            let goodbye = DepartLink {
                end,
                reconnect_after,
            };
            self.depart_link(&worker, id, goodbye);
        }
    }
}

/// A Worker that has another owner comes back, one that is registered no more need not try.
const fn end_of_link(reason: Reason) -> LinkEnd {
    match reason {
        Reason::Deregistered | Reason::AccountDeleted | Reason::OrganisationDeleted => {
            LinkEnd::Deregistered
        }
        Reason::SignedOut
        | Reason::Revoked
        | Reason::PasswordChanged
        | Reason::AccountDisabled
        | Reason::ForcedOut
        | Reason::TokenReused
        | Reason::ShareWithdrawn
        | Reason::RoleLowered
        | Reason::MemberRemoved
        | Reason::Transferred
        | Reason::WorkspaceDeleted
        | Reason::Expired => LinkEnd::Revoked,
    }
}
