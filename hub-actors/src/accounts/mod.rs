//! AccountService: who the caller is, signing in and out.

use schema::{
    ids::CredentialId,
    wire::{WhoAmIRequest, WhoAmIResponse},
};

pub(crate) use self::{
    email::{confirm_email, request_email_change},
    joining::{set_up, sign_up},
    logins::{list_logins, revoke_login, revoke_other_logins},
    profile::{change_password, delete_account, update_profile},
    reset::{request_password_reset, reset_password},
    sign_in::{sign_in, sign_out},
};
use crate::{
    asked::Asked,
    config::Mode,
    error::{Fault, Refusal, Unmet},
    state::State,
    store::{Connection, settings, users},
};

mod email;
pub(crate) mod ending;
pub(crate) mod failures;
pub(crate) mod fields;
pub(crate) mod guess;
mod joining;
pub(crate) mod lockout;
pub(crate) mod login;
mod logins;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod removal;
pub(crate) mod reset;
mod sign_in;

/// Who the caller is; nobody is an answer too.
pub(crate) async fn who_am_i(asked: &Asked, _: WhoAmIRequest) -> Result<WhoAmIResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller.clone());
    let hub = describe(state).await?;
    let Some(caller) = caller else {
        return Ok(hub);
    };
    let user = caller.user.clone();
    let account = state.store.run(move |conn| users::account(conn, &user));
    let account = account.await?.ok_or(Refusal::NotSignedIn)?;
    Ok(WhoAmIResponse {
        signed_in: true,
        user_id: caller.user.as_str().to_owned(),
        username: caller.username,
        organisation_id: caller.organisation.as_str().to_owned(),
        display_name: account.display_name,
        email: account.email.unwrap_or_default(),
        email_verified: account.email_verified,
        has_password: account.has_password,
        admin: caller.admin,
        credential_id: caller.credential.as_str().to_owned(),
        scopes: caller.scopes.labels().map(str::to_owned).collect(),
        ..hub
    })
}

/// What everybody may know of a Hub.
async fn describe(state: &State) -> Result<WhoAmIResponse, Fault> {
    let solo = state.config.mode == Mode::Solo;
    let configured = state.config.sign_up;
    let asked = state.store.run_for_stranger(move |conn: &mut Connection| {
        Ok((
            !solo && !users::is_claimed(conn)?,
            !solo && settings::sign_up(conn, configured)?,
        ))
    });
    let (setup_required, sign_up_open) = asked.await?;
    Ok(WhoAmIResponse {
        solo,
        hub_version: env!("CARGO_PKG_VERSION").to_owned(),
        setup_required,
        sign_up_open,
        mail_available: state.mailer.is_there(),
        ..WhoAmIResponse::default()
    })
}

/// Solo has one user and asks nobody who it is.
fn not_solo(state: &State) -> Result<(), Refusal> {
    match state.config.mode {
        Mode::Hub => Ok(()),
        Mode::Solo => Err(Refusal::Unmet(Unmet::Solo)),
    }
}

/// A new credential's id.
pub(crate) fn credential_id() -> Result<CredentialId, Fault> {
    CredentialId::parse(&crate::names::id("c")?).map_err(|_| Fault::Row("a made id"))
}
