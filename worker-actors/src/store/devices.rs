//! Devices, grants and serials: what the trust brain wants kept, and what it is given back.

use channel_actors::endpoint::trust::{Change, Source, TrustedDevice, WaitingDevice};
use diesel::{prelude::*, upsert::excluded};
use schema::{ids::UserId, wire};

use super::{StoreError, grants, tables::devices};

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
    /// The key of the device that signed for it, if one did.
    pub signer: Option<Vec<u8>>,
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
                signer: self.signer.map(Into::into),
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

/// Keeps what the brain wants kept. `words` gives the fingerprint of a key; where that is to be
/// computed it takes its time, and the database waits for it. Blocks.
///
/// # Errors
///
/// Logged already; nothing was kept.
pub fn keep(
    connection: &mut SqliteConnection,
    changes: Vec<Change>,
    words: &dyn Fn(&[u8]) -> String,
    now_ms: i64,
) -> Result<(), StoreError> {
    connection.immediate_transaction(|connection| {
        changes
            .into_iter()
            .try_for_each(|change| keep_one(connection, change, words, now_ms))
    })
}

/// Everything that was kept, for the brain to hear again. Removals come last: they take with them
/// what the removed device has signed.
///
/// # Errors
///
/// Logged already.
pub fn changes(connection: &mut SqliteConnection) -> Result<Vec<Change>, StoreError> {
    let all = all(connection)?;
    let (removed, here): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|device| device.state == REMOVED);
    let mut changes: Vec<Change> = here.into_iter().filter_map(KeptDevice::change).collect();
    changes.extend(grants::changes(connection)?);
    changes.extend(removed.into_iter().filter_map(KeptDevice::change));
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

/// Forgets devices that were trusted by a certificate or a grant until before `expired_before`, in Unix
/// seconds: anybody's device can sign for many. Gives how many.
///
/// # Errors
///
/// Logged already.
pub fn forget_expired(
    connection: &mut SqliteConnection,
    expired_before: i64,
) -> Result<usize, StoreError> {
    let expired = devices::state
        .eq(TRUSTED)
        .and(devices::source.eq_any([label(Source::Certificate), label(Source::Grant)]))
        .and(devices::expires_at.lt(expired_before));
    Ok(diesel::delete(devices::table.filter(expired)).execute(connection)?)
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
    words: &dyn Fn(&[u8]) -> String,
    now_ms: i64,
) -> Result<(), StoreError> {
    match change {
        Change::Trusted(device) => {
            let known = find(connection, &device.user, &device.key)?;
            put(connection, &trusted(device, known, words, now_ms))
        }
        Change::Waiting(WaitingDevice {
            user,
            algorithm,
            key,
        }) => {
            let known = find(connection, &user, &key)?;
            let row = row(&user, &key, known, words, now_ms);
            let algorithm = algorithm.into();
            put(
                connection,
                &KeptDevice {
                    state: WAITING,
                    algorithm,
                    ..row
                },
            )
        }
        Change::Removed { user, key } => {
            let known = find(connection, &user, &key)?;
            let row = row(&user, &key, known, words, now_ms);
            put(
                connection,
                &KeptDevice {
                    state: REMOVED,
                    ..row
                },
            )?;
            grants::forget_signed(connection, user.as_str(), &key)
        }
        Change::Granted(grant) => grants::put(connection, &grant),
        Change::Serial(of, serial) => grants::put_serial(connection, &of, serial),
    }
}

fn trusted(
    device: TrustedDevice,
    known: Option<KeptDevice>,
    words: &dyn Fn(&[u8]) -> String,
    now_ms: i64,
) -> KeptDevice {
    let TrustedDevice {
        user,
        algorithm,
        key,
        source,
        expires_at,
        signer,
    } = device;
    KeptDevice {
        algorithm: algorithm.into(),
        state: TRUSTED,
        source: label(source).to_owned(),
        expires_at: expires_at.and_then(|at| i64::try_from(at).ok()),
        signer: signer.map(|key| key.to_vec()),
        ..row(&user, &key, known, words, now_ms)
    }
}

/// The row of a device without what makes it trusted. Words that are known are not computed again.
fn row(
    user: &UserId,
    key: &[u8],
    known: Option<KeptDevice>,
    words: &dyn Fn(&[u8]) -> String,
    now_ms: i64,
) -> KeptDevice {
    let (algorithm, fingerprint) = match known {
        Some(known) => (known.algorithm, known.fingerprint),
        None => (0, words(key)),
    };
    KeptDevice {
        user_id: user.as_str().to_owned(),
        key: key.to_vec(),
        algorithm,
        state: WAITING,
        source: String::new(),
        fingerprint,
        first_seen_ms: now_ms,
        last_seen_ms: now_ms,
        expires_at: None,
        signer: None,
    }
}

fn find(
    connection: &mut SqliteConnection,
    user: &UserId,
    key: &[u8],
) -> Result<Option<KeptDevice>, StoreError> {
    let found = devices::table.find((user.as_str(), key));
    Ok(found.first(connection).optional()?)
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
            devices::signer.eq(excluded(devices::signer)),
        ))
        .execute(connection)?;
    Ok(())
}

/// An Ed25519 public key.
const CLASSIC_KEY: usize = 32;

const SOURCES: [(Source, &str); 6] = [
    (Source::Registration, "registration"),
    (Source::FirstUse, "first use"),
    (Source::Approved, "approved"),
    (Source::Local, "local command line"),
    (Source::Certificate, "certificate"),
    (Source::Grant, GRANT),
];

/// The label of a device that rests on grants.
pub(super) const GRANT: &str = "grant";

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
