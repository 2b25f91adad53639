//! What the Channel does with the control messages of its two sides.

use actix::{ActorContext as _, Context, Handler};
use schema::wire::{self, control::Body};

use crate::{
    channel::{Channel, now},
    figures::{self, AnnouncementResult},
    messages::{AnnounceAccess, ControlFromBrowser, ControlFromWorker},
    refusal::RefusalReason,
    relay::{Ending, Relay, Side},
};

impl Channel {
    fn control_from_worker(&mut self, body: Body, ctx: &mut Context<Self>) {
        if self.relay.is_closed() {
            return;
        }
        match body {
            Body::Close(close) => self.closed_by(Side::Worker, &close, ctx),
            Body::AccessAcknowledged(acknowledged) => {
                let count = self.announcements.acknowledged(acknowledged.change);
                figures::announced(AnnouncementResult::Acknowledged, count);
            }
            // The fence has fallen, and the goodbye is under way.
            Body::Opened(_) | Body::Refused(_) | Body::Renewed(_) if self.is_fenced() => {}
            Body::Opened(opened) => self.opened(opened, ctx),
            Body::Refused(refused) if refused.serial != 0 => self.renewal_refused(refused, ctx),
            Body::Refused(refused) => self.refused(refused, ctx),
            Body::Renewed(renewed) => self.renewed(renewed, ctx),
            Body::Open(_)
            | Body::Incoming(_)
            | Body::Renew(_)
            | Body::AccessChanged(_)
            | Body::Goodbye(_) => self.breach(Side::Worker, ctx),
        }
    }

    fn opened(&mut self, opened: wire::Opened, ctx: &mut Context<Self>) {
        if self.relay.opened(opened.max_message_bytes).is_err() {
            return self.breach(Side::Worker, ctx);
        }
        self.counted.opened();
        self.guard.report().opened = true;
        tracing::info!(parent: &self.span, "opened");
        self.say_to_browser(Body::Opened(opened));
        self.rearm(ctx);
    }

    fn refused(&mut self, refused: wire::Refused, ctx: &mut Context<Self>) {
        match RefusalReason::from_wire(refused.reason) {
            Some(reason) if self.relay.is_opening() => {
                self.say_to_browser(Body::Refused(refused));
                self.finish(Ending::Refused(reason), None);
                ctx.stop();
            }
            _ => self.breach(Side::Worker, ctx),
        }
    }

    fn closed_by(&mut self, side: Side, close: &wire::Close, ctx: &mut Context<Self>) {
        if !self.relay.heeds_close(close.epoch) {
            return figures::stale_close();
        }
        let reason = Relay::reason_of_an_end(close.reason);
        self.end(Ending::Closed(reason), None, ctx);
        tracing::debug!(parent: &self.span, by = side.label(), "an end closed it");
    }

    fn say_to_browser(&self, body: Body) {
        if let Some(browser) = &self.browser {
            browser.say(body);
        }
    }
}

impl Handler<ControlFromBrowser> for Channel {
    type Result = ();

    fn handle(&mut self, said: ControlFromBrowser, ctx: &mut Context<Self>) {
        let ControlFromBrowser { path, body } = said;
        if self.path() != Some(path) {
            // Said before the channel moved away from there.
            return;
        }
        match body {
            Body::Close(close) => self.closed_by(Side::Client, &close, ctx),
            Body::Open(_)
            | Body::Incoming(_)
            | Body::Opened(_)
            | Body::Refused(_)
            | Body::Renew(_)
            | Body::Renewed(_)
            | Body::AccessChanged(_)
            | Body::AccessAcknowledged(_)
            | Body::Goodbye(_) => self.breach(Side::Client, ctx),
        }
    }
}

impl Handler<ControlFromWorker> for Channel {
    type Result = ();

    fn handle(&mut self, ControlFromWorker(body): ControlFromWorker, ctx: &mut Context<Self>) {
        self.control_from_worker(body, ctx);
    }
}

impl Handler<AnnounceAccess> for Channel {
    type Result = ();

    /// Frames that come later find it at the Worker before themselves: they go the same way.
    fn handle(&mut self, announce: AnnounceAccess, ctx: &mut Context<Self>) {
        let AnnounceAccess {
            path,
            access: mut changed,
        } = announce;
        if self.relay.is_closed() || self.is_fenced() || !self.uses(path) {
            return;
        }
        let (change, given_up) = self.announcements.ask(now());
        figures::announced(AnnouncementResult::Unanswered, given_up);
        changed.change = change;
        self.link.say(Body::AccessChanged(changed));
        self.rearm(ctx);
    }
}
