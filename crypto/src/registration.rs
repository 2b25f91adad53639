//! Tags by which a Worker and the registering user's device vouch for their keys to each other.
//!
//! Both know a secret that never passes the Hub, so the Hub can relay keys but not exchange them
//! (`docs/protocol.md#registration`).

use subtle::ConstantTimeEq;

use crate::signed::Algorithm;
use crate::{Error, hash, wire};

/// Length of a registration secret in bytes.
const SECRET_LEN: usize = 32;
/// Length of a tag in bytes.
const TAG_LEN: usize = 64;

const WORKER_LABEL: &[u8] = b"leapmux worker key v1";
const DEVICE_LABEL: &[u8] = b"leapmux device key v1";

/// The Worker's tag over its composite public key.
///
/// # Errors
///
/// [`Error::Identifier`] for a bad id.
pub fn worker_tag(secret: &[u8; SECRET_LEN], id: &str, key: &[u8]) -> Result<[u8; TAG_LEN], Error> {
    let mut covered = WORKER_LABEL.to_vec();
    wire::put_lp(&mut covered, wire::id(id)?)?;
    covered.extend_from_slice(key);
    Ok(*hash::hmac(secret, &[&covered]))
}

/// The device's tag over its public key and the user it belongs to.
///
/// # Errors
///
/// [`Error::Identifier`] for a bad id.
pub fn device_tag(
    secret: &[u8; SECRET_LEN],
    id: &str,
    user_id: &str,
    algorithm: Algorithm,
    key: &[u8],
) -> Result<[u8; TAG_LEN], Error> {
    let mut covered = DEVICE_LABEL.to_vec();
    wire::put_lp(&mut covered, wire::id(id)?)?;
    wire::put_lp(&mut covered, wire::id(user_id)?)?;
    covered.push(algorithm.byte());
    covered.extend_from_slice(key);
    Ok(*hash::hmac(secret, &[&covered]))
}

/// Checks a Worker's tag in constant time.
///
/// # Errors
///
/// [`Error::Tag`] for a missing or wrong tag, [`Error::Identifier`] for a bad id.
pub fn verify_worker_tag(
    secret: &[u8; SECRET_LEN],
    id: &str,
    key: &[u8],
    tag: &[u8],
) -> Result<(), Error> {
    compare(&worker_tag(secret, id, key)?, tag)
}

/// Checks a device's tag in constant time.
///
/// # Errors
///
/// [`Error::Tag`] for a missing or wrong tag, [`Error::Identifier`] for a bad id.
pub fn verify_device_tag(
    secret: &[u8; SECRET_LEN],
    id: &str,
    user_id: &str,
    algorithm: Algorithm,
    key: &[u8],
    tag: &[u8],
) -> Result<(), Error> {
    compare(&device_tag(secret, id, user_id, algorithm, key)?, tag)
}

fn compare(expected: &[u8; TAG_LEN], tag: &[u8]) -> Result<(), Error> {
    let equal: bool = expected.as_slice().ct_eq(tag).into();
    if equal { Ok(()) } else { Err(Error::Tag) }
}
