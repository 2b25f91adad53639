//! Doors for the fuzzers (feature `fuzzing`), into what is nobody else's business.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub use crate::terminal::looks::looks;

/// Reads `id.secret`.
#[must_use]
pub fn registration_key(text: &str) -> Option<(String, [u8; 32])> {
    crate::registration::parse(text).map(|(id, secret)| (id.to_owned(), *secret))
}

/// Writes it.
#[must_use]
pub fn registration_key_text(id: &str, secret: &[u8; 32]) -> String {
    format!("{id}.{}", URL_SAFE_NO_PAD.encode(secret))
}
