//! The Worker's devices: the trust brain, what it wants kept, and who has to hear of changes.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use channel_actors::{
    endpoint::{
        ClaimedDevice,
        trust::{Change, Policy, Source, Trust, TrustedDevice, Verdict},
    },
    limits::Limits,
};
use crypto::Algorithm;
use schema::{
    ids::{UserId, WorkerId},
    wire,
};
use tokio::{sync::watch, time};

use crate::{
    clock, private_file,
    store::{
        self, Store, StoreError,
        devices::{self, REMOVED},
    },
};

/// What a device book is made with.
pub(crate) struct BookParts {
    pub(crate) store: Store,
    pub(crate) policy: Policy,
    pub(crate) worker: WorkerId,
    pub(crate) owner: UserId,
    pub(crate) first_use: bool,
    pub(crate) local_device_file: Option<PathBuf>,
}

/// Shared by all channels. The brain is read and changed under a short lock; what it wants kept
/// is written before anybody acts on it.
#[derive(Clone)]
pub(crate) struct DeviceBook(Arc<Inner>);

struct Inner {
    parts: BookParts,
    trust: Mutex<Trust>,
    changed: watch::Sender<u64>,
}

/// A claim's verdict, and the device's words for whoever is refused.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) fingerprint: String,
}

impl DeviceBook {
    /// Reads what is kept. Blocks.
    pub(crate) fn open(parts: BookParts) -> Result<Self, StoreError> {
        let trust = read(&parts)?;
        let (changed, _) = watch::channel(0);
        Ok(Self(Arc::new(Inner {
            parts,
            trust: Mutex::new(trust),
            changed,
        })))
    }

    pub(crate) fn owner(&self) -> &UserId {
        &self.0.parts.owner
    }

    /// Judges a claim. What it changed is kept when this comes back.
    pub(crate) async fn judge(&self, claimed: ClaimedDevice) -> Result<Judged, StoreError> {
        let book = self.clone();
        let judging = tokio::task::spawn_blocking(move || book.judge_here(&claimed)).await;
        judging.unwrap_or(Err(StoreError::Query))
    }

    /// Whether a channel of this device may go on.
    pub(crate) fn still_trusts(&self, user: &UserId, algorithm: u8, key: &[u8]) -> bool {
        self.trust()
            .still_trusts(user, algorithm, key, clock::unix_seconds())
    }

    /// All devices but the removed ones.
    pub(crate) async fn list(&self, this_one: Bytes) -> Result<wire::DeviceList, StoreError> {
        let devices = self.0.parts.store.run(devices::all).await?;
        let here = devices.iter().filter(|device| device.state != REMOVED);
        Ok(wire::DeviceList {
            devices: here.map(|device| device.shown(&this_one)).collect(),
        })
    }

    /// A person approves a device that waits. False = none with that key does.
    pub(crate) async fn approve(&self, key: Bytes) -> Result<bool, StoreError> {
        let waiting = self
            .trust()
            .waiting()
            .find(|device| device.key == key)
            .cloned();
        let Some(device) = waiting else {
            return Ok(false);
        };
        let changes = self
            .trust()
            .approve(device.user, device.algorithm, device.key);
        self.keep(changes).await?;
        Ok(true)
    }

    /// A person removes a device. False = there is none with that key.
    pub(crate) async fn remove(&self, key: Bytes) -> Result<bool, StoreError> {
        let changes: Vec<Change> = {
            let mut trust = self.trust();
            let trusted = trust
                .devices()
                .map(|device| (device.user.clone(), device.key.clone()));
            let waiting = trust
                .waiting()
                .map(|device| (device.user.clone(), device.key.clone()));
            let same = |(_, other): &(UserId, Bytes)| devices::is_same_device(other, &key);
            let found: Vec<_> = trusted.chain(waiting).filter(same).collect();
            found
                .into_iter()
                .flat_map(|(user, key)| trust.remove(user, key))
                .collect()
        };
        let found = !changes.is_empty();
        self.keep(changes).await?;
        Ok(found)
    }

    /// Rises whenever a device may be trusted no more, or a list would read differently.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Looks for changes made beside this process, and for what has expired. Ends never.
    pub(crate) async fn follow(self, every: Duration) {
        let mut rounds = time::interval(every);
        rounds.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut seen = None;
        loop {
            rounds.tick().await;
            let stale = clock::unix_ms() - WAITING_MS;
            let looking = self.0.parts.store.run(move |connection| {
                let forgotten = devices::forget_waiting(connection, stale)?;
                Ok((store::foreign_writes(connection)?, forgotten))
            });
            // A failing query is logged where it fails, and the next round tries again.
            let Ok((version, forgotten)) = looking.await else {
                continue;
            };
            let moved = forgotten > 0 || seen.is_some_and(|seen| seen != version);
            seen = Some(version);
            if moved {
                let book = self.clone();
                // As above.
                let _ = tokio::task::spawn_blocking(move || book.reread()).await;
            }
            if moved || self.something_expired() {
                self.tell();
            }
        }
    }

    fn judge_here(&self, claimed: &ClaimedDevice) -> Result<Judged, StoreError> {
        let now_ms = clock::unix_ms();
        let mut changes = self.local_device(claimed);
        changes.extend(self.other_half(claimed));
        let verdict = {
            let mut trust = self.trust();
            changes
                .iter()
                .for_each(|change| trust.replay(change.clone()));
            let judgement = trust.judge(claimed, clock::unix_seconds());
            changes.extend(judgement.changes);
            judgement.verdict
        };
        let told = !changes.is_empty();
        let (user, key) = (claimed.user.clone(), claimed.key.clone());
        self.0.parts.store.run_here(move |connection| {
            devices::keep(connection, changes, now_ms)?;
            devices::touch(connection, user.as_str(), &key, now_ms)
        })?;
        if told {
            self.tell();
        }
        Ok(Judged {
            verdict,
            fingerprint: crypto::fingerprint(&claimed.key),
        })
    }

    /// The command line of this machine's same user is trusted, and uses up nobody's first use.
    fn local_device(&self, claimed: &ClaimedDevice) -> Vec<Change> {
        let file = self.0.parts.local_device_file.as_ref();
        let named = file.is_some_and(|file| names(file, &claimed.key));
        let known = self.still_trusts(&claimed.user, claimed.algorithm, &claimed.key);
        if !named || known || claimed.user != *self.owner() {
            return Vec::new();
        }
        vec![Change::Trusted(TrustedDevice {
            user: claimed.user.clone(),
            algorithm: claimed.algorithm,
            key: claimed.key.clone(),
            source: Source::Local,
            expires_at: None,
        })]
    }

    /// A device that is trusted by its post-quantum key may claim by its classic one, which is a
    /// part of that; whether the mode may be weaker is its user's to say. Not the other way
    /// round: nobody vouched for the other half.
    fn other_half(&self, claimed: &ClaimedDevice) -> Option<Change> {
        if claimed.algorithm != Algorithm::Ed25519.byte()
            || self.still_trusts(&claimed.user, claimed.algorithm, &claimed.key)
        {
            return None;
        }
        let now = clock::unix_seconds();
        let trust = self.trust();
        let mut whole = trust.devices().filter(|device| {
            device.user == claimed.user
                && device.algorithm == Algorithm::Ed25519MlDsa65.byte()
                && device.key.starts_with(&claimed.key)
                && device.expires_at.is_none_or(|until| until > now)
        });
        let whole = whole.next()?.clone();
        let (algorithm, key) = (claimed.algorithm, claimed.key.clone());
        Some(Change::Trusted(TrustedDevice {
            algorithm,
            key,
            ..whole
        }))
    }

    async fn keep(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let now = clock::unix_ms();
        let kept = self
            .0
            .parts
            .store
            .run(move |connection| devices::keep(connection, changes, now));
        let kept = kept.await;
        self.tell();
        kept
    }

    fn reread(&self) -> Result<(), StoreError> {
        *self.trust() = read(&self.0.parts)?;
        Ok(())
    }

    fn something_expired(&self) -> bool {
        let now = clock::unix_seconds();
        let recent = now.saturating_sub(RECENTLY_SECONDS)..=now;
        self.trust()
            .devices()
            .any(|device| device.expires_at.is_some_and(|at| recent.contains(&at)))
    }

    fn tell(&self) {
        self.0.changed.send_modify(|count| *count += 1);
    }

    fn trust(&self) -> MutexGuard<'_, Trust> {
        self.0.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(parts: &BookParts) -> Result<Trust, StoreError> {
    let (worker, owner) = (parts.worker.clone(), parts.owner.clone());
    let mut trust = Trust::new(
        parts.policy,
        worker,
        owner,
        parts.first_use,
        &Limits::default(),
    );
    let changes = parts.store.run_here(devices::changes)?;
    changes.into_iter().for_each(|change| trust.replay(change));
    Ok(trust)
}

/// Whether the file names the key. A file that others may write names nothing.
fn names(file: &Path, key: &[u8]) -> bool {
    let content = match private_file::read_public(file, LOCAL_FILE_MAX) {
        Ok(content) => content.unwrap_or_default(),
        Err(unfit) => {
            tracing::warn!(%unfit, "the file of the local command line's device is not used");
            return false;
        }
    };
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = std::str::from_utf8(&content).unwrap_or_default();
    text.lines()
        .any(|line| line.trim().eq_ignore_ascii_case(&hex))
}

/// How long a device may wait without showing itself again: an hour.
const WAITING_MS: i64 = 60 * 60 * 1000;
/// Two keys in hex: 32 and 1,984 bytes.
const LOCAL_FILE_MAX: u64 = 16 << 10;
/// An expiry is noticed by the first round after it; this is some rounds.
const RECENTLY_SECONDS: u64 = 3;
