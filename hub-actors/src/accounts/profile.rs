//! What somebody changes about their own account: the password, the name that is shown, and its end.

use schema::wire::{
    ChangePasswordRequest, ChangePasswordResponse, DeleteAccountRequest, DeleteAccountResponse,
    UpdateProfileRequest, UpdateProfileResponse,
};

use super::{
    ending::{self, Which},
    fields, guess,
    guess::Proof,
    not_solo,
    password::Password,
    removal,
};
use crate::{
    asked::Asked,
    caller::Caller,
    clock,
    error::{Field, Refusal},
    mail::letters,
    store::{audit::Object, ledger::Reason, users},
};

/// Sets another password, and ends whatever was let in by the old one, but for the login that asks.
pub(crate) async fn change_password(
    asked: &Asked,
    request: ChangePasswordRequest,
) -> Result<ChangePasswordResponse, Refusal> {
    not_solo(&asked.state)?;
    let caller = asked.caller()?.clone();
    let password = Password::chosen(request.new_password)?;
    let proof = confirm(asked, &caller, request.old_password).await?;
    let hash = asked.state.passwords.hash(password).await?;
    let address = asked
        .state
        .order(asked.author(), move |conn, notes| {
            if !proof.holds(conn)? {
                return Ok(Err(Refusal::WrongPassword));
            }
            users::set_password(conn, &caller.user, &hash)?;
            notes.audit("user.password_changed", Object::User, caller.user.as_str());
            let spared = (Which::All, Some(&caller.credential));
            let (why, now_ms) = (Reason::PasswordChanged, clock::unix_ms());
            ending::end(conn, notes, &caller.user, spared, why, now_ms)?;
            Ok(Ok(users::address(conn, &caller.user)?))
        })
        .await?;
    let hub = &asked.state.config.public_url;
    if let Some((email, username)) = address.and_then(|to| Some((to.verified?, to.username))) {
        let letter = letters::password_changed(hub, email, &username);
        asked.state.mailer.post(letter);
    }
    Ok(ChangePasswordResponse {})
}

/// Whether whoever asks knows the account's password, where it has one: a browser that was left
/// open is not its owner.
pub(crate) async fn confirm(
    asked: &Asked,
    caller: &Caller,
    typed: String,
) -> Result<Proof, Refusal> {
    let typed = Password::typed(typed)?;
    let user = caller.user.clone();
    let found = asked
        .state
        .store
        .run(move |conn| users::locks_of(conn, &user));
    let locks = found.await?.ok_or(Refusal::NotFound)?;
    if locks.password_hash.is_none() {
        return Ok(Proof::without_password(locks));
    }
    guess::confirm(asked, caller, typed).await
}

/// Sets the name that is shown. Nothing is closed by it.
pub(crate) async fn update_profile(
    asked: &Asked,
    request: UpdateProfileRequest,
) -> Result<UpdateProfileResponse, Refusal> {
    not_solo(&asked.state)?;
    let caller = asked.caller()?.clone();
    let display_name = fields::display_name(&request.display_name, &caller.username)?;
    let user = caller.user.clone();
    let account = asked
        .state
        .store
        .run(move |conn| users::account(conn, &user));
    // What is as it was leaves no trace.
    if account
        .await?
        .is_some_and(|account| account.display_name == display_name)
    {
        return Ok(UpdateProfileResponse {});
    }
    asked
        .state
        .order(asked.author(), move |conn, notes| {
            users::set_display_name(conn, &caller.user, &display_name)?;
            notes.audit("user.profile_changed", Object::User, caller.user.as_str());
            Ok(Ok(()))
        })
        .await?;
    Ok(UpdateProfileResponse {})
}

/// Deletes the caller's account.
pub(crate) async fn delete_account(
    asked: &Asked,
    request: DeleteAccountRequest,
) -> Result<DeleteAccountResponse, Refusal> {
    not_solo(&asked.state)?;
    let caller = asked.caller()?.clone();
    if request.username != caller.username {
        return Err(Refusal::Malformed(Field::TypedUsername));
    }
    let proof = confirm(asked, &caller, request.password).await?;
    asked
        .state
        .order(asked.author(), move |conn, notes| {
            if !proof.holds(conn)? {
                return Ok(Err(Refusal::WrongPassword));
            }
            removal::remove(conn, notes, &caller.user)
        })
        .await?;
    asked.clear_cookie();
    Ok(DeleteAccountResponse {})
}
