//! A pair: an access token and the refresh token that makes the next.

use schema::{ids::CredentialId, wire};

use crate::{
    clock,
    config::Timeouts,
    error::Fault,
    names,
    scope::Scopes,
    state::State,
    store::api_tokens::NewPair,
    token::{Pepper, Purpose, SecretText},
};

/// A new pair, and what is stored of it.
pub(super) struct Pair {
    pub(super) stored: NewPair,
    access: SecretText,
    refresh: SecretText,
}

impl Pair {
    /// Makes one.
    pub(super) fn make(state: &State, now_ms: i64) -> Result<Self, Fault> {
        Self::under(&state.pepper, &state.config.timeouts, now_ms)
    }

    /// The same, for whoever is no Hub.
    pub(super) fn under(pepper: &Pepper, times: &Timeouts, now_ms: i64) -> Result<Self, Fault> {
        let access = SecretText::from_random(Purpose::ApiAccess, clock::random()?);
        let refresh = SecretText::from_random(Purpose::ApiRefresh, clock::random()?);
        let stored = NewPair {
            id: names::id("t")?,
            access: pepper.hash(Purpose::ApiAccess, access.expose()),
            access_expires_ms: after(now_ms, times.access_token_ms),
            refresh: pepper.hash(Purpose::ApiRefresh, refresh.expose()),
            refresh_expires_ms: after(now_ms, times.refresh_token_ms),
        };
        Ok(Self {
            stored,
            access,
            refresh,
        })
    }

    /// As it is handed over, once.
    pub(super) fn hand_over(
        self,
        family: &CredentialId,
        scopes: Scopes,
        username: String,
    ) -> wire::TokenPair {
        wire::TokenPair {
            token_id: family.as_str().to_owned(),
            access_token: self.access.expose().to_owned(),
            access_expires_unix_ms: self.stored.access_expires_ms,
            refresh_token: self.refresh.expose().to_owned(),
            refresh_expires_unix_ms: self.stored.refresh_expires_ms,
            scopes: scopes.labels().map(str::to_owned).collect(),
            username,
        }
    }
}

/// So many milliseconds later.
pub(super) fn after(now_ms: i64, lifetime_ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(lifetime_ms).unwrap_or(i64::MAX))
}
