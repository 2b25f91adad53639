//! Simulated Workers: real registrations and links, and nothing behind them but an echo.

mod ends;
mod fleet;
mod handshakes;
mod home;
mod junk;
mod link;
mod registration;
mod sealed;

pub(crate) use fleet::Fleet;
pub(crate) use handshakes::Shaken;
pub(crate) use home::Loyalty;
pub(crate) use junk::{FRAME_OVERHEAD, message_1};
pub(crate) use registration::Registered;
