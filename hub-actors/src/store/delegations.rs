//! Delegations: bearers that a Worker asked for on behalf of a child process, bound to user,
//! workspace, Worker and tab.

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{CredentialId, UserId, WorkerId, WorkspaceId};

use super::{
    Connection,
    credentials::{self, Credential, Kind},
    tables::credentials as rows,
};
use crate::{caller::Binding, error::Fault, scope::Scopes, token::SecretHash};

/// One to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewDelegation {
    pub(crate) id: CredentialId,
    pub(crate) user: UserId,
    /// What the channel was opened with, over which the process was started.
    pub(crate) parent: CredentialId,
    pub(crate) binding: Binding,
    pub(crate) tab: String,
    pub(crate) scopes: Scopes,
    pub(crate) expires_ms: i64,
}

/// One in its user's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delegation {
    pub(crate) id: CredentialId,
    pub(crate) worker: String,
    pub(crate) workspace: String,
    pub(crate) tab: String,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
}

/// Stores one.
pub(crate) fn insert(
    conn: &mut Connection,
    new: &NewDelegation,
    secret: SecretHash,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::insert_into(rows::table)
        .values((
            rows::id.eq(new.id.as_str()),
            rows::user_id.eq(new.user.as_str()),
            rows::kind.eq(Kind::Delegation as i16),
            rows::parent_id.eq(new.parent.as_str()),
            rows::secret_hash.eq(secret.as_bytes().as_slice()),
            rows::label.eq(""),
            rows::user_agent.eq(""),
            rows::address.eq(""),
            rows::scopes.eq(new.scopes.to_string()),
            rows::workspace_id.eq(new.binding.workspace.as_str()),
            rows::worker_id.eq(new.binding.worker.as_str()),
            rows::tab_id.eq(&new.tab),
            rows::created_ms.eq(now_ms),
            rows::last_used_ms.eq(now_ms),
            rows::expires_ms.eq(new.expires_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// The live delegation of a presented secret, whose parent is live as well.
pub(crate) fn find_live(
    conn: &mut Connection,
    secret: SecretHash,
    now_ms: i64,
) -> Result<Option<(Credential, Scopes, Binding)>, Fault> {
    let Some(credential) = credentials::find_live(conn, Kind::Delegation, secret, now_ms)? else {
        return Ok(None);
    };
    let (parent, scopes) = rows::table
        .find(credential.id.as_str())
        .select((rows::parent_id, rows::scopes))
        .first::<(Option<String>, String)>(conn)?;
    let parent = parent.as_deref().map(CredentialId::parse).transpose();
    let parent = parent.map_err(|_| BAD)?.ok_or(BAD)?;
    if !credentials::is_live(conn, &parent, now_ms)? {
        return Ok(None);
    }
    let scopes = Scopes::parse(scopes.split_whitespace()).ok_or(Fault::Row("scopes"))?;
    let binding = binding_of(conn, &credential.id)?.ok_or(BAD)?;
    Ok(Some((credential, scopes, binding)))
}

const BAD: Fault = Fault::Row("credentials of a delegation");

/// What a credential is confined to, if it is a delegation.
pub(crate) fn binding_of(
    conn: &mut Connection,
    id: &CredentialId,
) -> Result<Option<Binding>, Fault> {
    let bound = rows::table
        .find(id.as_str())
        .select((rows::worker_id, rows::workspace_id))
        .first::<(Option<String>, Option<String>)>(conn)
        .optional()?;
    let Some((Some(worker), Some(workspace))) = bound else {
        return Ok(None);
    };
    Ok(Some(Binding {
        worker: WorkerId::parse(&worker).map_err(|_| BAD)?,
        workspace: WorkspaceId::parse(&workspace).map_err(|_| BAD)?,
    }))
}

/// How many live ones hang on a credential.
pub(crate) fn count(
    conn: &mut Connection,
    parent: &CredentialId,
    now_ms: i64,
) -> Result<i64, Fault> {
    let live = rows::table
        .filter(rows::parent_id.eq(parent.as_str()))
        .filter(rows::kind.eq(Kind::Delegation as i16))
        .filter(rows::revoked_ms.is_null())
        .filter(rows::expires_ms.gt(now_ms));
    Ok(live.count().get_result(conn)?)
}

/// A user's live ones, the newest first.
pub(crate) fn list(
    conn: &mut Connection,
    user: &UserId,
    now_ms: i64,
) -> Result<Vec<Delegation>, Fault> {
    type Row = (
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        i64,
        Option<i64>,
    );
    let found = rows::table
        .filter(rows::user_id.eq(user.as_str()))
        .filter(rows::kind.eq(Kind::Delegation as i16))
        .filter(rows::revoked_ms.is_null())
        .filter(rows::expires_ms.gt(now_ms))
        .order((rows::created_ms.desc(), rows::id.asc()))
        .select((
            rows::id,
            rows::worker_id,
            rows::workspace_id,
            rows::tab_id,
            rows::created_ms,
            rows::expires_ms,
        ))
        .load::<Row>(conn)?;
    let read = |(id, worker, workspace, tab, created_ms, expires_ms): Row| {
        Ok(Delegation {
            id: CredentialId::parse(&id).map_err(|_| BAD)?,
            worker: worker.unwrap_or_default(),
            workspace: workspace.unwrap_or_default(),
            tab: tab.unwrap_or_default(),
            created_ms,
            expires_ms: expires_ms.unwrap_or_default(),
        })
    };
    found.into_iter().map(read).collect()
}

/// Whether it is a delegation of this user that was not revoked.
pub(crate) fn is_of(
    conn: &mut Connection,
    user: &UserId,
    id: &CredentialId,
) -> Result<bool, Fault> {
    let found = rows::table
        .find(id.as_str())
        .filter(rows::user_id.eq(user.as_str()))
        .filter(rows::kind.eq(Kind::Delegation as i16))
        .filter(rows::revoked_ms.is_null());
    Ok(diesel::select(diesel::dsl::exists(found)).get_result(conn)?)
}

/// Revokes all that are bound to a Worker, and what hangs on them; names those that were live.
pub(crate) fn revoke_of_worker(
    conn: &mut Connection,
    worker: &WorkerId,
    now_ms: i64,
) -> Result<Vec<CredentialId>, Fault> {
    let bound = rows::table
        .filter(rows::worker_id.eq(worker.as_str()))
        .filter(rows::revoked_ms.is_null())
        .select(rows::id)
        .load::<String>(conn)?;
    let mut revoked = Vec::new();
    for id in bound {
        let id = CredentialId::parse(&id).map_err(|_| BAD)?;
        revoked.extend(credentials::revoke(conn, &id, now_ms)?);
    }
    Ok(revoked)
}
