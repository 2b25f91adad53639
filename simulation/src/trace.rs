//! One line for everything that arrives, on standard error, when `SIMULATION_TRACE` is set: what one
//! reads to understand a seed.

use bytes::Bytes;
use schema::{frame::Outer, ids::ChannelId, wire::control::Body};

use crate::{
    opening::Order,
    tells::{Tell, ToChannel, ToLink, ToRegistry, ToSession, Way, Wire},
    world::World,
};

impl World {
    pub(crate) fn trace(&self, way: Way, tell: &Tell) {
        if self.traces {
            eprintln!("{:>8} {way:?} {}", self.now_ms, tell_text(tell));
        }
    }
}

fn tell_text(tell: &Tell) -> String {
    match tell {
        Tell::Wire(wire) => wire_text(wire),
        Tell::Session(tell) => session_text(tell),
        Tell::Link(tell) => link_text(tell),
        Tell::Registry(tell) => registry_text(tell),
        Tell::Channel(tell) => channel_text(tell),
    }
}

fn wire_text(wire: &Wire) -> String {
    match wire {
        Wire::Outer(Outer::Frame(frame)) => {
            format!("frame of {}, epoch {}", id(frame.channel()), frame.epoch())
        }
        Wire::Outer(Outer::Control(body)) => body_text(body),
        Wire::Ask | Wire::Answer => "beat".to_owned(),
        Wire::Goodbye(after) => format!("goodbye, come back after {after:?}"),
        Wire::Fin => "the end".to_owned(),
    }
}

fn session_text(tell: &ToSession) -> String {
    match tell {
        ToSession::Met(met) => format!("met: {met:?}"),
        ToSession::Meet { number, channel } => format!("meet {number}, {}", id(*channel)),
        ToSession::Frame(_) => "frame".to_owned(),
        ToSession::Control(body) => body_text(body),
        ToSession::NotOpened(channel, refusal) => {
            format!("not opened {}: {:?}", id(*channel), refusal.reason)
        }
        ToSession::NotRenewed(channel, serial, refusal) => {
            format!(
                "not renewed {} {serial}: {:?}",
                id(*channel),
                refusal.reason
            )
        }
        ToSession::Depart { end, .. } => format!("depart: {end:?}"),
    }
}

fn link_text(tell: &ToLink) -> String {
    match tell {
        ToLink::Welcome(welcome) => format!("welcome: {welcome:?}"),
        ToLink::Meet { number, channel } => format!("meet {number}, {}", id(*channel)),
        ToLink::Frame(_) => "frame".to_owned(),
        ToLink::Control(body) => body_text(body),
        ToLink::Depart { end, .. } => format!("depart: {end:?}"),
    }
}

fn registry_text(tell: &ToRegistry) -> String {
    match tell {
        ToRegistry::Admit { socket } => format!("admit socket {socket}"),
        ToRegistry::MeetSession { key } => format!("meet session {key}"),
        ToRegistry::MeetLink { key } => format!("meet link {key}"),
        ToRegistry::SessionGone { number } => format!("session {number} is gone"),
        ToRegistry::LinkGone { worker, number } => {
            format!("link {number} of Worker {worker} is gone")
        }
        ToRegistry::Order(order) => format!("order of {}", order_text(order)),
        ToRegistry::ChannelGone(report) => {
            format!("{} is gone: {:?}", id(report.channel), report.ending)
        }
        ToRegistry::Forgotten(it) => format!("{} forgot {:?}", id(it.channel), it.path),
        ToRegistry::Revoked(credential) => format!("revoked {}", credential.as_str()),
        ToRegistry::Passed(order, answer) => format!("{}: {answer:?}", order_text(order)),
    }
}

fn channel_text(tell: &ToChannel) -> String {
    match tell {
        ToChannel::FromBrowser(_) | ToChannel::FromWorker(_) => "frame".to_owned(),
        ToChannel::ControlFromBrowser(path, body) => format!("{path:?}: {}", body_text(body)),
        ToChannel::ControlFromWorker(body) => body_text(body),
        ToChannel::PassRenewal(order, _) => format!("pass on: {}", order_text(order)),
        ToChannel::PathGone(path, reason) => format!("{path:?} is gone: {reason:?}"),
        ToChannel::Close(reason) => format!("close: {reason:?}"),
    }
}

fn body_text(body: &Body) -> String {
    match body {
        Body::Open(it) => format!("Open {}", bytes(&it.channel_id)),
        Body::Incoming(it) => format!("Incoming {}", bytes(&it.channel_id)),
        Body::Opened(it) => format!("Opened {}", bytes(&it.channel_id)),
        Body::Refused(it) => {
            format!(
                "Refused {} {}: {:?}",
                bytes(&it.channel_id),
                it.serial,
                it.reason()
            )
        }
        Body::Renew(it) => format!(
            "Renew {} {} from {}",
            bytes(&it.channel_id),
            it.serial,
            it.base
        ),
        Body::Renewed(it) => format!("Renewed {} {}", bytes(&it.channel_id), it.serial),
        Body::Close(it) => {
            format!(
                "Close {} under {}: {:?}",
                bytes(&it.channel_id),
                it.epoch,
                it.reason()
            )
        }
        Body::AccessChanged(it) => format!("AccessChanged {}", bytes(&it.channel_id)),
        Body::AccessAcknowledged(it) => format!("AccessAcknowledged {}", bytes(&it.channel_id)),
        Body::Goodbye(_) => "Goodbye".to_owned(),
    }
}

fn order_text(order: &Order) -> String {
    let Order {
        channel,
        session,
        credential,
        ..
    } = order;
    format!(
        "{} over session {session}, {}",
        id(*channel),
        credential.as_str()
    )
}

fn id(channel: ChannelId) -> String {
    let mut text = channel.to_string();
    text.truncate(6);
    text
}

fn bytes(channel: &Bytes) -> String {
    ChannelId::try_from(&channel[..]).map_or_else(|_| "?".to_owned(), id)
}
