//! Clients on channels: who is believed, what they may do, and that bytes arrive.

#[path = "../support/mod.rs"]
mod support;

mod delegation;
mod exec;
mod rights;
mod scene;
mod trust;
