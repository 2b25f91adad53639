//! Logins of the command line that are under way: codes for its browser, and codes to be typed.

use std::collections::BTreeMap;

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{CredentialId, UserId};

use super::{
    Connection, credentials,
    tables::{authorisations, device_logins},
    unless_taken,
};
use crate::{abuse::Network, error::Fault, token::SecretHash};

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

/// Makes room for one more where `most` wait: of the network that holds most of those that nobody has
/// decided, the oldest goes. False where all are decided.
pub(crate) fn make_room(conn: &mut Connection, most: i64, now_ms: i64) -> Result<bool, Fault> {
    let waiting = device_logins::table.filter(device_logins::expires_ms.gt(now_ms));
    if waiting.count().get_result::<i64>(conn)? < most {
        return Ok(true);
    }
    let undecided = waiting
        .filter(device_logins::approved_ms.is_null())
        .filter(device_logins::declined_ms.is_null())
        .order(device_logins::expires_ms.asc())
        .select((device_logins::code_hash, device_logins::address))
        .load::<(Vec<u8>, String)>(conn)?;
    let mut held: BTreeMap<Network, (usize, &[u8])> = BTreeMap::new();
    for (code, address) in &undecided {
        let from: Network = address.parse().ok().into();
        held.entry(from).or_insert((0, code)).0 += 1;
    }
    let Some((_, oldest)) = held.into_values().max_by_key(|(count, _)| *count) else {
        return Ok(false);
    };
    diesel::delete(device_logins::table.find(oldest)).execute(conn)?;
    Ok(true)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::both::{Sandbox, on_both},
        token::{Pepper, Purpose},
    };

    on_both! {
        whoever_holds_most_makes_room_and_nobody_else,
    }

    fn hash(purpose: Purpose, text: &str) -> SecretHash {
        Pepper::fixed(7).hash(purpose, text)
    }

    async fn whoever_holds_most_makes_room_and_nobody_else(sandbox: &Sandbox) {
        let start = |name: &'static str, address: &'static str, expires_ms: i64| {
            let hashes = (
                hash(Purpose::DeviceCode, name),
                hash(Purpose::UserCode, name),
            );
            let new = DeviceLogin {
                client: name.to_owned(),
                address: address.to_owned(),
                expires_ms,
                decision: Decision::Pending,
                polled_ms: 0,
            };
            sandbox.store.run(move |conn| {
                assert!(make_room(conn, 4, 1)?);
                start_device_login(conn, hashes, &new, 1)
            })
        };
        let waits = |name: &'static str| {
            let code = hash(Purpose::DeviceCode, name);
            let found = sandbox.store.run(move |conn| polled(conn, code, 1));
            async move { found.await.unwrap().is_some() }
        };
        start("ours", "192.0.2.1", 10).await.unwrap();
        for (name, address, expires_ms) in [
            ("first", "2001:db8::1", 11),
            ("second", "2001:db8::2", 12),
            ("third", "2001:db8::3", 13),
        ] {
            start(name, address, expires_ms).await.unwrap();
        }
        start("late", "192.0.2.2", 14).await.unwrap();
        assert!(!waits("first").await, "the oldest of the largest network");
        for name in ["ours", "second", "third", "late"] {
            assert!(waits(name).await, "{name}");
        }
        let full = sandbox.store.run(|conn| {
            diesel::update(device_logins::table)
                .set(device_logins::declined_ms.eq(1))
                .execute(conn)?;
            make_room(conn, 4, 1)
        });
        assert!(!full.await.unwrap(), "all are decided");
    }
}
