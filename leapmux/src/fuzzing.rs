//! Doors for the fuzzers (feature `fuzzing`), into what is nobody else's business.

use std::path::{Path, PathBuf};

use figment::value::Dict;
use hub_actors::HubConfig;
use worker_actors::WorkerConfig;

use crate::{
    layers::{self, Layers},
    remote::{address::Address, escape::Escape, folder::Folder, login, pins::Pins, registrations},
};

/// Reads a configuration file for both roles, as `hub`, `worker` and `solo` do. Gives what
/// `--print-config` would print of each that was understood.
#[must_use]
pub fn configuration(file: &Path) -> Vec<String> {
    let layers = || Layers::new("LEAPMUX_FUZZING_", Some(file), Dict::new());
    let (hub, worker) = (HubConfig::default(), WorkerConfig::default());
    let merged = [
        layers().and_then(|layers| printed(&layers, &hub)),
        layers().and_then(|layers| printed(&layers, &worker)),
        layers().and_then(|layers| printed(&layers.in_section("hub"), &hub)),
        layers().and_then(|layers| printed(&layers.in_section("worker"), &worker)),
    ];
    merged.into_iter().flatten().collect()
}

fn printed<T>(layers: &Layers, defaults: &T) -> anyhow::Result<String>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let (log, role) = layers.merge_over(defaults)?;
    layers::print(&log, &role)
}

/// The one text of what `--hub` was given, and its `Host` header.
#[must_use]
pub fn address(text: &str) -> Option<(String, String)> {
    let address = Address::parse(text).ok()?;
    Some((address.key(), address.authority()))
}

/// What is sent of what is typed in these pieces, and whether the person left.
#[must_use]
pub fn typed(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut escape = Escape::new();
    let mut sent = Vec::new();
    for piece in pieces {
        let typed = escape.take(piece);
        sent.extend(typed.data);
        if typed.detach {
            return (sent, true);
        }
    }
    (sent, false)
}

/// Reads every file of the folder of `leapmux remote`. Gives how many pins can be used, and what
/// the files held under `key`.
#[must_use]
pub fn remote_files(folder: PathBuf, key: &str) -> Option<(usize, Option<[u8; 32]>)> {
    let folder = Folder::open(folder).ok()?;
    let pins = Pins::new(&folder).all().unwrap_or_default();
    let usable = pins.values().filter(|entry| entry.pin().is_ok()).count();
    let secret = registrations::secret(&folder, key).ok().flatten();
    if let Ok(hub) = Address::parse(key) {
        drop(login::find(&folder, &hub));
    }
    Some((usable, secret.map(|secret| *secret)))
}
