//! What the owner signed for, the serials of certificates, and what goes with a removed signer.

use channel_actors::endpoint::trust::{Change, Grant, SerialOf};
use diesel::prelude::*;
use schema::{
    ids::{UserId, WorkspaceId},
    wire,
};

use super::{
    StoreError,
    devices::{GRANT, TRUSTED, is_same_device},
    tables::{devices, grants, serials},
};

type GrantRow = (String, String, i32, i64, Vec<u8>, Vec<u8>);

/// Grants and serials, for the brain to hear again.
///
/// # Errors
///
/// Logged already.
pub(super) fn changes(connection: &mut SqliteConnection) -> Result<Vec<Change>, StoreError> {
    let granted: Vec<GrantRow> = grants::table.load(connection)?;
    let risen: Vec<(String, Vec<u8>, String, i64)> = serials::table.load(connection)?;
    let granted = granted.into_iter().filter_map(grant);
    Ok(granted
        .chain(risen.into_iter().filter_map(serial))
        .collect())
}

/// Stores or replaces a grant.
///
/// # Errors
///
/// Logged already.
pub(super) fn put(connection: &mut SqliteConnection, grant: &Grant) -> Result<(), StoreError> {
    let expires_at = i64::try_from(grant.expires_at).unwrap_or(i64::MAX);
    diesel::replace_into(grants::table)
        .values((
            grants::user_id.eq(grant.user.as_str()),
            grants::workspace_id.eq(grant.workspace.as_str()),
            grants::role.eq(i32::from(grant.role)),
            grants::expires_at.eq(expires_at),
            grants::device.eq(grant.device.as_ref()),
            grants::signer.eq(grant.signer.as_ref()),
        ))
        .execute(connection)?;
    Ok(())
}

/// Stores or replaces a serial.
///
/// # Errors
///
/// Logged already.
pub(super) fn put_serial(
    connection: &mut SqliteConnection,
    of: &SerialOf,
    serial: u64,
) -> Result<(), StoreError> {
    let workspace = of
        .workspace
        .as_ref()
        .map_or("", |workspace| workspace.as_str());
    diesel::replace_into(serials::table)
        .values((
            serials::signer.eq(of.signer.as_str()),
            serials::subject.eq(of.subject.to_vec()),
            serials::workspace_id.eq(workspace),
            serials::serial.eq(i64::try_from(serial).unwrap_or(i64::MAX)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Forgets every grant with the devices that rest on one: they were given in the name that the Worker
/// had, or by the owner that it had.
///
/// # Errors
///
/// Logged already.
pub(crate) fn forget_all(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    connection.immediate_transaction(|connection| {
        diesel::delete(grants::table).execute(connection)?;
        diesel::delete(serials::table.filter(serials::workspace_id.ne(""))).execute(connection)?;
        diesel::delete(devices::table.filter(devices::source.eq(GRANT))).execute(connection)?;
        Ok(())
    })
}

/// Forgets what a removed device has signed: devices, what they signed in turn, grants, and the
/// devices that had no other grant.
///
/// # Errors
///
/// Logged already.
pub(super) fn forget_signed(
    connection: &mut SqliteConnection,
    user: &str,
    key: &[u8],
) -> Result<(), StoreError> {
    // Whoever is forgotten is deleted before what it signed is looked for, so this comes to an end.
    let mut signers = vec![(user.to_owned(), key.to_vec())];
    while let Some((user, key)) = signers.pop() {
        let mut forgotten = signed_by(connection, &user, &key)?;
        if !is_trusted(connection, &key)? {
            forgotten.extend(granted_by(connection, &key)?);
        }
        for (user, key) in forgotten {
            diesel::delete(devices::table.find((&user, &key))).execute(connection)?;
            signers.push((user, key));
        }
    }
    Ok(())
}

/// Whether anybody else is trusted by this key.
fn is_trusted(connection: &mut SqliteConnection, key: &[u8]) -> Result<bool, StoreError> {
    let same = devices::key.eq(key).and(devices::state.eq(TRUSTED));
    let found: i64 = devices::table.filter(same).count().get_result(connection)?;
    Ok(found > 0)
}

fn signed_by(
    connection: &mut SqliteConnection,
    user: &str,
    key: &[u8],
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let signed = devices::user_id.eq(user).and(devices::signer.eq(key));
    let found = devices::table
        .filter(signed)
        .select((devices::user_id, devices::key));
    Ok(found.load(connection)?)
}

/// Deletes the grants that a key has signed; gives the devices that are left without any.
fn granted_by(
    connection: &mut SqliteConnection,
    key: &[u8],
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let dropped: Vec<GrantRow> = grants::table
        .filter(grants::signer.eq(key))
        .load(connection)?;
    if dropped.is_empty() {
        return Ok(Vec::new());
    }
    diesel::delete(grants::table.filter(grants::signer.eq(key))).execute(connection)?;
    let left: Vec<GrantRow> = grants::table.load(connection)?;
    let granted: Vec<(String, Vec<u8>)> = devices::table
        .filter(devices::source.eq(GRANT))
        .select((devices::user_id, devices::key))
        .load(connection)?;
    let names = |grants: &[GrantRow], (user, key): &(String, Vec<u8>)| {
        let mut its = grants.iter().filter(|grant| grant.0 == *user);
        its.any(|grant| is_same_device(&grant.4, key))
    };
    let orphaned = |device: &(String, Vec<u8>)| names(&dropped, device) && !names(&left, device);
    Ok(granted.into_iter().filter(orphaned).collect())
}

fn grant((user, workspace, role, expires_at, device, signer): GrantRow) -> Option<Change> {
    Some(Change::Granted(Grant {
        user: UserId::parse(&user).ok()?,
        workspace: WorkspaceId::parse(&workspace).ok()?,
        role: wire::Role::try_from(role).ok()?,
        expires_at: u64::try_from(expires_at).ok()?,
        device: device.into(),
        signer: signer.into(),
    }))
}

fn serial((signer, subject, workspace, serial): (String, Vec<u8>, String, i64)) -> Option<Change> {
    let of = SerialOf {
        signer: UserId::parse(&signer).ok()?,
        subject: subject.into(),
        workspace: WorkspaceId::parse(&workspace).ok(),
    };
    Some(Change::Serial(of, u64::try_from(serial).ok()?))
}

#[cfg(test)]
mod tests {
    use channel_actors::endpoint::trust::{Source, TrustedDevice};
    use tempfile::tempdir;

    use super::*;
    use crate::store::{Store, devices as kept};

    fn trusted(source: Source, key: u8) -> Change {
        Change::Trusted(TrustedDevice {
            user: UserId::parse("bob").expect("an id"),
            algorithm: 1,
            key: vec![key; 32].into(),
            source,
            expires_at: Some(100),
            signer: None,
        })
    }

    fn serial_of(workspace: Option<&str>) -> Change {
        let of = SerialOf {
            signer: UserId::parse("ann").expect("an id"),
            subject: vec![1].into(),
            workspace: workspace.map(|id| WorkspaceId::parse(id).expect("an id")),
        };
        Change::Serial(of, 9)
    }

    #[test]
    fn what_was_granted_ends_with_the_workers_name_and_devices_stay() {
        let folder = tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let grant = Grant {
            user: UserId::parse("bob").expect("an id"),
            workspace: WorkspaceId::parse("w").expect("an id"),
            role: wire::Role::Editor,
            expires_at: 100,
            device: vec![2; 32].into(),
            signer: vec![3; 32].into(),
        };
        let before = vec![
            trusted(Source::Grant, 2),
            trusted(Source::Approved, 4),
            Change::Granted(grant),
            serial_of(Some("w")),
            serial_of(None),
        ];
        let left = store.run_here(|connection| {
            kept::keep(connection, before, &|_| String::new(), 1)?;
            forget_all(connection)?;
            kept::changes(connection)
        });
        let expected = vec![trusted(Source::Approved, 4), serial_of(None)];
        assert_eq!(left.expect("changes"), expected);
    }

    #[test]
    fn only_what_expired_long_ago_is_forgotten() {
        let folder = tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let before = vec![
            trusted(Source::Certificate, 2),
            trusted(Source::Approved, 4),
        ];
        let forgotten = store.run_here(|connection| {
            kept::keep(connection, before, &|_| String::new(), 1)?;
            let early = kept::forget_expired(connection, 100)?;
            Ok((early, kept::forget_expired(connection, 101)?))
        });
        assert_eq!(forgotten.expect("a count"), (0, 1));
    }
}
