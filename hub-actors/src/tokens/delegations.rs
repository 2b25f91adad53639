//! Delegations: a Worker asks for a bearer for a child process of a live channel. Whose it is, is
//! the channel's user, and no choice of the Worker's.

use std::time::Duration;

use schema::{
    ids::{ChannelId, CredentialId, WorkspaceId},
    wire::{
        self, ListDelegationsRequest, ListDelegationsResponse, MintDelegationRequest,
        MintDelegationResponse, RevokeDelegationRequest, RevokeDelegationResponse,
    },
};

use super::{pair::after, spent};
use crate::{
    accounts,
    asked::Asked,
    caller::Binding,
    clock,
    error::{Fault, Field, Quota, Refusal},
    messages::{ChannelStanding, Standing},
    notes::Author,
    scope::{Scope, Scopes},
    state::ask,
    store::{
        Connection, access,
        audit::{Actor, Object},
        credentials,
        delegations::{self, Delegation, NewDelegation},
        ledger::Reason,
        workers,
    },
    token::{Purpose, SecretText},
    topic::Topic,
};

/// The longest life of one.
const LIFETIME_MAX_S: u32 = 3_600;
/// Live ones that hang on one credential.
const LIVE_MAX: i64 = 256;

/// A bearer for a child process, bound to the channel's user, the Worker, the workspace and the
/// tab. It ends with the channel's credential.
pub(crate) async fn mint_delegation(
    asked: &Asked,
    request: MintDelegationRequest,
) -> Result<MintDelegationResponse, Refusal> {
    let state = &asked.state;
    let token = asked.bearer.as_ref().ok_or(Refusal::NotSignedIn)?;
    let token = state.pepper.hash(Purpose::WorkerToken, token.expose());
    let worker = state
        .store
        .run_for_presenter(move |conn| workers::find_by_token(conn, token));
    let worker = worker.await?.ok_or(Refusal::NotSignedIn)?;
    let channel = ChannelId::try_from(&request.channel_id[..]).map_err(|_| Refusal::NotFound)?;
    let workspace = WorkspaceId::parse(&request.workspace_id).map_err(|_| Refusal::NotFound)?;
    let lifetime_s = lifetime(request.lifetime_seconds)?;
    let tab = tab(request.tab_id)?;
    let standing = ask(&state.registry, ChannelStanding { channel }).await?;
    // Another Worker's channel is as good as none.
    let standing = standing
        .filter(|standing| standing.worker == worker.id)
        .ok_or(Refusal::NotFound)?;
    let secret = SecretText::from_random(Purpose::Delegation, clock::random()?);
    let hash = state.pepper.hash(Purpose::Delegation, secret.expose());
    let now_ms = clock::unix_ms();
    let mut new = NewDelegation {
        id: accounts::credential_id()?,
        user: standing.user.clone(),
        parent: standing.credential.clone(),
        binding: Binding {
            worker: worker.id.clone(),
            workspace,
        },
        tab,
        scopes: Scopes::from(Scope::Channels),
        expires_ms: after(now_ms, u64::from(lifetime_s) * 1_000),
    };
    let author = Author {
        actor: Actor::Worker,
        id: worker.id.as_str().to_owned(),
        address: asked.from.address_text(),
    };
    let order = state.order(author, move |conn, notes| {
        match until(conn, &standing, &new, now_ms)? {
            Ok(expires_ms) => new.expires_ms = expires_ms,
            Err(refusal) => return Ok(Err(refusal)),
        }
        delegations::insert(conn, &new, hash, now_ms)?;
        notes.audit("delegation.made", Object::Credential, new.id.as_str());
        Ok(Ok(new.expires_ms))
    });
    let expires_unix_ms = order.await?;
    Ok(MintDelegationResponse {
        delegation_token: secret.expose().to_owned(),
        expires_unix_ms,
    })
}

/// How long it may live, if it may be: no longer than what the channel stands with, and within
/// what the channel's user may do now.
fn until(
    conn: &mut Connection,
    standing: &Standing,
    new: &NewDelegation,
    now_ms: i64,
) -> Result<Result<i64, Refusal>, Fault> {
    let Some(parent) = credentials::live(conn, &standing.credential, now_ms)? else {
        return Ok(Err(Refusal::NotFound));
    };
    let reach = access::reach(conn, &standing.user, &new.binding.worker)?;
    let granted = reach.is_some_and(|reach| reach.roles.contains_key(&new.binding.workspace));
    // A delegation makes others of its own workspace only.
    let bound = delegations::binding_of(conn, &parent.id)?;
    let within = bound.is_none_or(|bound| bound == new.binding);
    if !granted || !within {
        return Ok(Err(Refusal::NotFound));
    }
    if delegations::count(conn, &parent.id, now_ms)? >= LIVE_MAX {
        return Ok(Err(spent(Quota::Delegations, Duration::from_secs(60))));
    }
    Ok(Ok(parent
        .expires_ms
        .map_or(new.expires_ms, |ends| ends.min(new.expires_ms))))
}

fn lifetime(seconds: u32) -> Result<u32, Refusal> {
    match seconds {
        0 => Ok(LIFETIME_MAX_S),
        1..=LIFETIME_MAX_S => Ok(seconds),
        _ => Err(Refusal::Malformed(Field::DelegationLifetime)),
    }
}

/// A terminal's id, or nothing.
fn tab(text: String) -> Result<String, Refusal> {
    let fits = text.is_empty() || WorkspaceId::parse(&text).is_ok();
    fits.then_some(text).ok_or(Refusal::Malformed(Field::TabId))
}

/// The caller's own that are live.
pub(crate) async fn list_delegations(
    asked: &Asked,
    _: ListDelegationsRequest,
) -> Result<ListDelegationsResponse, Refusal> {
    let user = asked.caller()?.user.clone();
    let found = asked
        .state
        .store
        .run(move |conn| delegations::list(conn, &user, clock::unix_ms()))
        .await?;
    let delegations = found.into_iter().map(shown).collect();
    Ok(ListDelegationsResponse { delegations })
}

fn shown(delegation: Delegation) -> wire::Delegation {
    wire::Delegation {
        credential_id: delegation.id.as_str().to_owned(),
        worker_id: delegation.worker,
        workspace_id: delegation.workspace,
        tab_id: delegation.tab,
        created_unix_ms: delegation.created_ms,
        expires_unix_ms: delegation.expires_ms,
    }
}

/// Ends one of the caller's, and what stands with it.
pub(crate) async fn revoke_delegation(
    asked: &Asked,
    request: RevokeDelegationRequest,
) -> Result<RevokeDelegationResponse, Refusal> {
    let user = asked.caller()?.user.clone();
    let id = CredentialId::parse(&request.credential_id).map_err(|_| Refusal::NotFound)?;
    let order = asked.state.order(asked.author(), move |conn, notes| {
        if !delegations::is_of(conn, &user, &id)? {
            return Ok(Err(Refusal::NotFound));
        }
        for credential in credentials::revoke(conn, &id, clock::unix_ms())? {
            notes.revoke(Topic::Credential(credential), Reason::Revoked);
        }
        notes.audit("delegation.revoked", Object::Credential, id.as_str());
        Ok(Ok(()))
    });
    order.await?;
    Ok(RevokeDelegationResponse {})
}
