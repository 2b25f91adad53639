//! ACTOR of one channel: an endpoint, the services its user calls, and the way to the Hub.
//!
//! Frames come in by mailbox and are taken at once: nothing here waits for a socket. Frames go
//! out only into places of the link's queue that were reserved before they are sealed, so a slow
//! link holds up sealing and loses nothing.

mod calls;
mod guard;

use std::collections::BTreeMap;

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Context, Handler,
    SpawnHandle, StreamHandler, WrapFuture as _,
};
use channel_actors::{
    close::CloseReason,
    endpoint::{
        ClaimedDevice, Endpoint, Event,
        trust::{Standing, Verdict},
    },
};
use schema::{
    frame::Outer,
    ids::ChannelId,
    wire::{self, control, from_worker},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{UnboundedReceiverStream, WatchStream};

use self::calls::{Call, Running};
pub(crate) use self::guard::{Guard, Leave};
use crate::{
    clock,
    device_book::{DeviceBook, Judged},
    messages::{Close, ControlFromHub, FromHub, LinkLost},
    services::Services,
    store::StoreError,
    streams::Streams,
};

/// One channel.
pub(crate) struct SecureChannel {
    endpoint: Endpoint,
    link: mpsc::Sender<wire::FromWorker>,
    waits_for_link: bool,
    services: Services,
    /// Who was believed, once somebody was.
    device: Option<ClaimedDevice>,
    calls: BTreeMap<u64, Running>,
    streams: Streams,
    timer: Option<SpawnHandle>,
    guard: Guard,
}

/// What a channel is started with.
pub(crate) struct ChannelParts {
    pub(crate) endpoint: Endpoint,
    pub(crate) link: mpsc::Sender<wire::FromWorker>,
    pub(crate) services: Services,
    pub(crate) guard: Guard,
}

impl SecureChannel {
    pub(crate) fn new(parts: ChannelParts) -> Self {
        Self {
            endpoint: parts.endpoint,
            link: parts.link,
            waits_for_link: false,
            services: parts.services,
            device: None,
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
        if self.endpoint.closed().is_some() && !self.waits_for_link {
            self.guard.over();
            return ctx.stop();
        }
        self.rearm(ctx);
    }

    /// Sends what there is and room for. True = there may be more to hear.
    fn send(&mut self, ctx: &mut Context<Self>) -> bool {
        let mut sent = false;
        let link = self.link.clone();
        while !self.waits_for_link {
            match link.try_reserve() {
                Ok(place) => {
                    let Some(outer) = self.endpoint.poll_outgoing(clock::now()) else {
                        break;
                    };
                    place.send(relay(outer));
                    sent = true;
                }
                Err(mpsc::error::TrySendError::Full(())) => self.wait_for_link(ctx),
                Err(mpsc::error::TrySendError::Closed(())) => {
                    self.endpoint.lost();
                    break;
                }
            }
        }
        sent
    }

    fn wait_for_link(&mut self, ctx: &mut Context<Self>) {
        self.waits_for_link = true;
        let place = self.link.clone().reserve_owned().into_actor(self);
        ctx.spawn(place.map(|place, channel, ctx| {
            // Given back at once: what is to be sent now is decided now.
            drop(place);
            channel.waits_for_link = false;
            channel.settle(ctx);
        }));
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
            Event::Claimed(device) => self.judge(device, ctx),
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
            Event::Response { .. } | Event::Pong { .. } | Event::RenewalDue => {}
            Event::Closed { reason, .. } => {
                tracing::info!(channel = %self.id(), reason = reason.label(), "channel closed");
            }
        }
    }

    fn judge(&mut self, device: ClaimedDevice, ctx: &mut Context<Self>) {
        let book = self.devices().clone();
        let judging = async move { (book.judge(device.clone()).await, device) };
        ctx.spawn(
            judging
                .into_actor(self)
                .map(|(judged, device), channel, ctx| {
                    channel.believe(judged, device, ctx);
                    channel.settle(ctx);
                }),
        );
    }

    fn believe(
        &mut self,
        judged: Result<Judged, StoreError>,
        device: ClaimedDevice,
        ctx: &mut Context<Self>,
    ) {
        match judged {
            Ok(Judged {
                verdict: Verdict::Trusted { cap, .. },
                ..
            }) => {
                self.device = Some(device);
                self.endpoint.accept_claim(cap, clock::now());
                // A removal between the judgement and this moment found no device here.
                self.recheck_device(ctx);
            }
            Ok(Judged { fingerprint, .. }) => {
                tracing::warn!(channel = %self.id(), device = fingerprint, "device not trusted");
                self.endpoint.reject_device(&fingerprint);
            }
            Err(_) => self.endpoint.close(CloseReason::Internal),
        }
    }

    /// A device that is trusted no more, or not until later, loses its channels; one whose
    /// grants have changed has what they say now.
    fn recheck_device(&mut self, ctx: &mut Context<Self>) {
        let Some(device) = &self.device else { return };
        match self.devices().standing(device) {
            Some(Standing { cap, .. }) => {
                self.endpoint.change_cap(cap);
                self.recheck_roles(ctx);
            }
            None => {
                tracing::info!(channel = %self.id(), "its device is trusted no more");
                self.endpoint.close(CloseReason::ClosedByWorker);
            }
        }
    }

    fn change_access(&mut self, changed: &wire::AccessChanged, ctx: &mut Context<Self>) {
        self.endpoint.change_access(&changed.workspaces);
        self.recheck_roles(ctx);
        if !changed.certificates.is_empty() {
            let (book, certificates) = (self.devices().clone(), changed.certificates.clone());
            // What fails is logged where it does; all channels hear of what was changed.
            let heeding = async move { book.heed(certificates).await.is_ok() };
            ctx.spawn(heeding.into_actor(self).map(|_, _, _| ()));
        }
    }
}

impl Actor for SecureChannel {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(channel_actors::limits::QUEUE_FRAMES);
        ctx.add_stream(UnboundedReceiverStream::new(self.streams.orders()));
        ctx.add_stream(WatchStream::from_changes(self.devices().watch()).map_changed());
        self.settle(ctx);
    }
}

impl Handler<FromHub> for SecureChannel {
    type Result = ();

    fn handle(&mut self, FromHub(frame): FromHub, ctx: &mut Context<Self>) {
        self.endpoint.receive(frame, clock::now());
        self.settle(ctx);
    }
}

impl Handler<ControlFromHub> for SecureChannel {
    type Result = ();

    fn handle(&mut self, ControlFromHub(body): ControlFromHub, ctx: &mut Context<Self>) {
        if let control::Body::AccessChanged(changed) = &body {
            self.change_access(changed, ctx);
        } else {
            self.endpoint.receive_control(&body);
        }
        self.settle(ctx);
    }
}

impl Handler<LinkLost> for SecureChannel {
    type Result = ();

    fn handle(&mut self, LinkLost: LinkLost, ctx: &mut Context<Self>) {
        self.endpoint.lost();
        self.waits_for_link = false;
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

/// The device list has changed, or somebody's trust has expired.
pub(crate) struct DevicesChanged;

impl StreamHandler<DevicesChanged> for SecureChannel {
    fn handle(&mut self, _: DevicesChanged, ctx: &mut Context<Self>) {
        self.recheck_device(ctx);
        self.settle(ctx);
    }

    /// The Worker is about to stop; it says so in another way.
    fn finished(&mut self, _ctx: &mut Context<Self>) {}
}

trait MapChanged {
    fn map_changed(self) -> impl futures_util::Stream<Item = DevicesChanged>;
}

impl MapChanged for WatchStream<u64> {
    fn map_changed(self) -> impl futures_util::Stream<Item = DevicesChanged> {
        futures_util::StreamExt::map(self, |_| DevicesChanged)
    }
}

fn relay(outer: Outer) -> wire::FromWorker {
    wire::FromWorker {
        body: Some(from_worker::Body::Relay(outer.encode())),
    }
}
