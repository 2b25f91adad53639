//! What the Worker's actors hear.

use actix::Message;
use schema::{
    frame::Frame,
    ids::ChannelId,
    wire::{self, control},
};
use tokio::sync::mpsc;

use crate::secure_channel::Leave;

/// One stream to the Hub, as far as a channel needs it.
#[derive(Clone)]
pub(crate) struct Path {
    /// Which stream it is; a newer one has a higher number.
    pub(crate) generation: u64,
    /// Where its frames wait for the socket.
    pub(crate) frames: mpsc::Sender<wire::FromWorker>,
}

/// HubLink -> SecureChannel: a frame of the client.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct FromHub {
    pub(crate) frame: Frame,
    /// The stream that it came by.
    pub(crate) generation: u64,
}

/// HubLink -> SecureChannel: the client asks for a new epoch, by this path.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RenewFromHub {
    pub(crate) renew: wire::Renew,
    pub(crate) path: Path,
    /// Counts the renewals asked of this channel.
    pub(crate) number: u64,
}

/// SecureChannel -> HubLink: the answer to a renewal, for the stream that it came by.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RenewalAnswered {
    pub(crate) generation: u64,
    pub(crate) body: control::Body,
}

/// HubLink -> SecureChannel: a control message about the channel.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ControlFromHub(pub(crate) control::Body);

/// HubLink -> SecureChannel: a stream to the Hub is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkLost {
    /// Which.
    pub(crate) generation: u64,
}

/// HubLink -> SecureChannel: end, and say so.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Close {
    /// Why.
    pub(crate) reason: channel_actors::close::CloseReason,
}

/// SecureChannel -> HubLink: whether it has lost its client's way to it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Detached {
    /// Which channel.
    pub(crate) channel: ChannelId,
    /// False: its client is back, and was believed.
    pub(crate) detached: bool,
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
