//! The Worker: dials out to a Hub, holds the keys, runs terminals.

pub mod terminal;
