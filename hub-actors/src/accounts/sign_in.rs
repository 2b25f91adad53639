//! Signing in and out.

use schema::wire::{SignInRequest, SignInResponse, SignOutRequest, SignOutResponse};

use super::{
    guess,
    login::{self, NewLogin},
    password::Password,
};
use crate::{
    abuse::Network,
    asked::Asked,
    caller::Kind,
    clock,
    config::Mode,
    error::{Field, Refusal},
    store::{
        audit::Object,
        credentials::{self, Credential},
        ledger::Reason,
    },
    telemetry::{self, SignIn},
    token::Purpose,
    topic::Topic,
};

/// Trades a password, or the access token, for a login. Solo has none to give and needs none.
pub(crate) async fn sign_in(
    asked: &Asked,
    request: SignInRequest,
) -> Result<SignInResponse, Refusal> {
    if asked.state.config.mode == Mode::Solo {
        return Ok(SignInResponse {});
    }
    if request.username.is_empty() {
        by_token(asked, &request.access_token).await?;
    } else {
        by_password(asked, &request.username, request.password).await?;
    }
    telemetry::sign_in(SignIn::Ok);
    Ok(SignInResponse {})
}

async fn by_password(asked: &Asked, username: &str, password: String) -> Result<(), Refusal> {
    let password = Password::typed(password)?;
    if username.len() > TYPED_NAME_MAX {
        return Err(Refusal::Malformed(Field::Username));
    }
    let name = username.trim().to_ascii_lowercase();
    let proof = guess::check(asked, &name, password).await?;
    let (login, secret) = NewLogin::of(asked)?;
    let author = login::author(asked, &proof.user);
    asked
        .state
        .order(author, move |conn, notes| {
            // Looked at again: it may have been changed in between.
            if !proof.holds(conn)? {
                return Ok(Err(Refusal::WrongPassword));
            }
            login.store(conn, notes, &proof.user, None)?;
            Ok(Ok(()))
        })
        .await?;
    asked.set_cookie(secret);
    Ok(())
}

/// Longer names are nobody's.
const TYPED_NAME_MAX: usize = 64;

async fn by_token(asked: &Asked, token: &str) -> Result<(), Refusal> {
    let parent = access_token(asked, token).await?;
    let (login, secret) = NewLogin::of(asked)?;
    let author = login::author(asked, &parent.user);
    asked
        .state
        .order(author, move |conn, notes| {
            // Looked at again: a revocation may have come in between.
            if !credentials::is_live(conn, &parent.id, clock::unix_ms())? {
                return Ok(Err(Refusal::WrongToken));
            }
            login.store(conn, notes, &parent.user, Some(&parent.id))?;
            Ok(Ok(()))
        })
        .await?;
    asked.set_cookie(secret);
    Ok(())
}

/// The access token of the data folder, if this is it.
///
/// A wrong token costs what a right one costs up to the answer: one hash and one look-up. Only
/// wrong ones are counted, so whoever guesses behind the same proxy locks nobody else out.
pub(super) async fn access_token(asked: &Asked, token: &str) -> Result<Credential, Refusal> {
    let state = &asked.state;
    if token.len() > 256 {
        return Err(Refusal::Malformed(Field::AccessToken));
    }
    let token = state.pepper.hash(Purpose::AccessToken, token);
    let found = state.store.run_for_stranger(move |conn| {
        credentials::find_live(conn, Kind::AccessToken, token, clock::unix_ms())
    });
    if let Some(found) = found.await? {
        return Ok(found);
    }
    state
        .abuse
        .sign_in(Network::from(asked.from.address))
        .inspect_err(|_| telemetry::sign_in(SignIn::Limited))?;
    telemetry::sign_in(SignIn::Wrong);
    Err(Refusal::WrongToken)
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
