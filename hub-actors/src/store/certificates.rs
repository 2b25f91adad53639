//! Certificates that devices have made, as the Hub passes them on. It cannot check them and need not:
//! the Worker does.
//!
//! What a Worker is shown of one user goes along with what is announced of a channel, and the rest in
//! messages of its own; what was withdrawn goes to the Worker's link as soon as there is one, whether
//! anybody opens a channel or not.

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use prost::Message as _;
use schema::{
    ids::{UserId, WorkerId},
    wire::{Role, Signed},
};

use super::{
    Connection,
    access::Roles,
    tables::{device_certificates, grant_certificates},
};
use crate::{devices::signed, error::Fault};

/// What goes into one message at most: as many as fit beside 900 workspaces and a handshake.
const BYTES_MAX: usize = 48 * 1024;
/// A Worker looks at no more of one message.
const PIECE_MAX: usize = 64;
/// Rows of one user that are looked at.
const ROWS_MAX: i64 = 64;
/// Withdrawals that a link begins with.
const WITHDRAWN_MAX: usize = 1_000;

/// Certificates, as they go into one message each.
pub(crate) type Pieces = Vec<Vec<Signed>>;

/// What a Worker has to see of a user, the newest first: what was taken back, what the owner granted in
/// these workspaces, certificates of the user's devices, and then whatever else was granted.
pub(crate) fn for_channel(
    conn: &mut Connection,
    worker: &WorkerId,
    grantee: &UserId,
    asked: &Roles,
    now_ms: i64,
) -> Result<Pieces, Fault> {
    let rows = grant_certificates::table
        .filter(grant_certificates::worker_id.eq(worker.as_str()))
        .filter(grant_certificates::grantee_user_id.eq(grantee.as_str()))
        .filter(grant_certificates::expires_ms.gt(now_ms))
        .order((
            grant_certificates::created_ms.desc(),
            grant_certificates::serial.desc(),
        ))
        .limit(ROWS_MAX)
        .select((grant_certificates::workspace_id, grant_certificates::signed))
        .load::<(String, Vec<u8>)>(conn)?;
    let of_devices = device_certificates::table
        .filter(device_certificates::user_id.eq(grantee.as_str()))
        .filter(device_certificates::expires_ms.gt(now_ms))
        .order((
            device_certificates::created_ms.desc(),
            device_certificates::serial.desc(),
        ))
        .limit(ROWS_MAX)
        .select(device_certificates::signed)
        .load::<Vec<u8>>(conn)?;
    let (withdrawn, granted): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(_, row)| is_withdrawal(row));
    let is_asked = |(workspace, _): &(String, _)| asked.keys().any(|id| id.as_str() == workspace);
    let (first, rest): (Vec<_>, Vec<_>) = granted.into_iter().partition(is_asked);
    let grants = withdrawn.into_iter().chain(first).map(|(_, row)| row);
    let rest = rest.into_iter().map(|(_, row)| row);
    Ok(pieces(grants.chain(of_devices).chain(rest)))
}

/// Everything that was taken back at a Worker and could be shown to it yet, whoever's it was.
pub(crate) fn withdrawn(
    conn: &mut Connection,
    worker: &WorkerId,
    now_ms: i64,
) -> Result<Pieces, Fault> {
    let rows = grant_certificates::table
        .filter(grant_certificates::worker_id.eq(worker.as_str()))
        .filter(grant_certificates::expires_ms.gt(now_ms))
        .order(grant_certificates::created_ms.desc())
        .select(grant_certificates::signed)
        .load::<Vec<u8>>(conn)?;
    let withdrawn = rows.into_iter().filter(|row| is_withdrawal(row));
    Ok(pieces(withdrawn.take(WITHDRAWN_MAX)))
}

/// In as few messages as hold them.
pub(crate) fn pieces(rows: impl IntoIterator<Item = Vec<u8>>) -> Pieces {
    let (mut pieces, mut room) = (Pieces::new(), 0);
    for row in rows {
        // What is no certificate was refused when it came.
        let Ok(signed) = Signed::decode(row.as_slice()) else {
            continue;
        };
        let size = row.len() + 4;
        match pieces.last_mut() {
            Some(piece) if size <= room && piece.len() < PIECE_MAX => piece.push(signed),
            Some(_) | None => {
                pieces.push(vec![signed]);
                room = BYTES_MAX;
            }
        }
        room = room.saturating_sub(size);
    }
    pieces
}

fn is_withdrawal(row: &[u8]) -> bool {
    signed::grant(row).is_some_and(|says| says.role == Role::Unspecified)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_length(bytes: usize) -> Vec<u8> {
        let signed = Signed {
            body: vec![7; bytes].into(),
            ..Signed::default()
        };
        signed.encode_to_vec()
    }

    #[test]
    fn a_message_holds_what_fits_and_no_more_than_a_worker_looks_at() {
        let lengths = |rows: Vec<Vec<u8>>| -> Vec<usize> {
            let bytes = |piece: &Vec<Signed>| piece.iter().map(prost::Message::encoded_len).sum();
            let pieces = pieces(rows);
            assert!(pieces.iter().all(|piece| piece.len() <= PIECE_MAX));
            pieces.iter().map(bytes).collect()
        };
        let large = lengths((0..15).map(|_| of_length(6_700)).collect());
        assert_eq!(large.len(), 3);
        assert!(large.iter().all(|bytes| *bytes <= BYTES_MAX), "{large:?}");
        let small = lengths((0..130).map(|_| of_length(1)).collect());
        assert_eq!(small.len(), 3);
        assert_eq!(lengths(Vec::new()), [0; 0]);
    }
}
