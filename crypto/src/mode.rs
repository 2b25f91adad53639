//! The two encryption modes and the sizes that follow from them.

use crate::aead::TAG_LEN;
use crate::kem;
use crate::slh;
use crate::x25519;

/// How a channel is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// X25519 alone: plain `Noise_NK`.
    Classic,
    /// X25519 and ML-KEM-1024 together, the Worker authenticated by SLH-DSA as well.
    PostQuantum,
}

impl Mode {
    /// The mode that a person's text names.
    ///
    /// Fails safe: only `classic` in so many letters (case and blanks aside) gives up
    /// post-quantum protection. `pq`, `post_quantum`, nothing and anything unknown mean
    /// [`Mode::PostQuantum`].
    #[must_use]
    pub fn resolve(text: &str) -> Self {
        if text.trim().eq_ignore_ascii_case("classic") {
            Self::Classic
        } else {
            Self::PostQuantum
        }
    }

    /// The mode of a byte on the wire, if there is one.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Classic),
            0x02 => Some(Self::PostQuantum),
            _ => None,
        }
    }

    /// The byte of the prologue (`docs/protocol.md#prologue`).
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Classic => 0x01,
            Self::PostQuantum => 0x02,
        }
    }

    /// The name on command lines and in announcements.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::PostQuantum => "post-quantum",
        }
    }

    /// Whether this mode protects less than `other`.
    #[must_use]
    pub const fn is_weaker_than(self, other: Self) -> bool {
        self.byte() < other.byte()
    }

    /// Exact length of handshake message 1 in bytes: 48 or 3,184.
    #[must_use]
    pub const fn message_1_len(self) -> usize {
        self.message_1_overhead()
    }

    /// Exact length of handshake message 2 in bytes: 48 or 51,472.
    #[must_use]
    pub const fn message_2_len(self) -> usize {
        match self {
            Self::Classic => self.message_2_overhead(),
            Self::PostQuantum => self.message_2_overhead() + slh::SIGNATURE_LEN,
        }
    }

    /// Exact length of a renewal's first message in bytes: 56 or 3,192.
    #[must_use]
    pub const fn renew_len(self) -> usize {
        self.message_1_overhead() + 8
    }

    /// Exact length of a renewal's second message in bytes: 56 or 1,624.
    #[must_use]
    pub const fn renewed_len(self) -> usize {
        self.message_2_overhead() + 8
    }

    /// Message 1 without its payload.
    pub(crate) const fn message_1_overhead(self) -> usize {
        match self {
            Self::Classic => x25519::LEN + TAG_LEN,
            Self::PostQuantum => x25519::LEN + kem::CIPHERTEXT_LEN + kem::KEY_LEN + TAG_LEN,
        }
    }

    /// Message 2 without its payload.
    pub(crate) const fn message_2_overhead(self) -> usize {
        match self {
            Self::Classic => x25519::LEN + TAG_LEN,
            Self::PostQuantum => x25519::LEN + kem::CIPHERTEXT_LEN + TAG_LEN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_sizes_are_those_of_the_protocol() {
        assert_eq!(Mode::Classic.message_1_len(), 48);
        assert_eq!(Mode::Classic.message_2_len(), 48);
        assert_eq!(Mode::PostQuantum.message_1_len(), 3184);
        assert_eq!(Mode::PostQuantum.message_2_len(), 51_472);
        assert_eq!(
            (Mode::Classic.renew_len(), Mode::Classic.renewed_len()),
            (56, 56)
        );
        assert_eq!(
            (
                Mode::PostQuantum.renew_len(),
                Mode::PostQuantum.renewed_len()
            ),
            (3192, 1624)
        );
    }

    #[test]
    fn unknown_text_means_post_quantum() {
        for text in [
            "",
            "pq",
            "post_quantum",
            "post-quantum",
            "PQ",
            "classical",
            "klassic",
        ] {
            assert_eq!(Mode::resolve(text), Mode::PostQuantum, "{text}");
        }
        assert_eq!(Mode::resolve("classic"), Mode::Classic);
        assert_eq!(Mode::resolve(" Classic\n"), Mode::Classic);
    }

    #[test]
    fn bytes_and_modes_belong_together() {
        for mode in [Mode::Classic, Mode::PostQuantum] {
            assert_eq!(Mode::from_byte(mode.byte()), Some(mode));
            assert_eq!(Mode::resolve(mode.as_str()), mode);
            assert!(!mode.is_weaker_than(mode));
        }
        assert!(
            (3..=255)
                .chain([0])
                .all(|byte| Mode::from_byte(byte).is_none())
        );
        assert!(Mode::Classic.is_weaker_than(Mode::PostQuantum));
        assert!(!Mode::PostQuantum.is_weaker_than(Mode::Classic));
    }
}
