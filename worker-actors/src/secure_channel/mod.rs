//! ACTOR of one channel: an endpoint, the services its user calls, and the way to the Hub.
//!
//! Frames come in by mailbox and are taken at once: nothing here waits for a socket. What goes out
//! stands in `path`; the channel outlives every path, and whoever it belongs to finds it again by
//! a renewal.

mod belief;
mod calls;
mod guard;
mod path;

use std::{collections::BTreeMap, sync::Arc};

use actix::{
    Actor, ActorContext as _, AsyncContext as _, Context, Handler, Recipient, SpawnHandle,
    StreamHandler,
};
use channel_actors::{
    endpoint::{ClaimedDevice, Endpoint, Event},
    post::tell,
};
use crypto::Identity;
use schema::{ids::ChannelId, wire::control};
use tokio_stream::wrappers::{UnboundedReceiverStream, WatchStream};

use self::calls::{Call, Running};
pub(crate) use self::guard::{Guard, Leave};
use crate::{
    clock,
    delegation::Sponsorship,
    device_book::DeviceBook,
    entropy,
    hub_link::Marks,
    messages::{Close, ControlFromHub, Detached, Path, RenewalAnswered},
    services::Services,
    streams::Streams,
};

/// One channel.
pub(crate) struct SecureChannel {
    endpoint: Endpoint,
    identity: Arc<Identity>,
    /// The way to the client; none while the channel is detached.
    path: Option<Path>,
    /// Waiting for a place in the path's queue.
    waiting: Option<SpawnHandle>,
    link: LinkEars,
    marks: Arc<Marks>,
    /// Frames that came by another stream than the channel's.
    strays: u64,
    services: Services,
    /// Who was believed, once somebody was.
    device: Option<ClaimedDevice>,
    /// Its place among those that answer for tabs.
    sponsorship: Sponsorship,
    judging: Option<SpawnHandle>,
    calls: BTreeMap<u64, Running>,
    streams: Streams,
    timer: Option<SpawnHandle>,
    guard: Guard,
}

/// What a channel is started with.
pub(crate) struct ChannelParts {
    pub(crate) endpoint: Endpoint,
    pub(crate) identity: Arc<Identity>,
    pub(crate) path: Path,
    pub(crate) link: LinkEars,
    pub(crate) marks: Arc<Marks>,
    pub(crate) services: Services,
    pub(crate) guard: Guard,
}

/// What the link hears of a channel.
pub(crate) struct LinkEars {
    pub(crate) renewals: Recipient<RenewalAnswered>,
    pub(crate) detached: Recipient<Detached>,
}

impl SecureChannel {
    pub(crate) fn new(parts: ChannelParts) -> Self {
        let (channel, user) = (parts.endpoint.channel(), parts.endpoint.user().clone());
        Self {
            sponsorship: parts.services.0.delegations.sponsorship(channel, user),
            endpoint: parts.endpoint,
            identity: parts.identity,
            path: Some(parts.path),
            waiting: None,
            link: parts.link,
            marks: parts.marks,
            strays: 0,
            services: parts.services,
            device: None,
            judging: None,
            calls: BTreeMap::new(),
            streams: Streams::default(),
            timer: None,
            guard: parts.guard,
        }
    }

    fn id(&self) -> ChannelId {
        self.endpoint.channel()
    }

    fn devices(&self) -> &DeviceBook {
        &self.services.0.devices
    }

    /// After every input: hears the endpoint's events, sends what it has to send, sleeps until
    /// its deadline.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        loop {
            while let Some(event) = self.endpoint.poll_event() {
                self.heed(event, ctx);
            }
            self.streams.settle(&mut self.endpoint);
            if !self.send(ctx) {
                break;
            }
        }
        if self.endpoint.closed().is_some() && self.waiting.is_none() {
            self.guard.over();
            return ctx.stop();
        }
        self.rearm(ctx);
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let Some(deadline) = self.endpoint.deadline() else {
            return;
        };
        let wait = deadline.saturating_duration_since(clock::now());
        self.timer = Some(ctx.run_later(wait, |channel, ctx| {
            channel.timer = None;
            channel.endpoint.expire(clock::now());
            channel.settle(ctx);
        }));
    }

    fn heed(&mut self, event: Event, ctx: &mut Context<Self>) {
        match event {
            Event::Claimed { epoch, device } => self.judge(epoch, device, ctx),
            Event::Established { .. } => tracing::info!(channel = %self.id(), "channel open"),
            Event::Request {
                id,
                method,
                payload,
                opens_stream,
                workspace,
            } => {
                self.call(
                    Call {
                        id,
                        method,
                        payload,
                        opens_stream,
                        workspace,
                    },
                    ctx,
                );
            }
            Event::StreamData { id, data } => self.streams.data(&mut self.endpoint, id, data),
            Event::StreamEnd { id, error: None } => self.streams.ended(id),
            Event::StreamEnd { id, error: Some(_) } | Event::Cancelled { id } => {
                self.forget(id, ctx);
            }
            Event::StreamRoom { .. } => {}
            Event::Detached => self.detached(ctx),
            Event::Attached => self.attached(ctx),
            // Of clients.
            Event::Response { .. }
            | Event::Pong { .. }
            | Event::RenewalDue
            | Event::RenewalRefused { .. } => {}
            Event::Closed { reason, .. } => {
                let (reason, strays) = (reason.label(), self.strays);
                tracing::info!(channel = %self.id(), reason, strays, "channel closed");
            }
        }
    }

    /// Nothing more is sent by the old path, nor taken from it. What runs for the client goes on.
    fn detached(&mut self, ctx: &mut Context<Self>) {
        self.leave_path(ctx);
        tracing::info!(channel = %self.id(), "channel detached");
        self.tell_link(true);
    }

    /// The client is back, and is believed.
    fn attached(&mut self, ctx: &mut Context<Self>) {
        tracing::info!(channel = %self.id(), "channel attached");
        self.tell_link(false);
        // What was announced meanwhile counts from now on.
        self.recheck_device(ctx);
    }

    fn tell_link(&self, detached: bool) {
        let channel = self.id();
        tell(&self.link.detached, Detached { channel, detached });
    }
}

impl Actor for SecureChannel {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(channel_actors::limits::QUEUE_FRAMES);
        ctx.add_stream(UnboundedReceiverStream::new(self.streams.orders()));
        ctx.add_stream(belief::changes(WatchStream::from_changes(
            self.devices().watch(),
        )));
        self.settle(ctx);
    }
}

impl Handler<ControlFromHub> for SecureChannel {
    type Result = ();

    fn handle(&mut self, ControlFromHub(body): ControlFromHub, ctx: &mut Context<Self>) {
        if let control::Body::AccessChanged(changed) = &body {
            self.change_access(changed, ctx);
        } else {
            let mut rng = entropy::source();
            self.endpoint.receive_control(&body, &mut rng, clock::now());
        }
        self.settle(ctx);
    }
}

impl Handler<Close> for SecureChannel {
    type Result = ();

    fn handle(&mut self, Close { reason }: Close, ctx: &mut Context<Self>) {
        self.endpoint.close(reason);
        self.settle(ctx);
    }
}

/// What services want.
impl StreamHandler<crate::services::stream::Order> for SecureChannel {
    fn handle(&mut self, order: crate::services::stream::Order, ctx: &mut Context<Self>) {
        self.streams.heed(order, &mut self.endpoint);
        self.settle(ctx);
    }

    /// The actor itself holds a sender.
    fn finished(&mut self, _ctx: &mut Context<Self>) {}
}
