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
