//! This device: the key that signs the claim of each channel.
//!
//! `device.key` is private; `device.pub` beside it lets a Worker of the same person on the same
//! machine know the command line without a question (see docs/security.md, "Devices").

use anyhow::Context as _;
use crypto::{DeviceKey, Mode};

use super::folder::Folder;

/// Loads the key, or makes it once.
pub(crate) fn load(folder: &Folder) -> anyhow::Result<DeviceKey> {
    let _lock = folder.lock()?;
    if let Some(bytes) = folder.read("device.key")? {
        return DeviceKey::decode(&bytes).ok().with_context(|| {
            format!(
                "{} is damaged. Restore it, or move it away to become a new device that has to be approved",
                folder.path("device.key").display()
            )
        });
    }
    let key = DeviceKey::generate(&mut rand::rng());
    folder.write("device.key", &key.encode())?;
    folder.write("device.pub", public_lines(&key).as_bytes())?;
    Ok(key)
}

/// One line of hexadecimal for each mode's public key.
fn public_lines(key: &DeviceKey) -> String {
    [Mode::PostQuantum, Mode::Classic]
        .map(|mode| hex::encode(key.public_bytes(mode)) + "\n")
        .concat()
}

/// What people call this command line: who is asked about it, and who sees it in a list.
pub(crate) fn machine() -> String {
    let host = nix::unistd::gethostname().ok();
    let host = host.and_then(|name| name.into_string().ok());
    let host = host.unwrap_or_else(|| "an unnamed machine".to_owned());
    let name = format!("leapmux on {host}");
    name.chars()
        .filter(|one| !one.is_control())
        .take(64)
        .collect()
}
