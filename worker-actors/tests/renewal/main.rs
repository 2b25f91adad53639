//! Channels that outlive their streams: cut off, found again, and given up.

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod commands;
mod fleet;
mod guests;
mod strangers;
mod terminals;
