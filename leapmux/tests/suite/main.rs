//! The real binary, used the way its users use it.

mod admin;
mod canary;
mod lasting;
mod logins;
mod remote;
mod solo;
mod starts;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
