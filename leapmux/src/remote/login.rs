//! `credentials.json`: how this device shows itself to each Hub that wants to know: an access token
//! of the operator's, or a pair of a person's, which is refreshed before it expires.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use schema::wire::TokenPair;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{address::Address, folder::Folder};

const FILE: &str = "credentials.json";

/// A login, as it is kept.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(untagged)]
pub(crate) enum Login {
    /// The access token of a Hub's data folder.
    Token(String),
    /// What a person agreed to in a browser.
    Pair(Pair),
}

/// An access token and the refresh token that makes the next.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Pair {
    pub(crate) token_id: String,
    pub(crate) access_token: String,
    pub(crate) access_expires_unix_ms: i64,
    pub(crate) refresh_token: String,
    pub(crate) refresh_expires_unix_ms: i64,
}

impl From<TokenPair> for Pair {
    fn from(pair: TokenPair) -> Self {
        Self {
            token_id: pair.token_id,
            access_token: pair.access_token,
            access_expires_unix_ms: pair.access_expires_unix_ms,
            refresh_token: pair.refresh_token,
            refresh_expires_unix_ms: pair.refresh_expires_unix_ms,
        }
    }
}

impl Login {
    /// What is shown to the Hub.
    pub(crate) fn bearer(&self) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Token(token) => token.clone(),
            Self::Pair(pair) => pair.access_token.clone(),
        })
    }

    /// The pair, if it is one.
    pub(crate) const fn pair(&self) -> Option<&Pair> {
        match self {
            Self::Token(_) => None,
            Self::Pair(pair) => Some(pair),
        }
    }
}

/// The login at one Hub, for as long as a command runs.
pub(crate) struct Kept {
    folder: Folder,
    hub: Address,
    held: Mutex<Option<Login>>,
}

impl Kept {
    /// Reads what is kept.
    pub(crate) fn open(folder: &Folder, hub: &Address) -> anyhow::Result<Arc<Self>> {
        let held = find(folder, hub)?;
        Ok(Arc::new(Self {
            folder: folder.clone(),
            hub: hub.clone(),
            held: Mutex::new(held),
        }))
    }

    /// The login as it is known here.
    pub(crate) async fn login(&self) -> Option<Login> {
        self.held.lock().await.clone()
    }

    /// A fresh login in place of one that is stale: another process's, where one has refreshed it
    /// meanwhile, or what `refresh` makes of its refresh token. One process at a time: the folder is
    /// locked from the look to the last byte.
    pub(crate) async fn freshen(
        &self,
        stale: &str,
        refresh: impl AsyncFnOnce(Zeroizing<String>) -> anyhow::Result<Option<TokenPair>>,
    ) -> anyhow::Result<Option<Login>> {
        let mut held = self.held.lock().await;
        if let Some(login) = held.as_ref().filter(|login| *login.bearer() != stale) {
            return Ok(Some(login.clone()));
        }
        let folder = self.folder.clone();
        // Another process may hold it for as long as its Hub takes to answer.
        let locked = tokio::task::spawn_blocking(move || folder.lock()).await;
        let _lock = locked.context("the folder's lock")??;
        let found = find(&self.folder, &self.hub)?;
        let is_fresh = |login: &&Login| *login.bearer() != stale;
        if let Some(login) = found.as_ref().filter(is_fresh) {
            *held = Some(login.clone());
            return Ok(found);
        }
        let pair = found.as_ref().and_then(Login::pair);
        let Some(token) = pair.map(|pair| Zeroizing::new(pair.refresh_token.clone())) else {
            return Ok(None);
        };
        let Some(pair) = refresh(token).await? else {
            return Ok(None);
        };
        let login = Login::Pair(pair.into());
        put(&self.folder, &self.hub, &login)?;
        *held = Some(login.clone());
        Ok(Some(login))
    }
}

/// Keeps a login for this Hub.
pub(crate) fn keep(folder: &Folder, hub: &Address, login: &Login) -> anyhow::Result<()> {
    let _lock = folder.lock()?;
    put(folder, hub, login)
}

/// Forgets the login at this Hub; says whether there was one.
pub(crate) fn forget(folder: &Folder, hub: &Address) -> anyhow::Result<bool> {
    let _lock = folder.lock()?;
    let mut known = all(folder)?;
    let there = known.remove(&hub.key()).is_some();
    folder.write(FILE, &Zeroizing::new(serde_json::to_vec_pretty(&known)?))?;
    Ok(there)
}

/// The login kept for this Hub.
pub(crate) fn find(folder: &Folder, hub: &Address) -> anyhow::Result<Option<Login>> {
    Ok(all(folder)?.remove(&hub.key()))
}

fn put(folder: &Folder, hub: &Address, login: &Login) -> anyhow::Result<()> {
    let mut known = all(folder)?;
    known.insert(hub.key(), login.clone());
    folder.write(FILE, &Zeroizing::new(serde_json::to_vec_pretty(&known)?))
}

fn all(folder: &Folder) -> anyhow::Result<BTreeMap<String, Login>> {
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
