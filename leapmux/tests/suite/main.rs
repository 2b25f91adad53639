//! The real binary, used the way its users use it.

mod canary;
mod remote;
mod solo;
mod starts;
mod support;
mod terminal;
