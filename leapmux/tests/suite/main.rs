//! The real binary, used the way its users use it.

mod admin;
mod backup;
mod canary;
mod delegation;
mod lasting;
mod logins;
mod remote;
mod site;
mod solo;
mod starts;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
