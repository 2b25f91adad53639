//! AccountService: who the caller is, signing in and out.

use std::{net::IpAddr, sync::PoisonError, time::Duration};

use schema::{
    ids::CredentialId,
    wire::{
        self, SignInRequest, SignInResponse, SignOutRequest, SignOutResponse, WhoAmIRequest,
        WhoAmIResponse,
    },
};

use crate::{
    asked::Asked,
    clock,
    config::Mode,
    error::{Fault, Field, Quota, Refusal},
    state::State,
    store::{
        audit::Object,
        credentials::{self, Credential, Kind, NewCredential},
        ledger::Reason,
    },
    telemetry::{self, SignIn},
    token::{Purpose, SecretText},
    topic::Topic,
};

/// Who the caller is; nobody is an answer too.
pub(crate) async fn who_am_i(asked: &Asked, _: WhoAmIRequest) -> Result<WhoAmIResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller.clone());
    let nobody = WhoAmIResponse {
        solo: state.config.mode == Mode::Solo,
        hub_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..WhoAmIResponse::default()
    };
    let Some(caller) = caller else {
        return Ok(nobody);
    };
    Ok(WhoAmIResponse {
        signed_in: true,
        user_id: caller.user.as_str().to_owned(),
        username: caller.username,
        organisation_id: caller.organisation.as_str().to_owned(),
        admin: caller.admin,
        credential_id: caller.credential.as_str().to_owned(),
        scopes: caller.scopes.labels().map(str::to_owned).collect(),
        ..nobody
    })
}

/// Trades an access token for a login. Solo has none to give and needs none.
///
/// A wrong token costs what a right one costs up to the answer: one hash and one look-up. Only
/// wrong ones are counted, so whoever guesses behind the same proxy locks nobody else out.
pub(crate) async fn sign_in(
    asked: &Asked,
    request: SignInRequest,
) -> Result<SignInResponse, Refusal> {
    let (state, peer) = (&asked.state, asked.from.address);
    if state.config.mode == Mode::Solo {
        return Ok(SignInResponse {});
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
    asked.set_cookie(login);
    Ok(SignInResponse {})
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
pub(crate) async fn sign_out(asked: &Asked, _: SignOutRequest) -> Result<SignOutResponse, Refusal> {
    let state = &asked.state;
    asked.clear_cookie();
    let Some(caller) = asked
        .caller
        .clone()
        .filter(|_| state.config.mode == Mode::Hub)
    else {
        return Ok(SignOutResponse {});
    };
    // The access token is not a login: it stays until its file is replaced.
    if caller.kind != Kind::Login {
        return Ok(SignOutResponse {});
    }
    let id = caller.credential;
    state
        .order(asked.author(), move |conn, notes| {
            for credential in credentials::revoke(conn, &id, clock::unix_ms())? {
                notes.revoke(Topic::Credential(credential), Reason::SignedOut);
            }
            notes.audit("login.ended", Object::Credential, id.as_str());
            Ok(Ok(()))
        })
        .await?;
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

pub(crate) async fn set_up(
    _asked: &Asked,
    _request: wire::SetUpRequest,
) -> Result<wire::SetUpResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn sign_up(
    _asked: &Asked,
    _request: wire::SignUpRequest,
) -> Result<wire::SignUpResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn change_password(
    _asked: &Asked,
    _request: wire::ChangePasswordRequest,
) -> Result<wire::ChangePasswordResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn update_profile(
    _asked: &Asked,
    _request: wire::UpdateProfileRequest,
) -> Result<wire::UpdateProfileResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn request_email_change(
    _asked: &Asked,
    _request: wire::RequestEmailChangeRequest,
) -> Result<wire::RequestEmailChangeResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn confirm_email(
    _asked: &Asked,
    _request: wire::ConfirmEmailRequest,
) -> Result<wire::ConfirmEmailResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn request_password_reset(
    _asked: &Asked,
    _request: wire::RequestPasswordResetRequest,
) -> Result<wire::RequestPasswordResetResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn reset_password(
    _asked: &Asked,
    _request: wire::ResetPasswordRequest,
) -> Result<wire::ResetPasswordResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn delete_account(
    _asked: &Asked,
    _request: wire::DeleteAccountRequest,
) -> Result<wire::DeleteAccountResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_logins(
    _asked: &Asked,
    _request: wire::ListLoginsRequest,
) -> Result<wire::ListLoginsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn revoke_login(
    _asked: &Asked,
    _request: wire::RevokeLoginRequest,
) -> Result<wire::RevokeLoginResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn revoke_other_logins(
    _asked: &Asked,
    _request: wire::RevokeOtherLoginsRequest,
) -> Result<wire::RevokeOtherLoginsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}
