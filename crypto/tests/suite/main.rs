//! What this crate promises, seen from outside.

mod fixed_vectors;
mod fixed_vectors_unchanged;
mod handshake;
mod support;
