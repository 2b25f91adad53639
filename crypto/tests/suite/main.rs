//! What this crate promises, seen from outside.

#[path = "../../examples/check_vectors/checks/mod.rs"]
mod checks;
mod fixed_vectors;
mod fixed_vectors_unchanged;
mod handshake;
mod keys;
mod published_vectors;
mod registration;
mod renewal;
mod second_implementation;
mod statements;
mod support;
mod tamper;
mod transport;
