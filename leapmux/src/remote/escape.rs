//! BRAIN: the escape of `remote terminal`, as ssh has it: at the start of a line, `~.` detaches and
//! `~~` is one tilde.

/// What has been typed, as far as the escape cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    Tilde,
    Inside,
}

/// Takes escapes out of what is typed.
pub(crate) struct Escape(State);

/// What is left to do with some input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    /// To be sent.
    pub(crate) data: Vec<u8>,
    /// Whether the person wants to leave; what was typed behind it is dropped.
    pub(crate) detach: bool,
}

impl Escape {
    /// A session begins at the start of a line.
    pub(crate) const fn new() -> Self {
        Self(State::LineStart)
    }

    /// Judges the next input.
    pub(crate) fn take(&mut self, input: &[u8]) -> Typed {
        let mut data = Vec::with_capacity(input.len() + 1);
        for &byte in input {
            match (self.0, byte) {
                (State::LineStart, b'~') => self.0 = State::Tilde,
                (State::Tilde, b'.') => return Typed { data, detach: true },
                (State::Tilde, b'~') => self.pass(b'~', &mut data),
                (State::Tilde, other) => {
                    data.push(b'~');
                    self.pass(other, &mut data);
                }
                (State::LineStart | State::Inside, other) => self.pass(other, &mut data),
            }
        }
        Typed {
            data,
            detach: false,
        }
    }

    fn pass(&mut self, byte: u8, data: &mut Vec<u8>) {
        data.push(byte);
        self.0 = if matches!(byte, b'\r' | b'\n') {
            State::LineStart
        } else {
            State::Inside
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(inputs: &[&str]) -> (String, bool) {
        let mut escape = Escape::new();
        let mut all = Vec::new();
        for input in inputs {
            let typed = escape.take(input.as_bytes());
            all.extend(typed.data);
            if typed.detach {
                return (String::from_utf8(all).expect("text"), true);
            }
        }
        (String::from_utf8(all).expect("text"), false)
    }

    #[test]
    fn tilde_dot_at_the_start_of_a_line_detaches() {
        assert_eq!(typed(&["~."]), (String::new(), true));
        assert_eq!(typed(&["ls\r", "~", ".rest"]), ("ls\r".into(), true));
    }

    #[test]
    fn anywhere_else_it_is_only_text() {
        assert_eq!(typed(&["cd ~.\r"]), ("cd ~.\r".into(), false));
        assert_eq!(typed(&["~/bin"]), ("~/bin".into(), false));
    }

    #[test]
    fn two_tildes_are_one() {
        assert_eq!(typed(&["~~.x"]), ("~.x".into(), false));
    }
}
