//! Families of API tokens: made, refreshed, listed, revoked.

use std::time::Duration;

use schema::{
    ids::{CredentialId, UserId},
    wire::{
        ApiToken, CreateApiTokenRequest, ListApiTokensRequest, ListApiTokensResponse,
        RefreshTokenRequest, RevokeApiTokenRequest, RevokeApiTokenResponse, TokenPair,
    },
};

use super::{
    label,
    pair::{Pair, after},
    spent,
};
use crate::{
    accounts::{self, profile},
    asked::Asked,
    clock,
    error::{Fault, Field, Quota, Refusal},
    notes::{Author, Notes},
    scope::Scopes,
    store::{
        Connection,
        api_tokens::{self, Family, NewFamily, NewPair},
        audit::{Actor, Object},
        ledger::Reason,
        users,
    },
    token::Purpose,
    topic::Topic,
};

/// Pairs that a family may get within a minute.
const REFRESHES: i64 = 10;
const MINUTE_MS: i64 = 60_000;

/// A family for whatever the caller wants to call it.
pub(crate) async fn create_api_token(
    asked: &Asked,
    request: CreateApiTokenRequest,
) -> Result<TokenPair, Refusal> {
    let caller = asked.caller()?.clone();
    let label = label(&request.label, Field::TokenLabel)?;
    let scopes = Scopes::parse(request.scopes.iter().map(String::as_str))
        .filter(|scopes| !scopes.is_empty())
        .ok_or(Refusal::Malformed(Field::Scopes))?;
    // Whoever sits down at an open page does not get a token that outlives the login.
    let proof = profile::confirm(asked, &caller, request.password).await?;
    let now_ms = clock::unix_ms();
    let (family, pair) = new_family(asked, caller.user, label, scopes, now_ms)?;
    let (new, stored) = (family.clone(), pair.stored.clone());
    let quota = i64::from(asked.state.config.quotas.api_tokens_per_user);
    asked
        .state
        .order(asked.author(), move |conn, notes| {
            if !proof.holds(conn)? {
                return Ok(Err(Refusal::WrongPassword));
            }
            insert(conn, notes, (&new, &stored), quota, now_ms)
        })
        .await?;
    Ok(pair.hand_over(&family.id, scopes, caller.username))
}

/// A family that is not stored yet, and its first pair.
pub(super) fn new_family(
    asked: &Asked,
    user: UserId,
    label: String,
    scopes: Scopes,
    now_ms: i64,
) -> Result<(NewFamily, Pair), Fault> {
    let family = NewFamily {
        id: accounts::credential_id()?,
        user,
        label,
        scopes,
        address: asked.from.address_text(),
        user_agent: asked.from.user_agent.clone(),
    };
    Ok((family, Pair::make(&asked.state, now_ms)?))
}

/// Stores a family, where its user has room for one and may be here.
pub(crate) fn insert(
    conn: &mut Connection,
    notes: &mut Notes,
    (family, pair): (&NewFamily, &NewPair),
    quota: i64,
    now_ms: i64,
) -> Result<Result<(), Refusal>, Fault> {
    api_tokens::forget_expired(conn, now_ms)?;
    if users::find_enabled(conn, &family.user)?.is_none() {
        return Ok(Err(Refusal::WrongCode));
    }
    let held = api_tokens::list(conn, &family.user, now_ms)?.len();
    if i64::try_from(held).unwrap_or(i64::MAX) >= quota {
        return Ok(Err(spent(Quota::ApiTokens, Duration::from_secs(60))));
    }
    api_tokens::insert(conn, family, pair, now_ms)?;
    notes.audit("api_token.made", Object::Credential, family.id.as_str());
    Ok(Ok(()))
}

/// A family that an operator makes for somebody, not stored yet.
pub(crate) fn for_user(
    (pepper, times): (&crate::token::Pepper, &crate::config::Timeouts),
    user: UserId,
    text: &str,
    scopes: Scopes,
    now_ms: i64,
) -> Result<(NewFamily, NewPair, TokenPair), Refusal> {
    let family = NewFamily {
        id: accounts::credential_id()?,
        user,
        label: label(text, Field::TokenLabel)?,
        scopes,
        address: String::new(),
        user_agent: String::new(),
    };
    let pair = Pair::under(pepper, times, now_ms)?;
    let stored = pair.stored.clone();
    let handed = pair.hand_over(&family.id, scopes, String::new());
    Ok((family, stored, handed))
}

/// The user as whoever has done it, where the request came with nothing but a code.
pub(super) fn as_user(asked: &Asked, user: &UserId) -> Author {
    Author {
        actor: Actor::User,
        id: user.as_str().to_owned(),
        address: asked.from.address_text(),
    }
}

/// What became of a refresh token.
#[derive(Debug)]
enum Refreshed {
    Made(api_tokens::Refresh),
    /// It was used before, and not just now: somebody else has it as well.
    Reused,
}

/// The next pair of a family. A token that was used less than a minute ago gives one more, for two
/// tabs may have asked at once; later it ends the family, for one of the two who hold it stole it.
pub(crate) async fn refresh_token(
    asked: &Asked,
    request: RefreshTokenRequest,
) -> Result<TokenPair, Refusal> {
    let state = &asked.state;
    if request.refresh_token.len() > 256 {
        return Err(Refusal::WrongToken);
    }
    let hash = state
        .pepper
        .hash(Purpose::ApiRefresh, &request.refresh_token);
    // Whoever guesses does not get as far as the writer's lock.
    let found = state
        .store
        .run_for_stranger(move |conn| api_tokens::find_refresh(conn, hash));
    if found.await?.is_none() {
        return Err(Refusal::WrongToken);
    }
    let now_ms = clock::unix_ms();
    let pair = Pair::make(state, now_ms)?;
    let stored = pair.stored.clone();
    let grace_ms = state.config.timeouts.refresh_grace_ms;
    let refreshed = state.order(asked.author(), move |conn, notes| {
        let Some(found) = api_tokens::find_refresh(conn, hash)? else {
            return Ok(Err(Refusal::WrongToken));
        };
        if found.expires_ms <= now_ms {
            return Ok(Err(Refusal::WrongToken));
        }
        if found
            .used_ms
            .is_some_and(|used| after(used, grace_ms) < now_ms)
        {
            reused(conn, notes, &found.family, now_ms)?;
            return Ok(Ok(Refreshed::Reused));
        }
        if api_tokens::made_since(conn, &found.family, now_ms - MINUTE_MS)? >= REFRESHES {
            return Ok(Err(spent(Quota::Refreshes, Duration::from_secs(60))));
        }
        api_tokens::add(conn, &found.family, &stored, now_ms)?;
        api_tokens::use_up(conn, &found.id, &stored.id, now_ms)?;
        Ok(Ok(Refreshed::Made(found)))
    });
    match refreshed.await? {
        Refreshed::Made(found) => Ok(pair.hand_over(&found.family, found.scopes, found.username)),
        Refreshed::Reused => Err(Refusal::WrongToken),
    }
}

fn reused(
    conn: &mut Connection,
    notes: &mut Notes,
    family: &CredentialId,
    now_ms: i64,
) -> Result<(), Fault> {
    for credential in api_tokens::revoke(conn, family, now_ms)? {
        notes.revoke(Topic::Credential(credential), Reason::TokenReused);
    }
    notes.audit("api_token.reused", Object::Credential, family.as_str());
    tracing::warn!(
        token = family.as_str(),
        "a refresh token was used twice; its family ended"
    );
    Ok(())
}

/// The caller's own.
pub(crate) async fn list_api_tokens(
    asked: &Asked,
    _: ListApiTokensRequest,
) -> Result<ListApiTokensResponse, Refusal> {
    let user = asked.caller()?.user.clone();
    let families = asked
        .state
        .store
        .run(move |conn| api_tokens::list(conn, &user, clock::unix_ms()))
        .await?;
    let tokens = families.into_iter().map(shown).collect();
    Ok(ListApiTokensResponse { tokens })
}

fn shown(family: Family) -> ApiToken {
    ApiToken {
        token_id: family.id.as_str().to_owned(),
        label: family.label,
        scopes: family.scopes.labels().map(str::to_owned).collect(),
        created_unix_ms: family.created_ms,
        last_used_unix_ms: family.last_used_ms,
        expires_unix_ms: family.expires_ms,
    }
}

/// Ends a family of the caller's, and everything that stands with it. A program may end its own.
pub(crate) async fn revoke_api_token(
    asked: &Asked,
    request: RevokeApiTokenRequest,
) -> Result<RevokeApiTokenResponse, Refusal> {
    let caller = asked.caller()?.clone();
    let family = CredentialId::parse(&request.token_id).map_err(|_| Refusal::NotFound)?;
    if !caller.is_person() && caller.credential != family {
        return Err(Refusal::OutOfScope);
    }
    let order = asked.state.order(asked.author(), move |conn, notes| {
        if api_tokens::owner(conn, &family)?.as_ref() != Some(&caller.user) {
            return Ok(Err(Refusal::NotFound));
        }
        for credential in api_tokens::revoke(conn, &family, clock::unix_ms())? {
            notes.revoke(Topic::Credential(credential), Reason::Revoked);
        }
        notes.audit("api_token.revoked", Object::Credential, family.as_str());
        Ok(Ok(()))
    });
    order.await?;
    Ok(RevokeApiTokenResponse {})
}
