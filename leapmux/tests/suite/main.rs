//! The real binary, used the way its users use it.

mod admin;
mod canary;
mod lasting;
mod remote;
mod solo;
mod starts;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the faults use the rest")]
mod support;
mod terminal;
