//! Grant certificates: of each Worker, workspace and grantee the one with the newest serial.

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{UserId, WorkerId, WorkspaceId};

use super::{Connection, tables::grant_certificates};
use crate::error::Fault;

/// A certificate as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) workspace: WorkspaceId,
    pub(crate) grantee: UserId,
    pub(crate) serial: i64,
    /// An encoded `Signed`.
    pub(crate) signed: Vec<u8>,
    pub(crate) expires_ms: i64,
}

/// All for one Worker.
pub(crate) fn at(conn: &mut Connection, worker: &WorkerId) -> Result<Vec<Grant>, Fault> {
    let rows = grant_certificates::table
        .filter(grant_certificates::worker_id.eq(worker.as_str()))
        .order((
            grant_certificates::workspace_id.asc(),
            grant_certificates::grantee_user_id.asc(),
        ))
        .select((
            grant_certificates::id,
            grant_certificates::workspace_id,
            grant_certificates::grantee_user_id,
            grant_certificates::serial,
            grant_certificates::signed,
            grant_certificates::expires_ms,
        ))
        .load::<Row>(conn)?;
    rows.into_iter().map(grant).collect()
}

/// Forgets those of a Worker that hold no longer.
pub(crate) fn delete_expired(
    conn: &mut Connection,
    worker: &WorkerId,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::delete(grant_certificates::table)
        .filter(grant_certificates::worker_id.eq(worker.as_str()))
        .filter(grant_certificates::expires_ms.le(now_ms))
        .execute(conn)?;
    Ok(())
}

/// Those that one Worker is to see of one grantee and that are good yet, the newest first: serials are
/// counted by workspace, and say nothing about that.
pub(crate) fn of(
    conn: &mut Connection,
    worker: &WorkerId,
    grantee: &UserId,
    now_ms: i64,
) -> Result<Vec<Vec<u8>>, Fault> {
    let its = grant_certificates::table
        .filter(grant_certificates::worker_id.eq(worker.as_str()))
        .filter(grant_certificates::grantee_user_id.eq(grantee.as_str()))
        .filter(grant_certificates::expires_ms.gt(now_ms))
        .order((
            grant_certificates::created_ms.desc(),
            grant_certificates::serial.desc(),
        ))
        .select(grant_certificates::signed);
    Ok(its.load(conn)?)
}

/// Puts one in the place of the older ones for the same Worker, workspace and grantee.
pub(crate) fn replace(
    conn: &mut Connection,
    worker: &WorkerId,
    new: &Grant,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::delete(grant_certificates::table)
        .filter(grant_certificates::worker_id.eq(worker.as_str()))
        .filter(grant_certificates::workspace_id.eq(new.workspace.as_str()))
        .filter(grant_certificates::grantee_user_id.eq(new.grantee.as_str()))
        .execute(conn)?;
    diesel::insert_into(grant_certificates::table)
        .values((
            grant_certificates::id.eq(&new.id),
            grant_certificates::worker_id.eq(worker.as_str()),
            grant_certificates::workspace_id.eq(new.workspace.as_str()),
            grant_certificates::grantee_user_id.eq(new.grantee.as_str()),
            grant_certificates::serial.eq(new.serial),
            grant_certificates::signed.eq(&new.signed),
            grant_certificates::expires_ms.eq(new.expires_ms),
            grant_certificates::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    Ok(())
}

type Row = (String, String, String, i64, Vec<u8>, i64);

fn grant((id, workspace, grantee, serial, signed, expires_ms): Row) -> Result<Grant, Fault> {
    let workspace = WorkspaceId::parse(&workspace);
    let grantee = UserId::parse(&grantee);
    Ok(Grant {
        id,
        workspace: workspace.map_err(|_| Fault::Row("grant_certificates.workspace_id"))?,
        grantee: grantee.map_err(|_| Fault::Row("grant_certificates.grantee_user_id"))?,
        serial,
        signed,
        expires_ms,
    })
}
