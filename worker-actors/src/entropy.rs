//! The one place where the Worker's shells draw random bytes.

use getrandom::SysRng;
use rand_core::{CryptoRng, Rng as _, UnwrapErr};

/// The system's generator. It does not fail on the systems this runs on; if it did, nothing here
/// could go on safely.
pub(crate) fn source() -> impl CryptoRng {
    UnwrapErr(SysRng)
}

/// Evenly from [0, 1).
pub(crate) fn fraction() -> f64 {
    f64::from(source().next_u32()) / (f64::from(u32::MAX) + 1.0)
}

/// A name that nobody can guess and that collides with none: 16 random bytes.
pub(crate) fn name() -> String {
    let mut bytes = [0; 16];
    source().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
