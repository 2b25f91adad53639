//! BRAIN: what the end of a connection is called, towards its peer and towards its channels.

use channel_actors::CloseReason;
use schema::{
    ids::ChannelId,
    wire::{LinkGoodbyeReason, control::Body},
};

use crate::telemetry::{LinkEnd, SessionEnd};

/// What a browser is told.
pub(crate) const fn of_a_session(end: SessionEnd) -> CloseReason {
    match end {
        SessionEnd::Client => CloseReason::ClosedByClient,
        SessionEnd::Silent | SessionEnd::Lapsed => CloseReason::ConnectionLost,
        SessionEnd::Protocol | SessionEnd::Offender => CloseReason::ProtocolError,
        SessionEnd::Foreign => CloseReason::ForeignChannel,
        SessionEnd::Revoked => CloseReason::Revoked,
        SessionEnd::Draining => CloseReason::Draining,
        SessionEnd::Slow => CloseReason::TooSlow,
        SessionEnd::Error => CloseReason::Internal,
    }
}

/// What the end of a session is to each of its channels: whose fault it was is not theirs.
pub(crate) const fn of_its_channels(end: SessionEnd) -> CloseReason {
    match end {
        SessionEnd::Revoked => CloseReason::Revoked,
        SessionEnd::Draining => CloseReason::Draining,
        SessionEnd::Client
        | SessionEnd::Silent
        | SessionEnd::Protocol
        | SessionEnd::Offender
        | SessionEnd::Foreign
        | SessionEnd::Slow
        | SessionEnd::Lapsed
        | SessionEnd::Error => CloseReason::ConnectionLost,
    }
}

/// What a Worker is told of its link's end, and what the end is to each of its channels.
pub(crate) const fn of_a_link(end: LinkEnd) -> (LinkGoodbyeReason, CloseReason) {
    match end {
        LinkEnd::Replaced => (LinkGoodbyeReason::Replaced, CloseReason::ConnectionLost),
        LinkEnd::Draining => (LinkGoodbyeReason::Draining, CloseReason::Draining),
        LinkEnd::Offender => (LinkGoodbyeReason::Offender, CloseReason::ConnectionLost),
        LinkEnd::Protocol => (
            LinkGoodbyeReason::ProtocolError,
            CloseReason::ConnectionLost,
        ),
        LinkEnd::Deregistered => (LinkGoodbyeReason::Deregistered, CloseReason::Revoked),
        LinkEnd::Revoked => (LinkGoodbyeReason::Unspecified, CloseReason::Revoked),
        LinkEnd::Worker | LinkEnd::Silent | LinkEnd::Slow | LinkEnd::Lapsed | LinkEnd::Error => {
            (LinkGoodbyeReason::Unspecified, CloseReason::ConnectionLost)
        }
    }
}

/// The channel that is no more after this message.
pub(crate) fn ended(body: &Body) -> Option<ChannelId> {
    let id = match body {
        Body::Close(close) => &close.channel_id,
        // A refused renewal changes nothing.
        Body::Refused(refused) if refused.serial == 0 => &refused.channel_id,
        Body::Refused(_)
        | Body::Open(_)
        | Body::Incoming(_)
        | Body::Opened(_)
        | Body::Renew(_)
        | Body::Renewed(_)
        | Body::AccessChanged(_)
        | Body::AccessAcknowledged(_)
        | Body::Goodbye(_) => return None,
    };
    ChannelId::try_from(&id[..]).ok()
}

/// The channel that a renewal of it was answered by this message, and its serial if it went well.
pub(crate) fn renewed(body: &Body) -> Option<(ChannelId, u32)> {
    let (id, serial) = match body {
        Body::Renewed(renewed) => (&renewed.channel_id, renewed.serial),
        Body::Refused(refused) if refused.serial != 0 => (&refused.channel_id, 0),
        Body::Refused(_)
        | Body::Open(_)
        | Body::Incoming(_)
        | Body::Opened(_)
        | Body::Renew(_)
        | Body::Close(_)
        | Body::AccessChanged(_)
        | Body::AccessAcknowledged(_)
        | Body::Goodbye(_) => return None,
    };
    Some((ChannelId::try_from(&id[..]).ok()?, serial))
}

/// The renewal that this message answers, by its channel and serial.
pub(crate) fn answered(body: &Body) -> Option<(ChannelId, u32)> {
    let (channel, serial) = renewed(body)?;
    let refused = if let Body::Refused(refused) = body {
        refused.serial
    } else {
        0
    };
    Some((channel, serial.max(refused)))
}

/// The channel that this message asks its Worker to renew, and the serial.
pub(crate) fn asked(body: &Body) -> Option<(ChannelId, u32)> {
    let Body::Renew(renew) = body else {
        return None;
    };
    Some((
        ChannelId::try_from(&renew.channel_id[..]).ok()?,
        renew.serial,
    ))
}
