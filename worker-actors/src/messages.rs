//! What the Worker's actors hear.

use actix::Message;
use schema::{frame::Frame, ids::ChannelId, wire::control};

use crate::secure_channel::Leave;

/// HubLink -> SecureChannel: a frame of the client.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct FromHub(pub(crate) Frame);

/// HubLink -> SecureChannel: a control message about the channel.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ControlFromHub(pub(crate) control::Body);

/// HubLink -> SecureChannel: the path to the client is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkLost;

/// HubLink -> SecureChannel: end, and say so.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Close {
    /// Why.
    pub(crate) reason: channel_actors::close::CloseReason,
}

/// SecureChannel -> HubLink, by its guard: it is no more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ChannelGone {
    /// Which.
    pub(crate) channel: ChannelId,
    /// How.
    pub(crate) leave: Leave,
}

/// Worker -> HubLink: say goodbye to everybody and stop.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Stop;
