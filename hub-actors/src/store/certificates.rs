//! Certificates that devices have made, as the Hub passes them on. It cannot check them and need not:
//! the Worker does.

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use prost::Message as _;
use schema::{
    ids::{UserId, WorkerId},
    wire::Signed,
};

use super::{
    Connection,
    tables::{device_certificates, grant_certificates},
};
use crate::error::Fault;

/// What goes with an announcement at most: as many as fit beside 900 workspaces and a handshake.
const BYTES_MAX: usize = 48 * 1024;
/// Rows that are looked at for it.
const ROWS_MAX: i64 = 64;

/// What a Worker has to see of a user: the owner's grants, and certificates of the user's devices.
/// The newest first, and no more than fit.
pub(crate) fn for_channel(
    conn: &mut Connection,
    worker: &WorkerId,
    grantee: &UserId,
    now_ms: i64,
) -> Result<Vec<Signed>, Fault> {
    let mut rows = grant_certificates::table
        .filter(grant_certificates::worker_id.eq(worker.as_str()))
        .filter(grant_certificates::grantee_user_id.eq(grantee.as_str()))
        .filter(grant_certificates::expires_ms.gt(now_ms))
        .order(grant_certificates::serial.desc())
        .limit(ROWS_MAX)
        .select(grant_certificates::signed)
        .load::<Vec<u8>>(conn)?;
    let of_devices = device_certificates::table
        .filter(device_certificates::user_id.eq(grantee.as_str()))
        .filter(device_certificates::expires_ms.gt(now_ms))
        .order(device_certificates::serial.desc())
        .limit(ROWS_MAX)
        .select(device_certificates::signed)
        .load::<Vec<u8>>(conn)?;
    rows.extend(of_devices);
    let mut room = BYTES_MAX;
    let mut fitting = Vec::new();
    for row in rows {
        let Some(left) = room.checked_sub(row.len() + 4) else {
            break;
        };
        room = left;
        // What is no certificate was refused when it came.
        fitting.extend(Signed::decode(row.as_slice()));
    }
    Ok(fitting)
}
