//! What requests about Workers may say.

use bytes::Bytes;
use schema::{
    ids::WorkerId,
    wire::{CreateRegistrationKeyRequest, EncryptionMode},
};

use crate::error::{Field, Refusal};

/// A composite public key: x25519 32, ML-KEM-1024 1568, SLH-DSA-SHAKE-256f 64.
const PUBLIC_KEY_LEN: usize = 32 + 1568 + 64;
/// HMAC-BLAKE2b-512.
const TAG_LEN: usize = 64;

/// At least 16 characters, so that nobody meets another's id by guessing.
pub(super) fn registration_id(text: &str) -> Result<&str, Refusal> {
    let fits = text.len() >= 16 && WorkerId::parse(text).is_ok();
    fits.then_some(text)
        .ok_or(Refusal::Malformed(Field::RegistrationId))
}

pub(super) fn device_algorithm(request: &CreateRegistrationKeyRequest) -> Result<i32, Refusal> {
    match (request.device_algorithm, request.device_key.len()) {
        (1, 32) => Ok(1),
        (2, 1_984) => Ok(2),
        _ => Err(Refusal::Malformed(Field::DeviceKey)),
    }
}

pub(super) fn tag(bytes: &Bytes) -> Result<(), Refusal> {
    (bytes.len() == TAG_LEN)
        .then_some(())
        .ok_or(Refusal::Malformed(Field::Tag))
}

pub(super) fn public_key(key: &Bytes, mode: i32) -> Result<(), Refusal> {
    let fits = key.len() == PUBLIC_KEY_LEN && is_mode(mode);
    fits.then_some(())
        .ok_or(Refusal::Malformed(Field::PublicKey))
}

/// Whether a Worker can run in it.
pub(crate) fn is_mode(mode: i32) -> bool {
    match EncryptionMode::try_from(mode) {
        Ok(EncryptionMode::Classic | EncryptionMode::PostQuantum) => true,
        Ok(EncryptionMode::Unspecified) | Err(_) => false,
    }
}

pub(super) fn name(text: &str) -> Result<(), Refusal> {
    is_line(text, 128)
        .then_some(())
        .ok_or(Refusal::Malformed(Field::WorkerName))
}

pub(super) fn version(text: &str) -> Result<(), Refusal> {
    is_version(text)
        .then_some(())
        .ok_or(Refusal::Malformed(Field::Version))
}

/// Whether a Worker may call its version so.
pub(crate) fn is_version(text: &str) -> bool {
    is_line(text, 64)
}

fn is_line(text: &str, bytes: usize) -> bool {
    text.len() <= bytes && !text.chars().any(char::is_control)
}

/// The name, or what stands for none.
pub(super) fn named(name: &str) -> String {
    if name.trim().is_empty() {
        "worker".to_owned()
    } else {
        name.to_owned()
    }
}
