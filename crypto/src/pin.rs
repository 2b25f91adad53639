//! What a client remembers of a Worker, and what it says of the next key it is offered.

use subtle::ConstantTimeEq;

use crate::Mode;

/// A Worker as it was accepted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The composite public key.
    pub public_key: Vec<u8>,
    /// The mode it was used in.
    pub mode: Mode,
}

/// What the pin says of an offered key and mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinVerdict {
    /// No pin. Go on, and store one once the claim was accepted.
    FirstUse,
    /// Same key, same mode. Go on.
    Match,
    /// Same key, stronger mode. Go on, and store the new mode once the claim was accepted.
    ModeStronger,
    /// Another key. Stop and ask; to reject is the default.
    KeyChanged,
    /// Same key, weaker mode. Stop and ask; to reject is the default.
    ModeWeaker,
    /// Another key and a weaker mode. Stop and ask; to reject is the default.
    KeyChangedAndModeWeaker,
}

impl PinVerdict {
    /// Whether the handshake must not begin before a person has agreed.
    #[must_use]
    pub const fn stops(self) -> bool {
        match self {
            Self::FirstUse | Self::Match | Self::ModeStronger => false,
            Self::KeyChanged | Self::ModeWeaker | Self::KeyChangedAndModeWeaker => true,
        }
    }
}

/// Compares what the Hub offers with what is pinned, before the handshake.
#[must_use]
pub fn judge(pinned: Option<&Pin>, offered_key: &[u8], offered_mode: Mode) -> PinVerdict {
    let Some(pin) = pinned else {
        return PinVerdict::FirstUse;
    };
    let same_key: bool = pin.public_key.ct_eq(offered_key).into();
    match (same_key, offered_mode.is_weaker_than(pin.mode)) {
        (true, true) => PinVerdict::ModeWeaker,
        (true, false) if offered_mode == pin.mode => PinVerdict::Match,
        (true, false) => PinVerdict::ModeStronger,
        (false, false) => PinVerdict::KeyChanged,
        (false, true) => PinVerdict::KeyChangedAndModeWeaker,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pinned: (&[u8], Mode), offered: (&[u8], Mode)) -> PinVerdict {
        let pin = Pin {
            public_key: pinned.0.to_vec(),
            mode: pinned.1,
        };
        judge(Some(&pin), offered.0, offered.1)
    }

    #[test]
    fn without_a_pin_it_is_the_first_use() {
        assert_eq!(judge(None, b"key", Mode::Classic), PinVerdict::FirstUse);
        assert!(!PinVerdict::FirstUse.stops());
    }

    #[test]
    fn the_same_key_in_the_same_or_a_stronger_mode_passes() {
        use Mode::{Classic, PostQuantum};
        assert_eq!(
            verdict((b"key", Classic), (b"key", Classic)),
            PinVerdict::Match
        );
        assert_eq!(
            verdict((b"key", PostQuantum), (b"key", PostQuantum)),
            PinVerdict::Match
        );
        assert_eq!(
            verdict((b"key", Classic), (b"key", PostQuantum)),
            PinVerdict::ModeStronger
        );
        assert!(!PinVerdict::Match.stops() && !PinVerdict::ModeStronger.stops());
    }

    #[test]
    fn another_key_or_a_weaker_mode_stops() {
        use Mode::{Classic, PostQuantum};
        let cases = [
            ((b"kez", Classic), (b"key", Classic), PinVerdict::KeyChanged),
            (
                (b"kez", Classic),
                (b"key", PostQuantum),
                PinVerdict::KeyChanged,
            ),
            (
                (b"key", PostQuantum),
                (b"key", Classic),
                PinVerdict::ModeWeaker,
            ),
            (
                (b"kez", PostQuantum),
                (b"key", Classic),
                PinVerdict::KeyChangedAndModeWeaker,
            ),
        ];
        for (pinned, offered, expected) in cases {
            let found = verdict((pinned.0, pinned.1), (offered.0, offered.1));
            assert_eq!(found, expected);
            assert!(found.stops());
        }
    }

    #[test]
    fn a_key_that_begins_like_the_pinned_one_is_another_key() {
        let mode = Mode::PostQuantum;
        assert_eq!(
            verdict((b"key", mode), (b"ke", mode)),
            PinVerdict::KeyChanged
        );
        assert_eq!(verdict((b"key", mode), (b"", mode)), PinVerdict::KeyChanged);
    }
}
