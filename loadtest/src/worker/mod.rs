//! Simulated Workers: real registrations and links, and nothing behind them but an echo.

mod fleet;
mod junk;
mod link;
mod registration;
mod sealed;

pub(crate) use fleet::Fleet;
pub(crate) use junk::{FRAME_OVERHEAD, message_1};
pub(crate) use registration::Registered;
