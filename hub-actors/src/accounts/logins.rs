//! The browsers in which somebody is signed in, and their end.

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::{
    ids::CredentialId,
    wire::{
        ListLoginsRequest, ListLoginsResponse, Login, RevokeLoginRequest, RevokeLoginResponse,
        RevokeOtherLoginsRequest, RevokeOtherLoginsResponse,
    },
};

use super::{
    ending::{self, Which},
    not_solo,
};
use crate::{
    asked::Asked,
    clock,
    error::Refusal,
    store::{
        audit::Object,
        credentials::{self, Kind},
        ledger::Reason,
        tables::credentials as rows,
    },
    topic::Topic,
};

/// The caller's logins, the one that was used last first.
pub(crate) async fn list_logins(
    asked: &Asked,
    _: ListLoginsRequest,
) -> Result<ListLoginsResponse, Refusal> {
    type Row = (String, String, String, i64, i64, Option<i64>);
    let caller = asked.caller()?;
    let (user, now_ms) = (caller.user.clone(), clock::unix_ms());
    let found = asked.state.store.run(move |conn| {
        let live = rows::table
            .filter(rows::user_id.eq(user.as_str()))
            .filter(rows::kind.eq(Kind::Login as i16))
            .filter(rows::revoked_ms.is_null())
            .filter(rows::expires_ms.gt(now_ms))
            .order((rows::last_used_ms.desc(), rows::id.asc()))
            .select((
                rows::id,
                rows::user_agent,
                rows::address,
                rows::created_ms,
                rows::last_used_ms,
                rows::expires_ms,
            ));
        Ok(live.load::<Row>(conn)?)
    });
    let login = |(id, user_agent, address, created, used, expires): Row| Login {
        this_one: id == caller.credential.as_str(),
        credential_id: id,
        user_agent,
        address,
        created_unix_ms: created,
        last_used_unix_ms: used,
        expires_unix_ms: expires.unwrap_or_default(),
    };
    let logins = found.await?.into_iter().map(login).collect();
    Ok(ListLoginsResponse { logins })
}

/// Ends one login of the caller's.
pub(crate) async fn revoke_login(
    asked: &Asked,
    request: RevokeLoginRequest,
) -> Result<RevokeLoginResponse, Refusal> {
    not_solo(&asked.state)?;
    let caller = asked.caller()?;
    let id = CredentialId::parse(&request.credential_id).map_err(|_| Refusal::NotFound)?;
    if id == caller.credential {
        asked.clear_cookie();
    }
    let user = caller.user.clone();
    asked
        .state
        .order(asked.author(), move |conn, notes| {
            if !credentials::is_login_of(conn, &id, &user)? {
                return Ok(Err(Refusal::NotFound));
            }
            for ended in credentials::revoke(conn, &id, clock::unix_ms())? {
                notes.revoke(Topic::Credential(ended), Reason::Revoked);
            }
            notes.audit("login.revoked", Object::Credential, id.as_str());
            Ok(Ok(()))
        })
        .await?;
    Ok(RevokeLoginResponse {})
}

/// Ends every login of the caller's but this one.
pub(crate) async fn revoke_other_logins(
    asked: &Asked,
    _: RevokeOtherLoginsRequest,
) -> Result<RevokeOtherLoginsResponse, Refusal> {
    not_solo(&asked.state)?;
    let caller = asked.caller()?.clone();
    let revoked = asked
        .state
        .order(asked.author(), move |conn, notes| {
            let spared = (Which::Logins, Some(&caller.credential));
            let (user, now_ms) = (&caller.user, clock::unix_ms());
            let ended = ending::end(conn, notes, user, spared, Reason::Revoked, now_ms)?;
            notes.audit("login.others_revoked", Object::User, user.as_str());
            Ok(Ok(ended))
        })
        .await?;
    Ok(RevokeOtherLoginsResponse { revoked })
}
