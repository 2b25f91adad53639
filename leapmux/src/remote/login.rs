//! `credentials.json`: the access token for each Hub that wants one.

use std::collections::BTreeMap;

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::{address::Address, folder::Folder};

const FILE: &str = "credentials.json";

/// The token kept for this Hub.
pub(crate) fn token(folder: &Folder, hub: &Address) -> anyhow::Result<Option<Zeroizing<String>>> {
    Ok(all(folder)?.remove(&hub.key()).map(Zeroizing::new))
}

/// Keeps a token for this Hub.
pub(crate) fn keep(folder: &Folder, hub: &Address, token: &str) -> anyhow::Result<()> {
    let _lock = folder.lock()?;
    let mut known = all(folder)?;
    known.insert(hub.key(), token.to_owned());
    folder.write(FILE, &Zeroizing::new(serde_json::to_vec_pretty(&known)?))
}

/// Forgets the token of this Hub; says whether there was one.
pub(crate) fn forget(folder: &Folder, hub: &Address) -> anyhow::Result<bool> {
    let _lock = folder.lock()?;
    let mut known = all(folder)?;
    let there = known.remove(&hub.key()).is_some();
    folder.write(FILE, &Zeroizing::new(serde_json::to_vec_pretty(&known)?))?;
    Ok(there)
}

fn all(folder: &Folder) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(bytes) = folder.read(FILE)? else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_slice(&bytes).with_context(|| {
        format!(
            "{} is damaged; log in again after removing it",
            folder.path(FILE).display()
        )
    })
}
