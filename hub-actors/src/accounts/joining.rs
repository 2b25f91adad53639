//! How people come to have accounts: the first admin, and whoever signs up.

use schema::wire::{SetUpRequest, SetUpResponse, SignUpRequest, SignUpResponse};

use super::{
    fields,
    login::{self, NewLogin},
    not_solo,
    password::Password,
    sign_in,
};
use crate::{
    abuse::Network,
    asked::Asked,
    clock,
    error::{Refusal, Unmet},
    store::{
        audit::Object,
        credentials, settings,
        users::{self, FirstIds, NewUser},
    },
};

/// Gives the first admin a name and a password. Whoever can read the data folder may.
pub(crate) async fn set_up(asked: &Asked, request: SetUpRequest) -> Result<SetUpResponse, Refusal> {
    let state = &asked.state;
    not_solo(state)?;
    let token = sign_in::access_token(asked, &request.access_token).await?;
    let username = fields::username(request.username)?;
    let display_name = fields::display_name(&request.display_name, &username)?;
    let password = Password::chosen(request.password)?;
    let password_hash = state.passwords.hash(password).await?;
    let (login, secret) = NewLogin::of(asked)?;
    let admin = state.admin.clone();
    state
        .order(login::author(asked, &admin.id), move |conn, notes| {
            if !credentials::is_live(conn, &token.id, clock::unix_ms())? {
                return Ok(Err(Refusal::WrongToken));
            }
            if users::is_claimed(conn)? {
                return Ok(Err(Refusal::Unmet(Unmet::SetUpDone)));
            }
            if !users::claim(conn, &admin, &username, &display_name, &password_hash)? {
                return Ok(Err(Refusal::Exists));
            }
            notes.audit("hub.set_up", Object::User, admin.id.as_str());
            login.store(conn, notes, &admin.id, None)?;
            Ok(Ok(()))
        })
        .await?;
    asked.set_cookie(secret);
    Ok(SetUpResponse {})
}

/// Makes an account for whoever asks, where the Hub lets anybody in.
pub(crate) async fn sign_up(
    asked: &Asked,
    request: SignUpRequest,
) -> Result<SignUpResponse, Refusal> {
    let state = &asked.state;
    not_solo(state)?;
    state.abuse.sign_up(Network::from(asked.from.address))?;
    let username = fields::username(request.username)?;
    let display_name = fields::display_name(&request.display_name, &username)?;
    let email = fields::email(&request.email)?;
    let password = Password::chosen(request.password)?;
    let configured = state.config.sign_up;
    let is_open = state
        .store
        .run_for_stranger(move |conn| settings::sign_up(conn, configured));
    if !is_open.await? {
        return Err(Refusal::Unmet(Unmet::SignUpClosed));
    }
    let new = NewUser {
        ids: FirstIds::random()?,
        username,
        display_name,
        email,
        email_verified: false,
        password_hash: Some(state.passwords.hash(password).await?),
        admin: false,
    };
    let (login, secret) = NewLogin::of(asked)?;
    let author = login::author(asked, &new.ids.user);
    state
        .order(author, move |conn, notes| {
            if !settings::sign_up(conn, configured)? {
                return Ok(Err(Refusal::Unmet(Unmet::SignUpClosed)));
            }
            if !users::create(conn, &new, clock::unix_ms())? {
                return Ok(Err(Refusal::Exists));
            }
            notes.audit("user.created", Object::User, new.ids.user.as_str());
            login.store(conn, notes, &new.ids.user, None)?;
            Ok(Ok(()))
        })
        .await?;
    asked.set_cookie(secret);
    Ok(SignUpResponse {})
}
