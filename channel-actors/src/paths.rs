//! Which of a client's connections is the channel's: renewals, and connections that go.
//!
//! A connection that a renewal came over is a candidate. It takes the place of the channel's own
//! when the Worker's answer to that renewal passes, and until then nothing of the channel changes.

use std::time::Instant;

use actix::{Context, Handler};
use schema::wire::{self, control::Body};

use crate::{
    channel::{Channel, now},
    close::{self, CloseReason},
    figures::{self, RenewalResult},
    messages::{PassRenewal, PathForgotten, PathGone},
    outlets::ToClient,
    parts::Renewal,
    post::tell,
    refusal::{self, Refusal, RefusalReason},
    relay::{Dropped, Ending, Side},
    renewals::PathId,
};

impl Channel {
    /// Passes a renewal on to the Worker; over a new path, what its user may do goes first.
    pub(crate) fn pass_on(
        &mut self,
        path: PathId,
        renewal: Renewal,
        is_new_path: bool,
        now: Instant,
    ) -> Result<(), RefusalReason> {
        self.renewals.ask(path, renewal.renew.serial, now)?;
        self.relay.renewal_asked();
        self.report_path();
        if is_new_path {
            self.link.say(Body::AccessChanged(renewal.access));
        }
        self.link.say(Body::Renew(renewal.renew));
        Ok(())
    }

    /// The Worker went over to a new epoch.
    pub(crate) fn renewed(&mut self, renewed: wire::Renewed, ctx: &mut Context<Self>) {
        if self.is_of_another(renewed.serial) {
            return figures::renewal(RenewalResult::Late);
        }
        let old_epoch = self.relay.epoch();
        let (serial, bytes) = (renewed.serial, renewed.noise.len());
        let was_renewing = self.relay.is_renewing();
        if self.relay.renewed(serial, bytes).is_err() {
            return self.breach(Side::Worker, ctx);
        }
        let path = self.renewals.answered(serial);
        let taken = path.is_some_and(|path| self.take_path(path, old_epoch, ctx));
        if !taken {
            figures::renewal(RenewalResult::Late);
            if was_renewing {
                self.relay.path_lost();
                self.end_unless_awaited(Ending::Refused(RefusalReason::Timeout), ctx);
            }
            return;
        }
        self.guard.report().opened = true;
        self.report_path();
        tracing::info!(parent: &self.span, epoch = serial, "renewed");
        if let Some(browser) = &self.browser {
            browser.say(Body::Renewed(renewed));
        }
        self.rearm(ctx);
    }

    /// Makes a path the channel's own; the one that was is told so. False for one that went.
    fn take_path(&mut self, path: PathId, old_epoch: u32, ctx: &mut Context<Self>) -> bool {
        if self.path() == Some(path) {
            self.counted.renewed(false);
            return true;
        }
        let at = self.candidates.iter().position(|one| one.path == path);
        let Some(at) = at else {
            return false;
        };
        let candidate = self.candidates.swap_remove(at);
        if candidate.fence.is_down() {
            // Its goodbye is under way.
            return false;
        }
        self.link.go_under(candidate.fence.clone());
        let old = self.browser.replace(candidate);
        self.counted.renewed(old.is_some());
        match old {
            Some(old) if self.renewals.awaits(old.path) => self.candidates.push(old),
            Some(old) => {
                // What waits there was sealed under keys that are over.
                old.release(Dropped::StaleEpoch);
                old.say(close::close(self.id, old_epoch, CloseReason::Moved));
                self.forget(old.path);
            }
            None => {}
        }
        self.introduce(ctx);
        true
    }

    /// Whether an answer is to what an earlier actor of this channel has asked: a Worker that was
    /// slow to read answers that first, and is at no fault.
    fn is_of_another(&self, serial: u32) -> bool {
        let asked_before = self.relay.is_renewing() || serial < self.renewals.newest();
        asked_before && !self.renewals.knows(serial)
    }

    /// The Worker refused a renewal: who asked for it is told, and nothing else changes.
    pub(crate) fn renewal_refused(&mut self, refused: wire::Refused, ctx: &mut Context<Self>) {
        if self.is_of_another(refused.serial) {
            return figures::renewal(RenewalResult::Late);
        }
        let reason = RefusalReason::from_wire(refused.reason);
        let (Some(reason), Ok(())) = (reason, self.relay.renewal_refused()) else {
            return self.breach(Side::Worker, ctx);
        };
        match self.renewals.answered(refused.serial) {
            Some(path) => {
                self.tell_path(path, Body::Refused(refused));
                figures::renewal_refused(reason);
            }
            None => figures::renewal(RenewalResult::Late),
        }
        self.end_unless_awaited(Ending::Refused(reason), ctx);
    }

    /// The Worker took too long over some.
    pub(crate) fn expire_renewals(&mut self, now: Instant, ctx: &mut Context<Self>) {
        let expired = self.renewals.expire(now);
        if expired.is_empty() {
            return;
        }
        let refusal = RefusalReason::Timeout.into();
        for late in expired {
            let body = refusal::refused_renewal(self.id, refusal, late.serial);
            self.tell_path(late.path, body);
            figures::renewal_refused(RefusalReason::Timeout);
        }
        self.end_unless_awaited(Ending::Refused(RefusalReason::Timeout), ctx);
    }

    /// A connection went, or has to.
    pub(crate) fn path_gone(&mut self, path: PathId, why: CloseReason, ctx: &mut Context<Self>) {
        if self.relay.is_closed() {
            return;
        }
        let unanswered = self.renewals.waiting().filter(|one| one.path == path);
        (0..unanswered.count()).for_each(|_| figures::renewal(RenewalResult::Closed));
        self.renewals.forget(path);
        let is_own = self.path() == Some(path);
        if is_own && (why.is_final() || !self.is_awaited()) {
            return self.end(Ending::Closed(why), None, ctx);
        }
        self.tell_path(path, close::close(self.id, self.newest_epoch(), why));
        self.candidates.retain(|one| one.path != path);
        if is_own {
            self.browser = None;
            self.relay.path_lost();
            self.counted.waiting();
            self.report_path();
        }
        self.forget(path);
        self.end_unless_awaited(Ending::Closed(why), ctx);
    }

    /// A connection's actor has stopped; the Registry will say so in a moment.
    pub(crate) fn gone(&mut self, side: Side, ctx: &mut Context<Self>) {
        match (side, self.path()) {
            (Side::Client, Some(path)) => self.path_gone(path, CloseReason::ConnectionLost, ctx),
            (Side::Client, None) => {}
            (Side::Worker, _) => self.end(Ending::Closed(CloseReason::ConnectionLost), None, ctx),
        }
    }

    /// A channel that waits for a path ends when no renewal is left that could bring one.
    fn end_unless_awaited(&mut self, why: Ending, ctx: &mut Context<Self>) {
        let (renewals, candidates) = (&self.renewals, &mut self.candidates);
        let over: Vec<ToClient> = candidates
            .extract_if(.., |one| !renewals.awaits(one.path))
            .collect();
        if self.relay.is_closed() || !self.relay.is_renewing() || self.is_awaited() {
            over.iter().for_each(|one| self.forget(one.path));
            return;
        }
        let lost = Ending::Closed(CloseReason::ConnectionLost);
        let ending = if self.counted.was_live() { lost } else { why };
        self.end(ending, None, ctx);
    }

    /// The Registry may forget it too.
    fn forget(&self, path: PathId) {
        let (channel, passed) = (self.id, self.passed);
        let forgotten = PathForgotten {
            channel,
            path,
            passed,
        };
        tell(&self.forgotten, forgotten);
    }

    /// Whether it is the channel's own, or may become it.
    pub(crate) fn uses(&self, path: PathId) -> bool {
        let mut clients = self.browser.iter().chain(&self.candidates);
        clients.any(|client| client.path == path && !client.fence.is_down())
    }

    fn is_awaited(&self) -> bool {
        self.renewals.waiting().next().is_some()
    }

    fn tell_path(&self, path: PathId, body: Body) {
        let mut clients = self.browser.iter().chain(&self.candidates);
        if let Some(client) = clients.find(|client| client.path == path) {
            client.say(body);
        }
    }
}

impl Handler<PassRenewal> for Channel {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, order: PassRenewal, ctx: &mut Context<Self>) -> Self::Result {
        let PassRenewal { browser, renewal } = order;
        self.passed += 1;
        if self.relay.is_opening() || renewal.renew.serial <= self.relay.epoch() {
            return Err(RefusalReason::Stale.into());
        }
        if self.relay.is_closed() || browser.fence.is_down() {
            return Err(RefusalReason::Busy.into());
        }
        let path = browser.path;
        let is_new_path = self.path() != Some(path);
        self.pass_on(path, renewal, is_new_path, now())?;
        if is_new_path && self.candidates.iter().all(|one| one.path != path) {
            let candidate = ToClient::new(browser, &self.limits, &self.account);
            self.candidates.push(candidate);
        }
        self.rearm(ctx);
        Ok(())
    }
}

impl Handler<PathGone> for Channel {
    type Result = ();

    fn handle(&mut self, PathGone { path, reason }: PathGone, ctx: &mut Context<Self>) {
        self.path_gone(path, reason, ctx);
    }
}
