//! Where escape sequences begin and end in a stream of output bytes.
//!
//! A snapshot may fall into the middle of a sequence. Whoever continues from it must first be
//! given the bytes of the sequence that has begun, or its rest would show up as text. And a
//! string sequence without an end may not make the model collect it for ever.

/// Follows the stream byte by byte (ECMA-48 §5, UTF-8) and keeps the unfinished sequence.
#[derive(Default)]
pub struct Boundary {
    state: State,
    tail: Vec<u8>,
    string_bytes: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// So many bytes of a UTF-8 character are still to come.
    Character(u8),
    Escape,
    Control,
    /// OSC: ends with BEL or ST.
    SystemCommand,
    /// DCS, SOS, PM, APC: end with ST.
    DeviceString,
    /// A string that grew too long: nothing of it reaches the model any more.
    Discarded,
}

/// What the model is given of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The byte itself.
    Feed,
    /// Nothing.
    Skip,
    /// CAN in its place: the string it belongs to has grown too long.
    Abort,
}

impl Boundary {
    /// Takes the next byte of the stream.
    pub fn step(&mut self, byte: u8) -> Fate {
        match self.state {
            State::Ground => self.on_ground(byte),
            State::Character(left) => self.in_character(byte, left),
            State::Escape => self.in_escape(byte),
            State::Control => self.in_control(byte),
            State::SystemCommand => self.in_string(byte, byte == BELL),
            State::DeviceString => self.in_string(byte, false),
            State::Discarded => self.in_discarded(byte),
        }
    }

    /// The bytes of the sequence that has begun and not ended; empty between sequences.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Bytes of a UTF-8 character that has begun and not ended.
    #[must_use]
    pub const fn begun_character(&self) -> usize {
        match self.state {
            State::Character(_) => self.tail.len(),
            State::Ground
            | State::Escape
            | State::Control
            | State::SystemCommand
            | State::DeviceString
            | State::Discarded => 0,
        }
    }

    fn on_ground(&mut self, byte: u8) -> Fate {
        match byte {
            ESCAPE => self.begin(State::Escape, byte),
            0xc2..=0xdf => self.begin(State::Character(1), byte),
            0xe0..=0xef => self.begin(State::Character(2), byte),
            0xf0..=0xf4 => self.begin(State::Character(3), byte),
            _ => Fate::Feed,
        }
    }

    fn in_character(&mut self, byte: u8, left: u8) -> Fate {
        if !(0x80..=0xbf).contains(&byte) {
            self.end();
            return self.on_ground(byte);
        }
        match left {
            1 => self.end(),
            _ => self.go_on(State::Character(left - 1), byte),
        }
    }

    fn in_escape(&mut self, byte: u8) -> Fate {
        match byte {
            ESCAPE => self.begin(State::Escape, byte),
            CANCEL | SUBSTITUTE => self.end(),
            0x00..=0x1f | 0x7f.. => Fate::Feed,
            b'[' if self.tail.len() == 1 => self.go_on(State::Control, byte),
            b']' if self.tail.len() == 1 => self.go_on(State::SystemCommand, byte),
            b'P' | b'X' | b'^' | b'_' if self.tail.len() == 1 => {
                self.go_on(State::DeviceString, byte)
            }
            0x20..=0x2f => self.go_on(State::Escape, byte),
            0x30..=0x7e => self.end(),
        }
    }

    fn in_control(&mut self, byte: u8) -> Fate {
        match byte {
            ESCAPE => self.begin(State::Escape, byte),
            CANCEL | SUBSTITUTE => self.end(),
            // Carried out at once, in the middle: the continuation must not repeat them.
            0x00..=0x1f | 0x7f.. => Fate::Feed,
            0x40..=0x7e => self.end(),
            0x20..=0x3f => self.go_on(State::Control, byte),
        }
    }

    fn in_string(&mut self, byte: u8, ends: bool) -> Fate {
        self.string_bytes += 1;
        match byte {
            ESCAPE => self.begin(State::Escape, byte),
            CANCEL | SUBSTITUTE => self.end(),
            _ if ends => self.end(),
            _ if self.string_bytes > STRING_MAX => {
                self.state = State::Discarded;
                Fate::Abort
            }
            _ => self.go_on(self.state, byte),
        }
    }

    fn in_discarded(&mut self, byte: u8) -> Fate {
        match byte {
            ESCAPE => self.begin(State::Escape, byte),
            BELL | CANCEL | SUBSTITUTE => {
                self.end();
                Fate::Skip
            }
            _ => Fate::Skip,
        }
    }

    fn begin(&mut self, state: State, byte: u8) -> Fate {
        self.tail.clear();
        self.string_bytes = 0;
        self.go_on(state, byte)
    }

    fn go_on(&mut self, state: State, byte: u8) -> Fate {
        self.state = state;
        match self.tail.len() {
            // The opening alone makes a client swallow the rest up to its end.
            TAIL_MAX.. => self.tail.truncate(OPENING),
            _ => self.tail.push(byte),
        }
        Fate::Feed
    }

    fn end(&mut self) -> Fate {
        self.state = State::Ground;
        self.tail.clear();
        Fate::Feed
    }
}

const BELL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;
const ESCAPE: u8 = 0x1b;

/// Bytes of one string sequence that the model may collect: a large clipboard fits.
const STRING_MAX: usize = 1 << 20;
/// Bytes of an unfinished sequence that are kept for whoever continues.
const TAIL_MAX: usize = 64 << 10;
/// ESC and the byte that tells which string it is.
const OPENING: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn after(bytes: &[u8]) -> Vec<u8> {
        let mut boundary = Boundary::default();
        for byte in bytes {
            boundary.step(*byte);
        }
        boundary.tail().to_vec()
    }

    #[test]
    fn between_sequences_nothing_is_left_over() {
        for whole in [
            "plain",
            "\x1b[1;31mred",
            "\x1b]0;title\x07",
            "\x1bP+q\x1b\\",
            "né",
            "😀",
            "\x1b(B",
        ] {
            assert_eq!(after(whole.as_bytes()), b"", "{whole:?}");
        }
    }

    #[test]
    fn an_unfinished_sequence_is_kept_from_its_beginning() {
        assert_eq!(after(b"text\x1b[38;2;1"), b"\x1b[38;2;1");
        assert_eq!(after(b"\x1b]0;tit"), b"\x1b]0;tit");
        assert_eq!(after(b"\x1b("), b"\x1b(");
        assert_eq!(after(&"😀".as_bytes()[..3]), &"😀".as_bytes()[..3]);
    }

    #[test]
    fn a_line_feed_inside_a_sequence_is_not_repeated() {
        assert_eq!(after(b"\x1b[3\n1"), b"\x1b[31");
    }

    #[test]
    fn a_cancelled_sequence_leaves_nothing() {
        assert_eq!(after(b"\x1b[3\x18"), b"");
        assert_eq!(after(b"\x1b]0;a\x1b[3"), b"\x1b[3");
    }

    #[test]
    fn an_endless_string_is_aborted_once_and_swallowed() {
        let mut boundary = Boundary::default();
        let mut fates = [0_usize; 3];
        for byte in b"\x1b]52;c;"
            .iter()
            .chain(std::iter::repeat_n(&b'A', STRING_MAX * 2))
        {
            fates[boundary.step(*byte) as usize] += 1;
        }
        assert_eq!(fates[Fate::Abort as usize], 1);
        assert!(fates[Fate::Feed as usize] <= STRING_MAX + 2);
        assert!(boundary.tail().len() <= TAIL_MAX);
        boundary.step(BELL);
        assert_eq!(boundary.step(b'x'), Fate::Feed);
    }
}
