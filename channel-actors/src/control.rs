//! What the Channel does with the control messages of its two sides.

use actix::{ActorContext as _, Context, Handler};
use schema::wire::{self, control::Body};

use crate::{
    channel::Channel,
    figures,
    messages::{ControlFromBrowser, ControlFromWorker, ControlToBrowser},
    post::tell,
    refusal::RefusalReason,
    relay::{Dropped, Ending, Relay, Side},
};

impl Channel {
    fn control_from_worker(&mut self, body: Body, ctx: &mut Context<Self>) {
        match body {
            Body::Opened(opened) => self.opened(opened, ctx),
            Body::Refused(refused) => self.refused(refused, ctx),
            Body::Renewed(renewed) => self.renewed(renewed, ctx),
            Body::Close(close) => self.closed_by(Side::Worker, &close, ctx),
            Body::AccessAcknowledged(_) => {}
            Body::Open(_)
            | Body::Incoming(_)
            | Body::Renew(_)
            | Body::AccessChanged(_)
            | Body::Goodbye(_) => self.breach(Side::Worker, ctx),
        }
    }

    fn opened(&mut self, opened: wire::Opened, ctx: &mut Context<Self>) {
        if self.fence.is_down() {
            return figures::dropped(Dropped::Revoked);
        }
        if self.relay.opened(opened.max_message_bytes).is_err() {
            return self.breach(Side::Worker, ctx);
        }
        self.counted.live();
        self.guard.report().opened = true;
        tracing::info!(parent: &self.span, "opened");
        tell(
            &self.browser.control,
            ControlToBrowser(Body::Opened(opened)),
        );
        self.rearm(ctx);
    }

    fn refused(&mut self, refused: wire::Refused, ctx: &mut Context<Self>) {
        if self.fence.is_down() {
            return figures::dropped(Dropped::Revoked);
        }
        let reason = RefusalReason::from_wire(refused.reason);
        match reason {
            Some(_) if refused.serial != 0 && self.relay.renewal_refused().is_ok() => {
                tell(
                    &self.browser.control,
                    ControlToBrowser(Body::Refused(refused)),
                );
            }
            Some(reason) if self.relay.is_opening() => {
                tell(
                    &self.browser.control,
                    ControlToBrowser(Body::Refused(refused)),
                );
                self.finish(Ending::Refused(reason), None);
                ctx.stop();
            }
            _ => self.breach(Side::Worker, ctx),
        }
    }

    fn renewed(&mut self, renewed: wire::Renewed, ctx: &mut Context<Self>) {
        if self.fence.is_down() {
            return figures::dropped(Dropped::Revoked);
        }
        match self.relay.renewed(renewed.serial, renewed.noise.len()) {
            Ok(()) => tell(
                &self.browser.control,
                ControlToBrowser(Body::Renewed(renewed)),
            ),
            Err(_) => self.breach(Side::Worker, ctx),
        }
    }

    fn closed_by(&mut self, side: Side, close: &wire::Close, ctx: &mut Context<Self>) {
        if !self.relay.heeds_close(close.epoch) {
            return figures::dropped(Dropped::StaleEpoch);
        }
        let reason = Relay::reason_of_an_end(close.reason);
        self.end(Ending::Closed(reason), None, ctx);
        tracing::debug!(parent: &self.span, by = side.label(), "an end closed it");
    }
}

impl Handler<ControlFromBrowser> for Channel {
    type Result = ();

    fn handle(&mut self, ControlFromBrowser(body): ControlFromBrowser, ctx: &mut Context<Self>) {
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
