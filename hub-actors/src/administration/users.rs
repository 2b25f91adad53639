//! Accounts.

use diesel::{OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::wire;

use super::{limit, page, rows, user_id};
use crate::{
    accounts::{password::Password, removal},
    asked::Asked,
    clock,
    error::Refusal,
    operator::{UserAccount, changes, users},
    store::tables::users as rows_of,
};

pub(crate) async fn list_users(
    asked: &Asked,
    request: wire::ListUsersRequest,
) -> Result<wire::ListUsersResponse, Refusal> {
    let limit = limit(request.limit);
    let listed = asked.state.store.run(move |conn| {
        let (search, after) = (&request.search, &request.after);
        users::list(conn, search, after, rows(limit), clock::unix_ms())
    });
    let (listed, next_after) = page(listed.await?, limit, |user| &user.username);
    Ok(wire::ListUsersResponse {
        users: listed.into_iter().map(account).collect(),
        next_after,
    })
}

fn account(user: UserAccount) -> wire::UserAccount {
    wire::UserAccount {
        user_id: user.user_id,
        username: user.username,
        display_name: user.display_name,
        email: user.email.unwrap_or_default(),
        email_verified: user.email_verified,
        admin: user.admin,
        disabled: user.disabled,
        has_password: user.has_password,
        created_unix_ms: user.created_unix_ms,
        locked_until_unix_ms: user.locked_until_unix_ms,
        logins: user.logins,
        api_tokens: user.api_tokens,
        workers: user.workers,
    }
}

pub(crate) async fn create_user(
    asked: &Asked,
    request: wire::CreateUserRequest,
) -> Result<wire::CreateUserResponse, Refusal> {
    let password = Password::chosen(request.password)?;
    let hash = asked.state.passwords.hash(password).await?;
    let new = changes::checked(
        &request.username,
        &request.display_name,
        &request.email,
        request.admin,
        hash,
    )?;
    let made = asked.state.order(asked.author(), move |conn, notes| {
        changes::create(conn, notes, &new, clock::unix_ms())
    });
    let user_id = made.await?.as_str().to_owned();
    Ok(wire::CreateUserResponse { user_id })
}

pub(crate) async fn set_user_disabled(
    asked: &Asked,
    request: wire::SetUserDisabledRequest,
) -> Result<wire::SetUserDisabledResponse, Refusal> {
    let user = user_id(&request.user_id)?;
    let set = asked.state.order(asked.author(), move |conn, notes| {
        changes::set_disabled(conn, notes, &user, request.disabled, clock::unix_ms())
    });
    set.await?;
    Ok(wire::SetUserDisabledResponse {})
}

pub(crate) async fn set_user_admin(
    asked: &Asked,
    request: wire::SetUserAdminRequest,
) -> Result<wire::SetUserAdminResponse, Refusal> {
    let user = user_id(&request.user_id)?;
    let set = asked.state.order(asked.author(), move |conn, notes| {
        changes::set_admin(conn, notes, &user, request.admin)
    });
    set.await?;
    Ok(wire::SetUserAdminResponse {})
}

pub(crate) async fn set_user_password(
    asked: &Asked,
    request: wire::SetUserPasswordRequest,
) -> Result<wire::SetUserPasswordResponse, Refusal> {
    let user = user_id(&request.user_id)?;
    let password = Password::chosen(request.password)?;
    let hash = asked.state.passwords.hash(password).await?;
    let set = asked.state.order(asked.author(), move |conn, notes| {
        changes::set_password(conn, notes, &user, &hash, clock::unix_ms())
    });
    set.await?;
    Ok(wire::SetUserPasswordResponse {})
}

/// The name has to be typed again, which for a person is what `--force` is for a command.
pub(crate) async fn delete_user(
    asked: &Asked,
    request: wire::DeleteUserRequest,
) -> Result<wire::DeleteUserResponse, Refusal> {
    let user = user_id(&request.user_id)?;
    let deleted = asked.state.order(asked.author(), move |conn, notes| {
        let name = rows_of::table.find(user.as_str()).select(rows_of::username);
        match name.first::<String>(conn).optional()? {
            None => return Ok(Err(Refusal::NotFound)),
            Some(name) if name != request.username => {
                return Ok(Err(Refusal::Malformed(crate::error::Field::Username)));
            }
            Some(_) => {}
        }
        removal::remove(conn, notes, &user)
    });
    deleted.await?;
    Ok(wire::DeleteUserResponse {})
}

pub(crate) async fn force_logout(
    asked: &Asked,
    request: wire::ForceLogoutRequest,
) -> Result<wire::ForceLogoutResponse, Refusal> {
    let user = user_id(&request.user_id)?;
    let ended = asked.state.order(asked.author(), move |conn, notes| {
        changes::force_logout(conn, notes, &user, clock::unix_ms())
    });
    let revoked = ended.await?;
    Ok(wire::ForceLogoutResponse { revoked })
}
