//! `leapmux worker devices list|approve|remove`: the device list, beside a running Worker.

use std::path::Path;

use channel_actors::endpoint::trust::{Change, Source, TrustedDevice};
use schema::{ids::UserId, wire};
use thiserror::Error;

use crate::{
    clock,
    store::{
        Store, StoreError,
        devices::{self, KeptDevice, REMOVED, WAITING},
    },
};

/// Why nothing was changed. One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AdminError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No device has these words or this key.
    #[error("no device has these words; `leapmux worker devices list` shows them")]
    Unknown,
    /// Several have these words: the whole key is needed.
    #[error("several devices have these words; give the whole key in hex")]
    Ambiguous,
    /// Several users show the same key; at most one of them is right.
    #[error("several users show this key; say whose is meant as USER:WORDS")]
    Contested,
}

/// All devices, trusted and waiting. Blocks.
///
/// # Errors
///
/// The database failed.
pub fn list(data_dir: &Path) -> Result<Vec<wire::Device>, StoreError> {
    let all = Store::open(data_dir)?.run_here(devices::all)?;
    let here = all.iter().filter(|device| device.state != REMOVED);
    Ok(here.map(|device| device.shown(&[])).collect())
}

/// Trusts a waiting device, named by its words, its key in hex, or either behind `USER:` where
/// several users show the same key. A running Worker notices within a second. Blocks.
///
/// # Errors
///
/// Nothing was changed.
pub fn approve(data_dir: &Path, words_or_key: &str) -> Result<wire::Device, AdminError> {
    change(
        data_dir,
        words_or_key,
        |device| device.state == WAITING,
        |device, user| {
            Change::Trusted(TrustedDevice {
                user,
                algorithm: u8::try_from(device.algorithm).unwrap_or_default(),
                key: device.key.clone().into(),
                source: Source::Approved,
                expires_at: None,
                signer: None,
            })
        },
    )
}

/// Trusts a device no more; a running Worker closes its channels within a second. Blocks.
///
/// # Errors
///
/// Nothing was changed.
pub fn remove(data_dir: &Path, words_or_key: &str) -> Result<wire::Device, AdminError> {
    change(
        data_dir,
        words_or_key,
        |device| device.state != REMOVED,
        |device, user| Change::Removed {
            user,
            key: device.key.clone().into(),
        },
    )
}

fn change(
    data_dir: &Path,
    words_or_key: &str,
    fits: impl Fn(&KeptDevice) -> bool,
    change: impl Fn(&KeptDevice, UserId) -> Change,
) -> Result<wire::Device, AdminError> {
    let store = Store::open(data_dir)?;
    let all = store.run_here(devices::all)?;
    let (user, wanted) = match words_or_key.trim().rsplit_once(':') {
        Some((user, wanted)) => (Some(user), wanted.trim().to_ascii_lowercase()),
        None => (None, words_or_key.trim().to_ascii_lowercase()),
    };
    let named = |device: &&KeptDevice| {
        user.is_none_or(|user| user == device.user_id)
            && (device.fingerprint == wanted || hex(&device.key) == wanted)
    };
    let mut found = all.iter().filter(|device| fits(device)).filter(named);
    let device = found.next().ok_or(AdminError::Unknown)?;
    match found.next() {
        Some(other) if other.key == device.key => return Err(AdminError::Contested),
        Some(_) => return Err(AdminError::Ambiguous),
        None => {}
    }
    // A device has one key a mode; what is said of one holds for the other.
    let same = all.iter().filter(|other| {
        fits(other)
            && other.user_id == device.user_id
            && devices::is_same_device(&other.key, &device.key)
    });
    let changes = same.filter_map(|one| Some(change(one, UserId::parse(&one.user_id).ok()?)));
    let (changes, now) = (changes.collect(), clock::unix_ms());
    store.run_here(|connection| devices::keep(connection, changes, &crypto::fingerprint, now))?;
    Ok(device.shown(&[]))
}

fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
