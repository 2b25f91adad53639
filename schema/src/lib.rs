//! The shapes of data, and nothing that acts on them.
//!
//! | module | what has its shape there |
//! |---|---|
//! | [`frame`] | the outer message: what one WebSocket message or one link field holds |
//! | [`ids`] | names of channels, Workers, users and the rest, never empty |
//! | [`wire`] | everything in `proto/leapmux/v1`, generated, with proto3 JSON |
//!
//! Ciphertext is bytes here: this crate never asks what is in it and knows no other crate of ours.
//! What is parsed cannot be wrong afterwards; there is no second check.

pub mod frame;
pub mod ids;
mod malformed;
pub mod wire;

pub use malformed::Malformed;
