//! Every number of the protocol, with the sums that justify them (docs/protocol.md, sections 5-8).
//!
//! These are not configuration: two ends and a Hub that disagree about them break each other's
//! channels. They are fields, and not constants alone, so that a test can make a minute short.

use std::time::Duration;

use schema::frame;

/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;
/// Plaintext of one frame: 65,535 - 16.
pub const PLAINTEXT_MAX: usize = frame::CIPHERTEXT_MAX - TAG_LEN;
/// A reassembled message, in bytes of plaintext: 16 MiB.
pub const MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Frames of one message: 16 MiB / 65,519 = 256.07, so 257.
pub const CHUNKS: usize = MESSAGE_BYTES.div_ceil(PLAINTEXT_MAX);
/// Counted frames that a sender may have unacknowledged in one direction.
pub const WINDOW_FRAMES: usize = 4_096;
/// Places of a queue on the way: the window, and 256 for what is not counted.
pub const QUEUE_FRAMES: usize = WINDOW_FRAMES + 256;
/// Workspaces of one channel: as many as the answer to a claim names in one frame, at 70 bytes each
/// with the longest id. What is announced beyond them is not granted.
pub const WORKSPACES: usize = 900;
/// The limit to give to a WebSocket codec: the larger of the two kinds of outer message. A
/// codec's own default of 64 KiB would cut full-size frames.
pub const WEBSOCKET_MESSAGE_MAX: usize = frame::CONTROL_MAX;

/// The numbers that one channel lives by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest reassembled message in bytes of plaintext. An end may announce less at open.
    pub message_bytes: usize,
    /// Most frames of one message.
    pub chunks: usize,
    /// Longest time between two chunks of one message.
    pub chunk_timeout: Duration,

    /// Counted frames a sender may have unacknowledged.
    pub window_frames: usize,
    /// Plaintext bytes a sender may have unacknowledged.
    pub window_bytes: usize,
    /// Places of a queue on the way: the window, and 256 for what is not counted.
    pub queue_frames: usize,
    /// Bytes that such a queue holds of what is not counted: claims, acknowledgements, pings.
    pub queue_slack_bytes: usize,
    /// How long a frame may wait in such a queue. As long as a channel may wait for a path: a full
    /// window over a connection of 14 KB/s. Whoever reads a byte now and then would hold it for ever.
    pub lane_wait: Duration,
    /// How long it may wait there after its channel has ended: what an end said last has arrived by
    /// then, or nobody reads.
    pub farewell: Duration,
    /// An acknowledgement is due after so many counted frames,
    pub ack_frames: u64,
    /// or so many bytes of their plaintext,
    pub ack_bytes: usize,
    /// or so long after the first of them.
    pub ack_delay: Duration,

    /// Requests of one channel that may be unanswered.
    pub requests: usize,
    /// Bytes that the requests of one channel may hold until their answers are out: two of the
    /// largest.
    pub request_bytes: usize,
    /// Streams of one channel.
    pub streams: usize,
    /// Credit of a stream in each direction, in bytes of payload.
    pub stream_credit: u64,
    /// Largest payload of one stream message in bytes.
    pub stream_message: usize,
    /// Messages of one stream that may wait for the application: each costs some 100 bytes that
    /// no credit covers. As many as 64 bytes each make of the credit.
    pub stream_messages: usize,
    /// And of all streams of a channel.
    pub stream_messages_in_all: usize,
    /// Stream payload that may wait at an end for the window before streams have no room.
    pub outbox_bytes: usize,

    /// How long the Hub waits for the Worker's answer to an open.
    pub open_timeout: Duration,
    /// How long the client waits for the Hub's: 10 s of the Hub, 5 s for the way.
    pub client_open_timeout: Duration,
    /// How long the Worker waits for the claim.
    pub claim_timeout: Duration,
    /// How long the client waits for the claim's answer: 10 s, and 5 s for the way.
    pub answer_timeout: Duration,
    /// How long the client waits for the answer to a Renew.
    pub renew_timeout: Duration,
    /// How long a channel waits without a path, from its loss to an accepted claim.
    pub detached_max: Duration,
    /// Age of the keys from which the client wants to renew, within the next minutes.
    pub key_renewal_age: Duration,
    /// Age of the keys, or of the claim, at which either end closes.
    pub key_age: Duration,

    /// How long frames for a channel that was closed are forgiven.
    pub closed_grace: Duration,
    /// Foreign frames that close the connection: the 16th.
    pub foreign_frames: u32,
    /// Closed channels that a connection remembers to forgive.
    pub remembered_channels: usize,

    /// How long a Worker remembers a channel id.
    pub seen_for: Duration,
    /// Channel ids a Worker remembers at most; the oldest is forgotten first.
    pub seen_channels: usize,
    /// Handshakes of one user that may wait for a signature.
    pub handshakes_per_user: usize,
    /// Handshakes that may wait in all, however fast they are signed.
    pub handshakes: usize,
    /// No more handshakes wait than can be signed in this time.
    pub signing_backlog: Duration,
    /// Unknown devices that may wait for approval,
    pub waiting_devices: usize,
    /// and of one user.
    pub waiting_devices_per_user: usize,
    /// Certificates that may come with one claim,
    pub certificates: usize,
    /// and with one announcement of the Hub; the others are not looked at.
    pub announced_certificates: usize,
    /// Devices of one user that rest on certificates of other devices,
    pub certified_devices: usize,
    /// and that ever did: each leaves its serial behind.
    pub certified_ever: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: MESSAGE_BYTES,
            chunks: CHUNKS,
            chunk_timeout: Duration::from_secs(30),
            window_frames: WINDOW_FRAMES,
            window_bytes: 4 * 1024 * 1024,
            queue_frames: QUEUE_FRAMES,
            queue_slack_bytes: 1024 * 1024,
            lane_wait: Duration::from_secs(5 * 60),
            farewell: Duration::from_secs(30),
            ack_frames: 64,
            ack_bytes: 256 * 1024,
            ack_delay: Duration::from_secs(1),
            requests: 64,
            request_bytes: 2 * MESSAGE_BYTES,
            streams: 256,
            stream_credit: 1024 * 1024,
            stream_message: 256 * 1024,
            stream_messages: 16_384,
            stream_messages_in_all: 65_536,
            outbox_bytes: 4 * 1024 * 1024,
            open_timeout: Duration::from_secs(10),
            client_open_timeout: Duration::from_secs(15),
            claim_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(15),
            renew_timeout: Duration::from_secs(30),
            detached_max: Duration::from_secs(5 * 60),
            key_renewal_age: Duration::from_secs(55 * 60),
            key_age: Duration::from_secs(70 * 60),
            closed_grace: Duration::from_secs(30),
            foreign_frames: 16,
            remembered_channels: 4_096,
            seen_for: Duration::from_secs(10 * 60),
            seen_channels: 65_536,
            handshakes_per_user: 8,
            handshakes: 1_024,
            signing_backlog: Duration::from_secs(5),
            waiting_devices: 16,
            waiting_devices_per_user: 4,
            certificates: 8,
            announced_certificates: 64,
            certified_devices: 32,
            certified_ever: 256,
        }
    }
}

impl Limits {
    /// The message limit of a channel where an end announced `announced` bytes (0 = no less than
    /// the protocol's). It is never less than one full frame: what is not counted has to fit, and
    /// who announced less could make the other end break the rule.
    #[must_use]
    pub fn message_bytes_with(&self, announced: u32) -> usize {
        match usize::try_from(announced) {
            Ok(0) | Err(_) => self.message_bytes,
            Ok(bytes) => bytes.max(PLAINTEXT_MAX).min(self.message_bytes),
        }
    }

    /// Bytes that a queue on the way holds: the window, the header and tag of every frame, and
    /// what is not counted. 4 MiB + 4,352 * 46 + 1 MiB = 5.4 MB.
    #[must_use]
    pub const fn queue_bytes(&self) -> usize {
        self.window_bytes
            + self.queue_frames * (frame::HEADER_LEN + TAG_LEN)
            + self.queue_slack_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_those_of_the_protocol() {
        assert_eq!(PLAINTEXT_MAX, 65_519);
        assert_eq!(CHUNKS, 257);
        assert_eq!(QUEUE_FRAMES, 4_352);
        assert_eq!(Limits::default().queue_bytes(), 5_443_072);
        const { assert!(WEBSOCKET_MESSAGE_MAX >= frame::MESSAGE_MAX) };
    }

    #[test]
    fn an_end_may_announce_less_and_never_more() {
        let limits = Limits::default();
        assert_eq!(limits.message_bytes_with(0), MESSAGE_BYTES);
        assert_eq!(limits.message_bytes_with(100_000), 100_000);
        assert_eq!(limits.message_bytes_with(1), PLAINTEXT_MAX);
        assert_eq!(limits.message_bytes_with(u32::MAX), MESSAGE_BYTES);
    }
}
