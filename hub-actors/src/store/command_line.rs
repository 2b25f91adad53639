//! Logins of the command line that are under way: codes for its browser, and codes to be typed.

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{CredentialId, UserId};

use super::{
    Connection, credentials,
    tables::{authorisations, device_logins},
    unless_taken,
};
use crate::{error::Fault, token::SecretHash};

/// What a person has agreed to at a browser of the same machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorisation {
    /// SHA-256 of what only the command line knows, in base64url.
    pub(crate) challenge: String,
    pub(crate) redirect_uri: String,
    pub(crate) user: UserId,
    /// What the person agreed with.
    pub(crate) credential: CredentialId,
    pub(crate) client: String,
    pub(crate) expires_ms: i64,
}

/// Keeps one, and drops those that are too old.
pub(crate) fn authorise(
    conn: &mut Connection,
    code: SecretHash,
    given: &Authorisation,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::delete(authorisations::table.filter(authorisations::expires_ms.le(now_ms)))
        .execute(conn)?;
    diesel::insert_into(authorisations::table)
        .values((
            authorisations::code_hash.eq(code.as_bytes().as_slice()),
            authorisations::challenge.eq(&given.challenge),
            authorisations::redirect_uri.eq(&given.redirect_uri),
            authorisations::user_id.eq(given.user.as_str()),
            authorisations::credential_id.eq(given.credential.as_str()),
            authorisations::client.eq(&given.client),
            authorisations::expires_ms.eq(given.expires_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// How many a user has given that wait yet.
pub(crate) fn authorised(conn: &mut Connection, user: &UserId, now_ms: i64) -> Result<i64, Fault> {
    let given = authorisations::table
        .filter(authorisations::user_id.eq(user.as_str()))
        .filter(authorisations::expires_ms.gt(now_ms));
    Ok(given.count().get_result(conn)?)
}

/// Whose account the code is for, if there is one.
pub(crate) fn authoriser(conn: &mut Connection, code: SecretHash) -> Result<Option<UserId>, Fault> {
    let row = authorisations::table
        .find(code.as_bytes().as_slice())
        .select(authorisations::user_id)
        .first::<String>(conn)
        .optional()?;
    row.map(|user| UserId::parse(&user).map_err(|_| Fault::Row("authorisations.user_id")))
        .transpose()
}

/// Takes one out for good; one that is too old, or was agreed to with what is good no more, is gone as
/// well, but gives nothing.
pub(crate) fn take_authorisation(
    conn: &mut Connection,
    code: SecretHash,
    now_ms: i64,
) -> Result<Option<Authorisation>, Fault> {
    type Row = (String, String, String, Option<String>, String, i64);
    let row = diesel::delete(authorisations::table.find(code.as_bytes().as_slice()))
        .returning((
            authorisations::challenge,
            authorisations::redirect_uri,
            authorisations::user_id,
            authorisations::credential_id,
            authorisations::client,
            authorisations::expires_ms,
        ))
        .get_result::<Row>(conn)
        .optional()?;
    let Some((challenge, redirect_uri, user, Some(credential), client, expires_ms)) = row else {
        return Ok(None);
    };
    let taken = Authorisation {
        challenge,
        redirect_uri,
        user: UserId::parse(&user).map_err(|_| Fault::Row("authorisations.user_id"))?,
        credential: CredentialId::parse(&credential)
            .map_err(|_| Fault::Row("authorisations.credential_id"))?,
        client,
        expires_ms,
    };
    let is_good = expires_ms > now_ms && credentials::is_live(conn, &taken.credential, now_ms)?;
    Ok(is_good.then_some(taken))
}

/// A login that waits for a person to type its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceLogin {
    pub(crate) client: String,
    /// Where it was started.
    pub(crate) address: String,
    pub(crate) expires_ms: i64,
    pub(crate) decision: Decision,
    /// When its outcome was last asked for.
    pub(crate) polled_ms: i64,
}

/// What a person said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing yet.
    Pending,
    /// Yes, for this account, with this credential.
    Approved(UserId, CredentialId),
    /// No.
    Declined,
}

/// Keeps one, unless its code to be typed is taken; drops those that are too old.
pub(crate) fn start_device_login(
    conn: &mut Connection,
    (device, typed): (SecretHash, SecretHash),
    new: &DeviceLogin,
    now_ms: i64,
) -> Result<bool, Fault> {
    diesel::delete(device_logins::table.filter(device_logins::expires_ms.le(now_ms)))
        .execute(conn)?;
    let stored = unless_taken(conn, |conn| {
        diesel::insert_into(device_logins::table)
            .values((
                device_logins::code_hash.eq(device.as_bytes().as_slice()),
                device_logins::user_code.eq(hex(typed)),
                device_logins::client.eq(&new.client),
                device_logins::address.eq(&new.address),
                device_logins::expires_ms.eq(new.expires_ms),
                device_logins::polled_ms.eq(0),
            ))
            .execute(conn)
    });
    Ok(stored?)
}

/// How many wait.
pub(crate) fn device_logins_waiting(conn: &mut Connection, now_ms: i64) -> Result<i64, Fault> {
    let waiting = device_logins::table.filter(device_logins::expires_ms.gt(now_ms));
    Ok(waiting.count().get_result(conn)?)
}

/// The one that a person typed the code of.
pub(crate) fn typed(
    conn: &mut Connection,
    typed: SecretHash,
    now_ms: i64,
) -> Result<Option<DeviceLogin>, Fault> {
    let row = device_logins::table
        .filter(device_logins::user_code.eq(hex(typed)))
        .filter(device_logins::expires_ms.gt(now_ms))
        .select(COLUMNS)
        .first::<Row>(conn)
        .optional()?;
    row.map(read).transpose()
}

/// The one that the command line holds the code of.
pub(crate) fn polled(
    conn: &mut Connection,
    device: SecretHash,
    now_ms: i64,
) -> Result<Option<DeviceLogin>, Fault> {
    let row = device_logins::table
        .find(device.as_bytes().as_slice())
        .filter(device_logins::expires_ms.gt(now_ms))
        .select(COLUMNS)
        .first::<Row>(conn)
        .optional()?;
    row.map(read).transpose()
}

/// Notes that its outcome was asked for.
pub(crate) fn note_polled(
    conn: &mut Connection,
    device: SecretHash,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::update(device_logins::table.find(device.as_bytes().as_slice()))
        .set(device_logins::polled_ms.eq(now_ms))
        .execute(conn)?;
    Ok(())
}

/// Notes a person's word on one that waits for it; whether there was one.
pub(crate) fn decide(
    conn: &mut Connection,
    typed: SecretHash,
    approved_by: Option<(&UserId, &CredentialId)>,
    now_ms: i64,
) -> Result<bool, Fault> {
    let declined_ms = approved_by.is_none().then_some(now_ms);
    let approved_ms = approved_by.map(|_| now_ms);
    let rows = diesel::update(device_logins::table)
        .filter(device_logins::user_code.eq(hex(typed)))
        .filter(device_logins::expires_ms.gt(now_ms))
        .filter(device_logins::approved_ms.is_null())
        .filter(device_logins::declined_ms.is_null())
        .set((
            device_logins::user_id.eq(approved_by.map(|(user, _)| user.as_str())),
            device_logins::credential_id.eq(approved_by.map(|(_, with)| with.as_str())),
            device_logins::approved_ms.eq(approved_ms),
            device_logins::declined_ms.eq(declined_ms),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

/// Takes one out for good.
pub(crate) fn end_device_login(conn: &mut Connection, device: SecretHash) -> Result<(), Fault> {
    diesel::delete(device_logins::table.find(device.as_bytes().as_slice())).execute(conn)?;
    Ok(())
}

type Row = (
    String,
    String,
    i64,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    i64,
);
type Columns = (
    device_logins::client,
    device_logins::address,
    device_logins::expires_ms,
    device_logins::user_id,
    device_logins::credential_id,
    device_logins::approved_ms,
    device_logins::declined_ms,
    device_logins::polled_ms,
);
const COLUMNS: Columns = (
    device_logins::client,
    device_logins::address,
    device_logins::expires_ms,
    device_logins::user_id,
    device_logins::credential_id,
    device_logins::approved_ms,
    device_logins::declined_ms,
    device_logins::polled_ms,
);

fn read(
    (client, address, expires_ms, user, credential, approved, declined, polled_ms): Row,
) -> Result<DeviceLogin, Fault> {
    let decision = match (user, credential, approved, declined) {
        (_, _, _, Some(_)) => Decision::Declined,
        (Some(user), Some(credential), Some(_), None) => Decision::Approved(
            UserId::parse(&user).map_err(|_| Fault::Row("device_logins.user_id"))?,
            CredentialId::parse(&credential)
                .map_err(|_| Fault::Row("device_logins.credential_id"))?,
        ),
        (_, _, _, None) => Decision::Pending,
    };
    Ok(DeviceLogin {
        client,
        address,
        expires_ms,
        decision,
        polled_ms,
    })
}

/// The column is text.
fn hex(hash: SecretHash) -> String {
    let bytes = hash.as_bytes().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}
