//! What this crate promises, seen from outside.

mod handshake;
mod support;
