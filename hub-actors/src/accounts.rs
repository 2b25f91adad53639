//! AccountService: who the caller is, signing in and out.

use std::{net::IpAddr, sync::PoisonError, time::Duration};

use schema::{
    ids::CredentialId,
    wire::{SignInRequest, SignInResponse, SignOutResponse, WhoAmIResponse, Workspace},
};

use crate::{
    caller::Caller,
    clock,
    config::Mode,
    error::{Fault, Field, Quota, Refusal},
    messages::CredentialRevoked,
    state::State,
    store::{
        credentials::{self, Credential, Kind, NewCredential},
        users,
    },
    telemetry::{self, SignIn},
    token::{Purpose, SecretText},
};

/// Who the caller is; nobody is an answer too.
pub(crate) async fn who_am_i(
    state: &State,
    caller: Option<Caller>,
) -> Result<WhoAmIResponse, Refusal> {
    let nobody = WhoAmIResponse {
        solo: state.config.mode == Mode::Solo,
        hub_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..WhoAmIResponse::default()
    };
    let Some(caller) = caller else {
        return Ok(nobody);
    };
    let user = caller.user.clone();
    let owned = state
        .store
        .run(move |conn| users::workspaces_of(conn, &user))
        .await?;
    let workspaces = owned.into_iter().map(|workspace| Workspace {
        workspace_id: workspace.id.as_str().to_owned(),
        title: workspace.title,
    });
    Ok(WhoAmIResponse {
        signed_in: true,
        user_id: caller.user.as_str().to_owned(),
        username: caller.username,
        organisation_id: caller.organisation.as_str().to_owned(),
        workspaces: workspaces.collect(),
        ..nobody
    })
}

/// Trades an access token for a login. Solo has none to give and needs none.
///
/// A wrong token costs what a right one costs up to the answer: one hash and one look-up. Only
/// wrong ones are counted, so whoever guesses behind the same proxy locks nobody else out.
pub(crate) async fn sign_in(
    state: &State,
    peer: Option<IpAddr>,
    request: SignInRequest,
) -> Result<(SignInResponse, Option<SecretText>), Refusal> {
    if state.config.mode == Mode::Solo {
        return Ok((SignInResponse {}, None));
    }
    if request.access_token.len() > 256 {
        return Err(Refusal::Malformed(Field::AccessToken));
    }
    let token = state
        .pepper
        .hash(Purpose::AccessToken, &request.access_token);
    let now_ms = clock::unix_ms();
    let found = state.store.run_for_stranger(move |conn| {
        credentials::find_live(conn, Kind::AccessToken, token, now_ms)
    });
    let Some(parent) = found.await? else {
        limit(state, peer)?;
        telemetry::sign_in(SignIn::Wrong);
        return Err(Refusal::WrongToken);
    };
    let login = SecretText::from_random(Purpose::Login, clock::random()?);
    trade(state, parent, &login, now_ms).await?;
    telemetry::sign_in(SignIn::Ok);
    Ok((SignInResponse {}, Some(login)))
}

async fn trade(
    state: &State,
    parent: Credential,
    login: &SecretText,
    now_ms: i64,
) -> Result<(), Refusal> {
    let login = state.pepper.hash(Purpose::Login, login.expose());
    let id = credential_id()?;
    let lifetime = i64::try_from(state.config.timeouts.login_ms).unwrap_or(i64::MAX);
    let traded = state.store.write(move |conn| {
        credentials::forget_expired(conn, now_ms)?;
        // Looked at again: a revocation may have come in between.
        if !credentials::is_live(conn, &parent.id, now_ms)? {
            return Ok(Err(Refusal::WrongToken));
        }
        let login = NewCredential {
            id: &id,
            user: &parent.user,
            kind: Kind::Login,
            parent: Some(&parent.id),
            hash: Some(login),
            expires_ms: Some(now_ms.saturating_add(lifetime)),
        };
        credentials::insert(conn, &login, now_ms)?;
        Ok(Ok(()))
    });
    traded.await?
}

/// Ends the login that the request came with, and everything that stands with it.
pub(crate) async fn sign_out(
    state: &State,
    caller: Option<Caller>,
) -> Result<SignOutResponse, Refusal> {
    let Some(caller) = caller.filter(|_| state.config.mode == Mode::Hub) else {
        return Ok(SignOutResponse {});
    };
    let id = caller.credential;
    let revoked = state.store.write(move |conn| {
        // The access token is not a login: it stays until its file is replaced.
        if !credentials::is_login(conn, &id)? {
            return Ok(Ok::<_, Fault>(Vec::new()));
        }
        credentials::revoke(conn, &id, clock::unix_ms()).map(Ok)
    });
    for credential in revoked.await?? {
        channel_actors::post::tell_addr(&state.registry, CredentialRevoked { credential });
    }
    Ok(SignOutResponse {})
}

fn limit(state: &State, peer: Option<IpAddr>) -> Result<(), Refusal> {
    let mut limiter = state
        .sign_ins
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    limiter
        .take(&peer, clock::now())
        .map_err(|after: Duration| {
            telemetry::sign_in(SignIn::Limited);
            telemetry::quota_refusal(Quota::SignIns);
            Refusal::Quota(Quota::SignIns, after)
        })
}

/// A new credential's id.
pub(crate) fn credential_id() -> Result<CredentialId, Fault> {
    CredentialId::parse(&crate::names::id("c")?).map_err(|_| Fault::Row("a made id"))
}
