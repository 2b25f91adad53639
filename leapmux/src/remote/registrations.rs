//! `registrations.json`: the secrets of registration keys made here.
//!
//! The Hub never sees them. The Worker tags its key under the one it was given; who finds the tag
//! right knows the Worker's key without having trusted the Hub (docs/protocol.md, section 10).

use std::collections::BTreeMap;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use zeroize::Zeroizing;

use super::folder::Folder;

const FILE: &str = "registrations.json";
/// More than anybody registers in a year; the oldest ids go first.
const KEPT: usize = 256;

/// A key that is about to be handed to a Worker.
pub(crate) struct RegistrationKey {
    /// The half that the Hub knows.
    pub(crate) id: String,
    /// The half that it does not.
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

impl RegistrationKey {
    /// Sixteen random bytes of id, thirty-two of secret.
    pub(crate) fn generate() -> Self {
        let mut rng = rand::rng();
        let mut id = [0; 16];
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut id);
        rng.fill_bytes(&mut *secret);
        Self {
            id: URL_SAFE_NO_PAD.encode(id),
            secret,
        }
    }

    /// `id.secret`, as the Worker takes it.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}.{}", self.id, &*self.secret_text()))
    }

    fn secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.secret))
    }
}

/// Keeps a secret until the Worker has been met.
pub(crate) fn keep(folder: &Folder, key: &RegistrationKey) -> anyhow::Result<()> {
    let _lock = folder.lock()?;
    let mut known = all(folder)?;
    while known.len() >= KEPT {
        known.pop_first();
    }
    known.insert(key.id.clone(), key.secret_text().to_string());
    folder.write(FILE, &Zeroizing::new(serde_json::to_vec_pretty(&known)?))
}

/// The secret of this id, if it was made here.
pub(crate) fn secret(folder: &Folder, id: &str) -> anyhow::Result<Option<Zeroizing<[u8; 32]>>> {
    let Some(text) = all(folder)?.remove(id).map(Zeroizing::new) else {
        return Ok(None);
    };
    let mut secret = Zeroizing::new([0; 32]);
    let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(&*text)?);
    let decoded: &[u8; 32] = decoded
        .as_slice()
        .try_into()
        .context("a secret of another length")?;
    secret.copy_from_slice(decoded);
    Ok(Some(secret))
}

fn all(folder: &Folder) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(bytes) = folder.read(FILE)? else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_slice(&bytes).with_context(|| {
        format!(
            "{} is damaged; move it away to go on",
            folder.path(FILE).display()
        )
    })
}
