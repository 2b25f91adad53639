//! Which input is a terminal's answer and not a person's.
//!
//! A program asks "where is the cursor?" and every attached browser's terminal answers. Only the
//! answer of one may reach the program.

/// Whether the whole piece of input consists of answers to queries.
///
/// Known are device attributes (DA1, DA2, DA3), status and cursor reports (DSR), mode reports
/// (DECRPM), window reports, colours (OSC 4, 10–12) and every DCS answer. A cursor report looks
/// like F3 with modifiers; of the two the report is meant, except in its form for row 1, which
/// only a person at a fresh screen is likely to send: that one passes.
#[must_use]
pub fn is_answer(input: &[u8]) -> bool {
    let mut rest = input;
    while !rest.is_empty() {
        let Some(length) = answer(rest) else {
            return false;
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    !input.is_empty()
}

/// Length of the answer at the head.
fn answer(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0x1b, b'[', body @ ..] => control(body).map(|length| length + 2),
        [0x1b, b']', body @ ..] => colour(body).map(|length| length + 2),
        [0x1b, b'P', body @ ..] => string_end(body).map(|length| length + 2),
        _ => None,
    }
}

fn control(body: &[u8]) -> Option<usize> {
    let end = body.iter().position(|byte| (0x40..=0x7e).contains(byte))?;
    let (parameters, last) = (body.get(..end)?, body.get(end)?);
    let told = match last {
        b'c' => matches!(parameters.first(), Some(b'?' | b'>' | b'=')),
        b'R' => {
            let keys_form = parameters.starts_with(b"1;");
            parameters.contains(&b';') && (parameters.first() == Some(&b'?') || !keys_form)
        }
        b'n' => !parameters.is_empty(),
        b'y' => parameters.last() == Some(&b'$'),
        b't' => parameters.iter().filter(|byte| **byte == b';').count() == 2,
        _ => false,
    };
    told.then_some(end + 1)
}

fn colour(body: &[u8]) -> Option<usize> {
    let known = [&b"4;"[..], b"10;", b"11;", b"12;"]
        .iter()
        .any(|code| body.starts_with(code));
    known.then(|| string_end(body)).flatten()
}

/// Up to and with BEL or ST.
fn string_end(body: &[u8]) -> Option<usize> {
    let bell = body.iter().position(|byte| *byte == 0x07).map(|at| at + 1);
    let terminator = body
        .windows(2)
        .position(|pair| pair == b"\x1b\\")
        .map(|at| at + 2);
    [bell, terminator].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_recognised_alone_and_in_rows() {
        for text in [
            "\x1b[?1;2c",
            "\x1b[>0;276;0c",
            "\x1b[0n",
            "\x1b[24;80R",
            "\x1b[?2026;2$y",
            "\x1b[8;24;80t",
            "\x1b]11;rgb:0000/0000/0000\x1b\\",
            "\x1b]10;rgb:ff/ff/ff\x07",
            "\x1bP1+r544e\x1b\\",
            "\x1b[?1;2c\x1b[12;4R",
        ] {
            assert!(is_answer(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn what_people_type_is_not_an_answer() {
        for text in [
            "",
            "a",
            "\x1b",
            "\x1b[A",
            "\x1bOP",
            "\x1b[1;5R",
            "\x1b[15~",
            "\x1b[200~pasted\x1b[201~",
            "\x1b[M abc",
            "\x1b[<0;10;10M",
            "\x1b[24;80Rls",
            "\x1b[I",
        ] {
            assert!(!is_answer(text.as_bytes()), "{text:?}");
        }
    }
}
