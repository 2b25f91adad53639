//! The Worker: dials out to a Hub, holds the keys, runs terminals.

mod clock;
pub mod store;
pub mod terminal;
