//! The only place of this crate that reads a clock or asks for random bytes.
//!
//! Brains take both as arguments; the shells get them here.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::error::Fault;

/// Monotonic: for timeouts.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the shells read the clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970, UTC: for what is stored or shown.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the shells read the clock"
)]
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Fault::Random)?;
    Ok(bytes)
}
