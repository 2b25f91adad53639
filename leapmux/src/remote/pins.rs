//! `pins.json`: which key and mode each Worker had when it was first met.
//!
//! A Worker that shows another key, or a weaker mode, is refused until a person removes its pin.

use std::collections::BTreeMap;

use anyhow::Context as _;
use crypto::{Mode, Pin, PinVerdict, PublicKey};
use serde::{Deserialize, Serialize};

use super::folder::Folder;

/// All pins of this user.
pub(crate) struct Pins<'a> {
    folder: &'a Folder,
}

/// One Worker's pin, as the file holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Composite public key, hexadecimal.
    pub(crate) public_key: String,
    /// `classic` or `post-quantum`.
    pub(crate) mode: String,
    /// The key's four words.
    pub(crate) fingerprint: String,
    /// Whether the key was vouched for by a secret that the Hub never saw.
    #[serde(default)]
    pub(crate) verified: bool,
    /// Unix seconds.
    pub(crate) first_seen: u64,
    /// Unix seconds.
    pub(crate) last_used: u64,
}

impl Entry {
    /// As the verdict takes it.
    pub(crate) fn pin(&self) -> anyhow::Result<Pin> {
        let key = hex::decode(&self.public_key)
            .ok()
            .and_then(|bytes| PublicKey::from_bytes(&bytes).ok());
        let public_key = key.context("pins.json holds a key that is none; remove that pin")?;
        Ok(Pin {
            public_key: public_key.as_bytes().to_vec(),
            mode: Mode::resolve(&self.mode),
        })
    }
}

/// Pins that a year has not used are dropped.
const LIFE_SECONDS: u64 = 365 * 24 * 3600;

impl<'a> Pins<'a> {
    /// The pins in this folder.
    pub(crate) fn new(folder: &'a Folder) -> Self {
        Self { folder }
    }

    /// All of them by Worker id.
    pub(crate) fn all(&self) -> anyhow::Result<BTreeMap<String, Entry>> {
        let Some(bytes) = self.folder.read("pins.json")? else {
            return Ok(BTreeMap::new());
        };
        serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "{} is damaged; nothing is trusted until it is mended or removed",
                self.folder.path("pins.json").display()
            )
        })
    }

    /// What to make of an offered key, before any handshake.
    pub(crate) fn judge(
        &self,
        worker: &str,
        offered: &PublicKey,
        mode: Mode,
        now: u64,
    ) -> anyhow::Result<(PinVerdict, Option<Entry>)> {
        let entry = self
            .all()?
            .remove(worker)
            .filter(|entry| now < entry.last_used.saturating_add(LIFE_SECONDS));
        let pin = entry.as_ref().map(Entry::pin).transpose()?;
        Ok((crypto::judge(pin.as_ref(), offered.as_bytes(), mode), entry))
    }

    /// Writes or refreshes a pin; only after the Worker has accepted the claim.
    pub(crate) fn keep(
        &self,
        worker: &str,
        key: &PublicKey,
        mode: Mode,
        verified: bool,
        now: u64,
    ) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        let mut all = self.all()?;
        let offered = hex::encode(key.as_bytes());
        let known = all.get(worker).filter(|entry| entry.public_key == offered);
        let entry = Entry {
            fingerprint: known.map_or_else(
                || crypto::fingerprint(key.as_bytes()),
                |e| e.fingerprint.clone(),
            ),
            first_seen: known.map_or(now, |entry| entry.first_seen),
            verified: verified || known.is_some_and(|entry| entry.verified),
            public_key: offered,
            mode: mode.as_str().into(),
            last_used: now,
        };
        all.insert(worker.to_owned(), entry);
        self.write(&all)
    }

    /// Forgets one Worker; says whether it was known.
    pub(crate) fn remove(&self, worker: &str) -> anyhow::Result<bool> {
        let _lock = self.folder.lock()?;
        let mut all = self.all()?;
        let known = all.remove(worker).is_some();
        if known {
            self.write(&all)?;
        }
        Ok(known)
    }

    fn write(&self, all: &BTreeMap<String, Entry>) -> anyhow::Result<()> {
        self.folder
            .write("pins.json", &serde_json::to_vec_pretty(all)?)
    }
}
