//! Ids of our own making: a letter, and 128 random bits in hex.

use std::fmt::Write as _;

use crate::{clock, error::Fault};

/// `u_0123…`
pub(crate) fn id(prefix: &str) -> Result<String, Fault> {
    let mut text = String::with_capacity(prefix.len() + 33);
    text.push_str(prefix);
    text.push('_');
    for byte in clock::random::<16>()? {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Longest slug.
const SLUG_MAX: usize = 32;

/// Whether this may name a user or an organisation: 1 to 32 of a-z 0-9 and single hyphens inside.
pub(crate) fn is_slug(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=SLUG_MAX).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_short_plain_and_has_its_hyphens_inside() {
        for good in ["a", "7", "a-b", "a-b-c", &"a".repeat(32)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in [
            "", "-", "-a", "a-", "a--b", "A", "a_b", "a.b", "\u{e9}", "a b",
        ] {
            assert!(!is_slug(bad), "{bad}");
        }
        assert!(!is_slug(&"a".repeat(33)));
    }
}
