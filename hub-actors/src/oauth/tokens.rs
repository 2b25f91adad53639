//! A provider's tokens: sealed in the link, refreshed before they end, forgotten when it says no.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    identity::{Tokens, Unproved},
    way::Way,
};
use crate::{
    clock,
    config::ms,
    error::Fault,
    keyring::{Keyring, Place, Sealed},
    state::State,
    store::{
        Connection,
        oauth::{self, Due},
    },
};

/// What is sealed.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Kept {
    access: String,
    refresh: Option<String>,
    expires_ms: Option<i64>,
}

/// When a token ends that is good for so long.
pub(super) fn at(lifetime: Duration) -> i64 {
    let lifetime = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
    clock::unix_ms().saturating_add(lifetime)
}

/// Seals and stores them. To be called in the transaction that writes.
pub(super) fn keep(
    conn: &mut Connection,
    keyring: &Keyring,
    provider: &str,
    subject: &str,
    tokens: &Tokens,
) -> Result<(), Fault> {
    let (sealed, due) = seal(keyring, provider, subject, tokens)?;
    oauth::keep_tokens(conn, provider, subject, &sealed, due)
}

/// Sealed, and when they want to be refreshed, if they can be.
fn seal(
    keyring: &Keyring,
    provider: &str,
    subject: &str,
    tokens: &Tokens,
) -> Result<(Sealed, Option<i64>), Fault> {
    let place = place(provider, subject);
    let kept = Kept {
        access: tokens.access.as_str().to_owned(),
        refresh: tokens
            .refresh
            .as_ref()
            .map(|token| token.as_str().to_owned()),
        expires_ms: tokens.expires_ms,
    };
    let mut text = Zeroizing::new(Vec::with_capacity(16 * 1024));
    serde_json::to_writer(&mut *text, &kept)
        .map_err(|_| Fault::Row("oauth_links.sealed_tokens"))?;
    let sealed = keyring.seal(&place, &text)?;
    let due = kept.refresh.as_ref().and(kept.expires_ms);
    Ok((sealed, due))
}

fn place(provider: &str, subject: &str) -> Place {
    Place::LinkTokens {
        provider: provider.to_owned(),
        subject: subject.to_owned(),
    }
}

fn open(keyring: &Keyring, place: &Place, sealed: &Sealed) -> Result<Kept, Fault> {
    let text = keyring.open(place, sealed)?;
    serde_json::from_slice(&text).map_err(|_| Fault::Row("oauth_links.sealed_tokens"))
}

/// So long before the end.
const AHEAD_MS: i64 = 600_000;
/// Refreshed in one look; the others are next.
const AT_ONCE: i64 = 32;
/// After a try that failed.
const AGAIN_MS: i64 = 3_600_000;

/// Refreshes tokens until the Hub ends: the task is its actix system's.
pub(crate) fn keep_fresh(state: &Arc<State>) {
    let every = ms(state.config.timeouts.oauth_refresh_ms);
    let state: Weak<State> = Arc::downgrade(state);
    actix_rt::spawn(async move {
        loop {
            let [random] = clock::random::<1>().unwrap_or_default();
            tokio::time::sleep(every + every * u32::from(random) / 512).await;
            let Some(state) = state.upgrade() else {
                return;
            };
            if let Err(error) = refresh_due(&state).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "tokens of linked accounts were not refreshed"
                );
            }
        }
    });
}

/// Refreshes those that end soon, one after another; how many.
pub(crate) async fn refresh_due(state: &State) -> Result<usize, Fault> {
    let by_ms = clock::unix_ms().saturating_add(AHEAD_MS);
    let due = state
        .store
        .run(move |conn| oauth::due(conn, by_ms, AT_ONCE));
    let mut done = 0;
    for one in due.await? {
        let refreshed = refresh(state, &one).await;
        done += usize::from(matches!(refreshed, Ok(Some(_))));
        settle(state, one, refreshed).await?;
    }
    Ok(done)
}

async fn refresh(state: &State, due: &Due) -> Result<Option<Tokens>, Unproved> {
    let id = due.provider.clone();
    let provider = state.store.run(move |conn| oauth::find_enabled(conn, &id));
    let Some(provider) = provider.await? else {
        return Ok(None);
    };
    let kept = open(
        &state.keyring,
        &place(&due.provider, &due.subject),
        &due.tokens,
    )?;
    let Some(token) = kept.refresh.clone().map(Zeroizing::new) else {
        return Ok(None);
    };
    let way = Way::new(provider, &state.keyring, super::here(state, "localhost"))?;
    let mut new = way.refresh(&state.oauth, &token).await?;
    // Many give a refresh token once.
    if new.refresh.is_none() {
        new.refresh = Some(token);
    }
    Ok(Some(new))
}

/// Whoever has signed in meanwhile has brought newer tokens, which stay as they are.
async fn settle(
    state: &State,
    due: Due,
    refreshed: Result<Option<Tokens>, Unproved>,
) -> Result<(), Fault> {
    let keyring = Arc::clone(&state.keyring);
    let later = clock::unix_ms().saturating_add(AGAIN_MS);
    let settled = state.store.write(move |conn| {
        match &refreshed {
            Ok(Some(new)) => {
                let (sealed, at) = seal(&keyring, &due.provider, &due.subject, new)?;
                oauth::replace_tokens(conn, &due, Some(&sealed), at)?;
            }
            Err(Unproved::TakenBack) => oauth::replace_tokens(conn, &due, None, None)?,
            Ok(None) | Err(_) => oauth::put_off(conn, &due, later)?,
        }
        Ok(Ok::<_, Fault>(()))
    });
    settled.await?
}
