//! The outer message: all that the Hub reads (docs/protocol.md, section 6).
//!
//! A [`Frame`] keeps the bytes it was parsed from, so a relay passes on what it received without a
//! copy. Header, big-endian, 30 bytes:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | kind = 0 |
//! | 1 | 16 | channel id |
//! | 17 | 4 | epoch |
//! | 21 | 8 | correlation id |
//! | 29 | 1 | flags |

use std::fmt;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;

use crate::{Malformed, ids::ChannelId, wire};

/// Bytes before the ciphertext: 1 + 16 + 4 + 8 + 1.
pub const HEADER_LEN: usize = 30;
/// Smallest ciphertext: one byte of plaintext and its 16-byte tag.
pub const CIPHERTEXT_MIN: usize = 17;
/// Largest ciphertext: 65,519 bytes of plaintext and the 16-byte tag.
pub const CIPHERTEXT_MAX: usize = 65_535;
/// Largest outer message of kind 0: 30 + 65,535.
pub const MESSAGE_MAX: usize = HEADER_LEN + CIPHERTEXT_MAX;
/// Largest outer message of kind 1. The largest honest one is an `Opened` with 51,472 bytes of
/// handshake; certificates of 5.4 KB each come on top.
pub const CONTROL_MAX: usize = 128 * 1024;
/// The frame does not end its message.
pub const FLAG_MORE: u8 = 1;

const KIND_FRAME: u8 = 0;
const KIND_CONTROL: u8 = 1;

/// One opaque unit of one channel, header and ciphertext in one piece.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    raw: Bytes,
}

impl Frame {
    /// Puts a header before a ciphertext.
    #[must_use]
    pub fn new(
        channel: ChannelId,
        epoch: u32,
        correlation: u64,
        flags: u8,
        ciphertext: &[u8],
    ) -> Self {
        let mut raw = BytesMut::with_capacity(HEADER_LEN + ciphertext.len());
        raw.put_u8(KIND_FRAME);
        raw.put_slice(channel.as_bytes());
        raw.put_u32(epoch);
        raw.put_u64(correlation);
        raw.put_u8(flags);
        raw.put_slice(ciphertext);
        Self { raw: raw.freeze() }
    }

    /// Takes an outer message of kind 0. Sizes and flags are judged where the frame passes.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it is of another kind or shorter than a header.
    pub fn parse(raw: Bytes) -> Result<Self, Malformed> {
        match raw.first() {
            None => Err(Malformed::Empty),
            Some(&KIND_FRAME) if raw.len() >= HEADER_LEN => Ok(Self { raw }),
            Some(&KIND_FRAME) => Err(Malformed::Header),
            Some(_) => Err(Malformed::Kind),
        }
    }

    /// The channel it belongs to.
    #[must_use]
    pub fn channel(&self) -> ChannelId {
        ChannelId::from_bytes(self.field(1))
    }

    /// The epoch it was sealed under.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        u32::from_be_bytes(self.field(17))
    }

    /// The logical message it is a part of.
    #[must_use]
    pub fn correlation(&self) -> u64 {
        u64::from_be_bytes(self.field(21))
    }

    /// All flag bits, known or not.
    #[must_use]
    pub fn flags(&self) -> u8 {
        u8::from_be_bytes(self.field(29))
    }

    /// Whether its message goes on in another frame.
    #[must_use]
    pub fn more(&self) -> bool {
        self.flags() & FLAG_MORE != 0
    }

    /// What only the ends can read.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        self.raw.get(HEADER_LEN..).unwrap_or_default()
    }

    /// What the seal also covers: correlation id and flags, 9 bytes.
    #[must_use]
    pub fn associated_data(&self) -> [u8; 9] {
        associated_data(self.correlation(), self.flags())
    }

    /// The whole outer message.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.raw
    }

    /// The whole outer message, to send.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.raw
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let field = self
            .raw
            .get(at..at + N)
            .and_then(|bytes| bytes.try_into().ok());
        // Every constructor has made sure of HEADER_LEN bytes.
        field.expect("a frame holds its header")
    }
}

/// Correlation id, then flags: the associated data of a frame's seal.
#[must_use]
pub fn associated_data(correlation: u64, flags: u8) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = correlation.to_be_bytes();
    [a, b, c, d, e, f, g, h, flags]
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("channel", &self.channel())
            .field("epoch", &self.epoch())
            .field("correlation", &self.correlation())
            .field("flags", &self.flags())
            .field("ciphertext_bytes", &self.ciphertext().len())
            .finish()
    }
}

/// One WebSocket message, or one `relay` field of a Worker's link.
#[derive(Debug, Clone, PartialEq)]
pub enum Outer {
    /// Kind 0.
    Frame(Frame),
    /// Kind 1. It always has a body.
    Control(wire::control::Body),
}

impl Outer {
    /// Takes an outer message of either kind.
    ///
    /// # Errors
    ///
    /// [`Malformed`] with the place. The connection it came over has to be closed.
    pub fn parse(raw: Bytes) -> Result<Self, Malformed> {
        match raw.first() {
            Some(&KIND_CONTROL) => parse_control(raw).map(Self::Control),
            _ => Frame::parse(raw).map(Self::Frame),
        }
    }

    /// The bytes to send.
    #[must_use]
    pub fn encode(self) -> Bytes {
        match self {
            Self::Frame(frame) => frame.into_bytes(),
            Self::Control(body) => encode_control(body),
        }
    }
}

impl From<wire::control::Body> for Outer {
    fn from(body: wire::control::Body) -> Self {
        Self::Control(body)
    }
}

impl From<Frame> for Outer {
    fn from(frame: Frame) -> Self {
        Self::Frame(frame)
    }
}

fn parse_control(raw: Bytes) -> Result<wire::control::Body, Malformed> {
    if raw.len() > CONTROL_MAX {
        return Err(Malformed::ControlSize);
    }
    let control = wire::Control::decode(raw.slice(1..)).map_err(|_| Malformed::Control)?;
    control.body.ok_or(Malformed::Control)
}

fn encode_control(body: wire::control::Body) -> Bytes {
    let control = wire::Control { body: Some(body) };
    let mut raw = BytesMut::with_capacity(1 + control.encoded_len());
    raw.put_u8(KIND_CONTROL);
    raw.put_slice(&control.encode_to_vec());
    raw.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_frame() -> Frame {
        let id = ChannelId::from_bytes(*b"0123456789abcdef");
        Frame::new(id, 0x0102_0304, 0x1112_1314_1516_1718, FLAG_MORE, b"sealed")
    }

    #[test]
    fn the_header_lies_as_the_protocol_says() {
        let mut expected = vec![0u8];
        expected.extend(b"0123456789abcdef");
        expected.extend([
            1, 2, 3, 4, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 1,
        ]);
        expected.extend(b"sealed");
        assert_eq!(some_frame().into_bytes(), expected);
        assert_eq!(
            some_frame().associated_data(),
            [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 1]
        );
    }

    #[test]
    fn the_largest_frame_is_30_and_65_535() {
        assert_eq!(MESSAGE_MAX, 65_565);
    }

    #[test]
    fn parsing_passes_on_the_same_memory() {
        let raw = some_frame().into_bytes();
        let frame = Frame::parse(raw.clone()).expect("it was a frame");
        assert_eq!(frame.as_bytes().as_ptr(), raw.as_ptr());
    }

    #[test]
    fn a_control_message_without_a_body_is_refused() {
        assert_eq!(
            Outer::parse(Bytes::from_static(&[1])),
            Err(Malformed::Control)
        );
    }

    #[test]
    fn a_control_message_over_its_limit_is_not_even_decoded() {
        let raw = Bytes::from(vec![1u8; CONTROL_MAX + 1]);
        assert_eq!(Outer::parse(raw), Err(Malformed::ControlSize));
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        assert_eq!(
            Outer::parse(Bytes::from_static(&[2; 40])),
            Err(Malformed::Kind)
        );
        assert_eq!(Outer::parse(Bytes::new()), Err(Malformed::Empty));
        assert_eq!(
            Outer::parse(Bytes::from_static(&[0; 29])),
            Err(Malformed::Header)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_name_the_place(raw in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(outer) = Outer::parse(Bytes::from(raw)) {
                let again = Outer::parse(outer.clone().encode());
                prop_assert_eq!(again, Ok(outer));
            }
        }

        #[test]
        fn a_frame_comes_back_as_it_was_made(
            id: [u8; 16], epoch: u32, correlation: u64, flags: u8,
            ciphertext in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let id = ChannelId::from_bytes(id);
            let made = Frame::new(id, epoch, correlation, flags, &ciphertext);
            let frame = Frame::parse(made.clone().into_bytes()).expect("it was a frame");
            prop_assert_eq!(frame.channel(), id);
            prop_assert_eq!(frame.epoch(), epoch);
            prop_assert_eq!(frame.correlation(), correlation);
            prop_assert_eq!(frame.flags(), flags);
            prop_assert_eq!(frame.ciphertext(), &ciphertext[..]);
        }
    }
}
