//! Devices, grants and serials: what the trust brain wants kept, and what it is given back.

use channel_actors::endpoint::trust::{
    Change, Grant, SerialOf, Source, TrustedDevice, WaitingDevice,
};
use diesel::{prelude::*, upsert::excluded};
use schema::{
    ids::{UserId, WorkspaceId},
    wire,
};

use super::{
    StoreError,
    tables::{devices, grants, serials},
};

/// A device as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = devices)]
pub struct KeptDevice {
    /// Whose.
    pub user_id: String,
    /// Its public key.
    pub key: Vec<u8>,
    /// 1 or 2.
    pub algorithm: i32,
    /// One of the constants below.
    pub state: i32,
    /// How it came to be trusted; empty while it waits.
    pub source: String,
    /// Four words.
    pub fingerprint: String,
    /// Unix milliseconds.
    pub first_seen_ms: i64,
    /// Unix milliseconds.
    pub last_seen_ms: i64,
    /// Unix seconds.
    pub expires_at: Option<i64>,
}

/// May claim to be its user.
pub const TRUSTED: i32 = 1;
/// Somebody has to say so first.
pub const WAITING: i32 = 2;
/// May not, whatever it shows.
pub const REMOVED: i32 = 3;

impl KeptDevice {
    /// What clients and lists show of it.
    #[must_use]
    pub fn shown(&self, this_one: &[u8]) -> wire::Device {
        let state = match self.state {
            TRUSTED => wire::DeviceState::Trusted,
            WAITING => wire::DeviceState::Waiting,
            _ => wire::DeviceState::Unspecified,
        };
        wire::Device {
            fingerprint: self.fingerprint.clone(),
            algorithm: u32::try_from(self.algorithm).unwrap_or_default(),
            key: self.key.clone().into(),
            user_id: self.user_id.clone(),
            state: state.into(),
            first_seen_unix_ms: self.first_seen_ms,
            last_seen_unix_ms: self.last_seen_ms,
            this_one: self.key == this_one,
            label: self.source.clone(),
        }
    }

    fn change(self) -> Option<Change> {
        let user = UserId::parse(&self.user_id).ok()?;
        let key = self.key.into();
        let algorithm = u8::try_from(self.algorithm).ok()?;
        Some(match self.state {
            TRUSTED => Change::Trusted(TrustedDevice {
                user,
                algorithm,
                key,
                source: source(&self.source)?,
                expires_at: self.expires_at.and_then(|at| u64::try_from(at).ok()),
            }),
            WAITING => Change::Waiting(WaitingDevice {
                user,
                algorithm,
                key,
            }),
            REMOVED => Change::Removed { user, key },
            _ => return None,
        })
    }
}

/// Keeps what the brain wants kept. Computes fingerprints, so it takes its time. Blocks.
///
/// # Errors
///
/// Logged already; nothing was kept.
pub fn keep(
    connection: &mut SqliteConnection,
    changes: Vec<Change>,
    now_ms: i64,
) -> Result<(), StoreError> {
    connection.immediate_transaction(|connection| {
        changes
            .into_iter()
            .try_for_each(|change| keep_one(connection, change, now_ms))
    })
}

/// Everything that was kept, for the brain to hear again.
///
/// # Errors
///
/// Logged already.
pub fn changes(connection: &mut SqliteConnection) -> Result<Vec<Change>, StoreError> {
    let mut changes: Vec<Change> = all(connection)?
        .into_iter()
        .filter_map(KeptDevice::change)
        .collect();
    let granted: Vec<(String, String, i32, i64)> = grants::table.load(connection)?;
    changes.extend(granted.into_iter().filter_map(grant));
    let risen: Vec<(String, Vec<u8>, String, i64)> = serials::table.load(connection)?;
    changes.extend(risen.into_iter().filter_map(serial));
    Ok(changes)
}

/// All devices, removed ones included, the oldest first.
///
/// # Errors
///
/// Logged already.
pub fn all(connection: &mut SqliteConnection) -> Result<Vec<KeptDevice>, StoreError> {
    Ok(devices::table
        .order((devices::first_seen_ms, devices::key))
        .load(connection)?)
}

/// A device was here.
///
/// # Errors
///
/// Logged already.
pub fn touch(
    connection: &mut SqliteConnection,
    user: &str,
    key: &[u8],
    now_ms: i64,
) -> Result<(), StoreError> {
    diesel::update(devices::table.find((user, key)))
        .set(devices::last_seen_ms.eq(now_ms))
        .execute(connection)?;
    Ok(())
}

/// Forgets devices that have waited in vain since before `seen_before_ms`, so that the places of
/// those who wait cannot be taken for good. Gives how many.
///
/// # Errors
///
/// Logged already.
pub fn forget_waiting(
    connection: &mut SqliteConnection,
    seen_before_ms: i64,
) -> Result<usize, StoreError> {
    let waiting = devices::state
        .eq(WAITING)
        .and(devices::last_seen_ms.lt(seen_before_ms));
    Ok(diesel::delete(devices::table.filter(waiting)).execute(connection)?)
}

/// Whether two public keys are one device's: the key of the post-quantum mode begins with that of
/// the classic one.
#[must_use]
pub fn is_same_device(one: &[u8], other: &[u8]) -> bool {
    let first = |key: &'_ [u8]| key.get(..CLASSIC_KEY).map(<[u8]>::to_vec);
    one == other || first(one).is_some_and(|head| first(other) == Some(head))
}

fn keep_one(
    connection: &mut SqliteConnection,
    change: Change,
    now_ms: i64,
) -> Result<(), StoreError> {
    match change {
        Change::Trusted(device) => {
            let TrustedDevice {
                user,
                algorithm,
                key,
                source,
                expires_at,
            } = device;
            let expires_at = expires_at.and_then(|at| i64::try_from(at).ok());
            let row = row(&user, &key, algorithm, TRUSTED, now_ms);
            put(
                connection,
                &KeptDevice {
                    source: label(source).to_owned(),
                    expires_at,
                    ..row
                },
            )
        }
        Change::Waiting(WaitingDevice {
            user,
            algorithm,
            key,
        }) => put(connection, &row(&user, &key, algorithm, WAITING, now_ms)),
        Change::Removed { user, key } => remove(connection, &user, &key, now_ms),
        Change::Granted(grant) => put_grant(connection, &grant),
        Change::Serial(of, serial) => put_serial(connection, &of, serial),
    }
}

fn row(user: &UserId, key: &[u8], algorithm: u8, state: i32, now_ms: i64) -> KeptDevice {
    KeptDevice {
        user_id: user.as_str().to_owned(),
        key: key.to_vec(),
        algorithm: algorithm.into(),
        state,
        source: String::new(),
        fingerprint: crypto::fingerprint(key),
        first_seen_ms: now_ms,
        last_seen_ms: now_ms,
        expires_at: None,
    }
}

fn put(connection: &mut SqliteConnection, device: &KeptDevice) -> Result<(), StoreError> {
    diesel::insert_into(devices::table)
        .values(device)
        .on_conflict((devices::user_id, devices::key))
        .do_update()
        .set((
            devices::state.eq(excluded(devices::state)),
            devices::source.eq(excluded(devices::source)),
            devices::last_seen_ms.eq(excluded(devices::last_seen_ms)),
            devices::expires_at.eq(excluded(devices::expires_at)),
        ))
        .execute(connection)?;
    Ok(())
}

fn remove(
    connection: &mut SqliteConnection,
    user: &UserId,
    key: &[u8],
    now_ms: i64,
) -> Result<(), StoreError> {
    let found = devices::table
        .find((user.as_str(), key))
        .first::<KeptDevice>(connection)
        .optional()?;
    let algorithm = found
        .and_then(|device| u8::try_from(device.algorithm).ok())
        .unwrap_or_default();
    put(connection, &row(user, key, algorithm, REMOVED, now_ms))
}

fn put_grant(connection: &mut SqliteConnection, grant: &Grant) -> Result<(), StoreError> {
    let expires_at = i64::try_from(grant.expires_at).unwrap_or(i64::MAX);
    diesel::replace_into(grants::table)
        .values((
            grants::user_id.eq(grant.user.as_str()),
            grants::workspace_id.eq(grant.workspace.as_str()),
            grants::role.eq(i32::from(grant.role)),
            grants::expires_at.eq(expires_at),
        ))
        .execute(connection)?;
    Ok(())
}

fn put_serial(
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

fn grant((user, workspace, role, expires_at): (String, String, i32, i64)) -> Option<Change> {
    Some(Change::Granted(Grant {
        user: UserId::parse(&user).ok()?,
        workspace: WorkspaceId::parse(&workspace).ok()?,
        role: wire::Role::try_from(role).ok()?,
        expires_at: u64::try_from(expires_at).ok()?,
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

/// An Ed25519 public key.
const CLASSIC_KEY: usize = 32;

const SOURCES: [(Source, &str); 6] = [
    (Source::Registration, "registration"),
    (Source::FirstUse, "first use"),
    (Source::Approved, "approved"),
    (Source::Local, "local command line"),
    (Source::Certificate, "certificate"),
    (Source::Grant, "grant"),
];

fn label(source: Source) -> &'static str {
    SOURCES
        .iter()
        .find(|(known, _)| *known == source)
        .map_or("", |(_, label)| label)
}

fn source(label: &str) -> Option<Source> {
    SOURCES
        .iter()
        .find(|(_, known)| *known == label)
        .map(|(source, _)| *source)
}
