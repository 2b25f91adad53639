//! A Worker without cryptography: handshakes and ciphertext of the right shape, which a Hub cannot
//! tell from real ones. What is measured so is the Hub alone.

use bytes::Bytes;
use channel_actors::limits::TAG_LEN;
use schema::{
    frame::Outer,
    wire::{self, control::Body},
};

use super::registration::noise;

/// Bytes that an opaque frame's ciphertext has on top of its payload.
pub(crate) const FRAME_OVERHEAD: usize = TAG_LEN;
/// Of a post-quantum handshake (protocol, section 3).
const MESSAGE_1_LEN: usize = 3_184;
const MESSAGE_2_LEN: usize = 51_472;

/// Noise of the shape of a client's first message.
pub(crate) fn message_1() -> Bytes {
    noise(MESSAGE_1_LEN)
}

/// Takes every channel, and sends back every frame as it came.
pub(super) struct Junk {
    message_2: Bytes,
}

impl Junk {
    pub(super) fn new() -> Self {
        Self {
            message_2: noise(MESSAGE_2_LEN),
        }
    }

    /// The answer to one outer message, if it has one.
    pub(super) fn outer(&self, outer: Outer) -> Option<Outer> {
        match outer {
            Outer::Frame(frame) => Some(Outer::Frame(frame)),
            Outer::Control(Body::Incoming(incoming)) => {
                let opened = wire::Opened {
                    channel_id: incoming.channel_id,
                    noise: self.message_2.clone(),
                    max_message_bytes: 0,
                };
                Some(Body::Opened(opened).into())
            }
            Outer::Control(_) => None,
        }
    }
}
