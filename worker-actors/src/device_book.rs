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
        trust::{Change, Policy, Source, Standing, Trust, TrustedDevice, Verdict, WaitingDevice},
    },
    limits::Limits,
};
use crypto::{Algorithm, Mode};
use prost::Message as _;
use schema::{
    ids::{UserId, WorkerId},
    wire,
};
use tokio::{sync::watch, time};

use crate::{
    clock,
    delegation::guests::{Guest, Guests, NoPlace},
    private_file,
    store::{
        self, Store, StoreError,
        devices::{self, REMOVED},
    },
    words::Words,
};

/// What a device book is made with.
pub(crate) struct BookParts {
    pub(crate) store: Store,
    pub(crate) policy: Policy,
    pub(crate) mode: Mode,
    pub(crate) worker: WorkerId,
    pub(crate) owner: UserId,
    pub(crate) first_use: bool,
    pub(crate) local_device_file: Option<PathBuf>,
}

/// Shared by all channels. The brain is read under a short lock. Whoever changes it holds a second
/// one until the change is kept, so that nobody replaces the brain by an older state meanwhile.
#[derive(Clone)]
pub(crate) struct DeviceBook(Arc<Inner>);

struct Inner {
    parts: BookParts,
    trust: Mutex<Trust>,
    guests: Mutex<Guests>,
    changing: Mutex<()>,
    words: Words,
    changed: watch::Sender<u64>,
}

/// A claim's verdict, and the device's words for whoever is refused.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) fingerprint: String,
}

/// Whether a person's word on a device could be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// It was.
    Done,
    /// There is no such device.
    Unknown,
    /// Several users have a device with that key: it has to be said whose is meant.
    Ambiguous,
}

impl DeviceBook {
    /// Reads what is kept. Blocks.
    pub(crate) fn open(parts: BookParts) -> Result<Self, StoreError> {
        let trust = read(&parts)?;
        let (changed, _) = watch::channel(0);
        Ok(Self(Arc::new(Inner {
            parts,
            trust: Mutex::new(trust),
            guests: Mutex::default(),
            changing: Mutex::new(()),
            words: Words::default(),
            changed,
        })))
    }

    pub(crate) fn owner(&self) -> &UserId {
        &self.0.parts.owner
    }

    /// Judges a claim. What it changed is kept when this comes back.
    pub(crate) async fn judge(&self, claimed: ClaimedDevice) -> Result<Judged, StoreError> {
        let key = claimed.key.clone();
        if claimed.delegated || self.is_guest(&claimed) {
            return Ok(self.judge_guest(&claimed).await);
        }
        if self.standing(&claimed).is_none() {
            // Its words will be stored or shown; nobody waits for them under a lock.
            self.0.words.of(&key).await;
        }
        let book = self.clone();
        let judging = tokio::task::spawn_blocking(move || book.judge_here(&claimed)).await;
        let verdict = judging.unwrap_or(Err(StoreError::Query))?;
        let fingerprint = match verdict {
            Verdict::Trusted { .. } => String::new(),
            Verdict::Waiting | Verdict::Unknown => self.0.words.of(&key).await,
        };
        Ok(Judged {
            verdict,
            fingerprint,
        })
    }

    /// What a channel of this device rests on; none when it may not go on.
    pub(crate) fn standing(&self, device: &ClaimedDevice) -> Option<Standing> {
        if device.delegated {
            return self.guests_standing(device);
        }
        let trust = self.trust();
        if is_removed(&trust, &device.user, &device.key) {
            return None;
        }
        let now = clock::unix_seconds();
        trust.standing(&device.user, device.algorithm, &device.key, now)
    }

    /// Trusts the key of a program that the Worker started.
    pub(crate) fn admit_guest(
        &self,
        user: UserId,
        key: Bytes,
        guest: Guest,
    ) -> Result<(), NoPlace> {
        self.guests().admit(user, key, guest)
    }

    /// Trusts it no more.
    pub(crate) fn dismiss_guest(&self, user: &UserId, key: &Bytes) {
        self.guests().dismiss(user, key);
        self.tell();
    }

    /// All devices but the removed ones.
    pub(crate) async fn list(&self, this_one: Bytes) -> Result<wire::DeviceList, StoreError> {
        let devices = self.0.parts.store.run(devices::all).await?;
        let here = devices.iter().filter(|device| device.state != REMOVED);
        Ok(shortened(
            here.map(|device| device.shown(&this_one)).collect(),
        ))
    }

    /// A person approves a device that waits. Without a user the key has to be one user's only:
    /// whoever has seen a key can show it under another name.
    pub(crate) async fn approve(
        &self,
        user: Option<UserId>,
        key: Bytes,
    ) -> Result<Followed, StoreError> {
        self.change(move |trust| {
            let waits = |device: &&WaitingDevice| {
                device.key == key && user.as_ref().is_none_or(|user| *user == device.user)
            };
            let found: Vec<WaitingDevice> = trust.waiting().filter(waits).cloned().collect();
            match <[WaitingDevice; 1]>::try_from(found) {
                Ok([device]) => {
                    let changes = trust.approve(device.user, device.algorithm, device.key);
                    (Followed::Done, changes)
                }
                Err(found) if found.is_empty() => (Followed::Unknown, Vec::new()),
                Err(_) => (Followed::Ambiguous, Vec::new()),
            }
        })
        .await
    }

    /// A person removes a device: all users' with that key, or one's.
    pub(crate) async fn remove(
        &self,
        user: Option<UserId>,
        key: Bytes,
    ) -> Result<Followed, StoreError> {
        self.change(move |trust| {
            let trusted = trust
                .devices()
                .map(|device| (device.user.clone(), device.key.clone()));
            let waiting = trust
                .waiting()
                .map(|device| (device.user.clone(), device.key.clone()));
            let same = |(whose, other): &(UserId, Bytes)| {
                devices::is_same_device(other, &key)
                    && user.as_ref().is_none_or(|user| user == whose)
            };
            let found: Vec<_> = trusted.chain(waiting).filter(same).collect();
            let followed = if found.is_empty() {
                Followed::Unknown
            } else {
                Followed::Done
            };
            let removed = found
                .into_iter()
                .flat_map(|(user, key)| trust.remove(user, key));
            (followed, removed.collect())
        })
        .await
    }

    /// The Hub announces what was signed, for whomever.
    pub(crate) async fn heed(&self, certificates: Vec<wire::Signed>) -> Result<(), StoreError> {
        let mode = self.0.parts.mode;
        self.change(move |trust| {
            let now = clock::unix_seconds();
            ((), trust.heed(mode, &certificates, now))
        })
        .await
    }

    /// Rises whenever a device may be trusted no more, or a list would read differently.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Looks for changes made beside this process, and for what has expired. Ends never.
    pub(crate) async fn follow(self, every: Duration) {
        let mut rounds = time::interval(every);
        rounds.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let (mut seen, mut looked) = (None, clock::unix_seconds());
        loop {
            rounds.tick().await;
            let now = clock::unix_seconds();
            let guests = self.guests().expired_between(looked, now);
            if guests || self.trust().expired_between(looked, now) {
                self.tell();
            }
            looked = now;
            let stale = clock::unix_ms() - WAITING_MS;
            let lapsed = i64::try_from(now).unwrap_or(i64::MAX) - LAPSED_S;
            let looking = self.0.parts.store.run(move |connection| {
                let forgotten = devices::forget_waiting(connection, stale)?
                    + devices::forget_expired(connection, lapsed)?;
                Ok((store::foreign_writes(connection)?, forgotten))
            });
            // A failing query is logged where it fails, and the next round tries again.
            let Ok((version, forgotten)) = looking.await else {
                continue;
            };
            // In the first round too: something may have been written since it was read.
            let moved = forgotten > 0 || seen != Some(version);
            if moved {
                let book = self.clone();
                let reading = tokio::task::spawn_blocking(move || book.reread());
                if !matches!(reading.await, Ok(Ok(()))) {
                    continue;
                }
            }
            seen = Some(version);
        }
    }

    fn is_guest(&self, claimed: &ClaimedDevice) -> bool {
        let now = clock::unix_seconds();
        let guests = self.guests();
        guests.find(&claimed.user, &claimed.key, now).is_some()
    }

    /// The key of a program and a channel that stands with a delegation belong together: the one
    /// without the other is believed nothing, and nothing of it is kept.
    async fn judge_guest(&self, claimed: &ClaimedDevice) -> Judged {
        let standing = claimed.delegated.then(|| self.guests_standing(claimed));
        match standing.flatten() {
            Some(Standing { cap, expires_at }) => Judged {
                verdict: Verdict::Trusted { cap, expires_at },
                fingerprint: String::new(),
            },
            None => Judged {
                verdict: Verdict::Unknown,
                fingerprint: self.0.words.of(&claimed.key).await,
            },
        }
    }

    fn guests_standing(&self, claimed: &ClaimedDevice) -> Option<Standing> {
        let now = clock::unix_seconds();
        let guest = self
            .guests()
            .find(&claimed.user, &claimed.key, now)?
            .clone();
        let granted = self.trust().granted(&claimed.user, now);
        Some(Standing {
            cap: Some(guest.cap(granted.as_ref())?),
            expires_at: Some(guest.expires_at),
        })
    }

    fn judge_here(&self, claimed: &ClaimedDevice) -> Result<Verdict, StoreError> {
        let now_ms = clock::unix_ms();
        let named = claimed.user == *self.owner() && self.is_local(&claimed.key);
        let (verdict, changes) = self.change_here(|trust| {
            let now = clock::unix_seconds();
            if is_removed(trust, &claimed.user, &claimed.key) {
                return (Verdict::Unknown, Vec::new());
            }
            let known = |trust: &Trust| {
                trust.still_trusts(&claimed.user, claimed.algorithm, &claimed.key, now)
            };
            let mut changes = Vec::new();
            if named && !known(trust) {
                changes.push(local_device(claimed));
            } else if !known(trust) {
                changes.extend(other_half(trust, claimed, now));
            }
            changes
                .iter()
                .for_each(|change| trust.replay(change.clone()));
            let judgement = trust.judge(claimed, now);
            changes.extend(judgement.changes);
            (judgement.verdict, changes)
        })?;
        let (user, key) = (claimed.user.clone(), claimed.key.clone());
        self.0
            .parts
            .store
            .run_here(move |connection| devices::touch(connection, user.as_str(), &key, now_ms))?;
        if changes {
            self.tell();
        }
        Ok(verdict)
    }

    /// Whether the key is that of the same user's command line on this machine. It is trusted,
    /// and uses up nobody's first use.
    fn is_local(&self, key: &[u8]) -> bool {
        let file = self.0.parts.local_device_file.as_ref();
        file.is_some_and(|file| names(file, key))
    }

    /// Changes the brain, keeps what it changed, and tells whom it concerns.
    async fn change<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Trust) -> (T, Vec<Change>) + Send + 'static,
    ) -> Result<T, StoreError> {
        let book = self.clone();
        // Once begun it is carried out, whoever stops waiting for it.
        let changing = tokio::task::spawn_blocking(move || {
            let (done, changes) = book.change_here(act)?;
            if changes {
                book.tell();
            }
            Ok(done)
        });
        changing.await.unwrap_or(Err(StoreError::Query))
    }

    /// Gives what came of it, and whether there was anything to keep. What cannot be kept has not
    /// happened. Blocks.
    fn change_here<T>(
        &self,
        act: impl FnOnce(&mut Trust) -> (T, Vec<Change>),
    ) -> Result<(T, bool), StoreError> {
        let _changing = self
            .0
            .changing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (done, changes) = act(&mut self.trust());
        if changes.is_empty() {
            return Ok((done, false));
        }
        let words = |key: &[u8]| self.0.words.here(key);
        let now = clock::unix_ms();
        let kept = self
            .0
            .parts
            .store
            .run_here(|connection| devices::keep(connection, changes, &words, now));
        if let Err(error) = kept {
            *self.trust() = read(&self.0.parts)?;
            return Err(error);
        }
        Ok((done, true))
    }

    fn reread(&self) -> Result<(), StoreError> {
        let _changing = self
            .0
            .changing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *self.trust() = read(&self.0.parts)?;
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        self.0.changed.send_modify(|count| *count += 1);
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.0.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trust(&self) -> MutexGuard<'_, Trust> {
        self.0.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As much as one message holds, in order. Those that wait for a person have the first claim to it.
fn shortened(devices: Vec<wire::Device>) -> wire::DeviceList {
    let all = devices.len();
    let mut room = LIST_BYTES;
    let mut fits = |device: &wire::Device| {
        let left = room.checked_sub(device.encoded_len() + 8);
        room = left.unwrap_or(room);
        left.is_some()
    };
    let waits = |device: &wire::Device| device.state() == wire::DeviceState::Waiting;
    let waiting: Vec<bool> = devices.iter().map(|one| waits(one) && fits(one)).collect();
    let shown = devices.into_iter().zip(waiting);
    let devices: Vec<_> = shown
        .filter(|(device, waiting)| *waiting || (!waits(device) && fits(device)))
        .map(|(device, _)| device)
        .collect();
    let omitted = u32::try_from(all - devices.len()).unwrap_or(u32::MAX);
    wire::DeviceList { devices, omitted }
}

/// A device has one key a mode. Who was removed by one of them does not come back by the other.
fn is_removed(trust: &Trust, user: &UserId, key: &[u8]) -> bool {
    let mut removed = trust.removed();
    removed.any(|(whose, which)| whose == user && devices::is_same_device(which, key))
}

fn local_device(claimed: &ClaimedDevice) -> Change {
    Change::Trusted(TrustedDevice {
        user: claimed.user.clone(),
        algorithm: claimed.algorithm,
        key: claimed.key.clone(),
        source: Source::Local,
        expires_at: None,
        signer: None,
    })
}

/// A device that is trusted by its post-quantum key may claim by its classic one, which is a part
/// of that; whether the mode may be weaker is its user's to say. Not the other way round: nobody
/// vouched for the other half.
fn other_half(trust: &Trust, claimed: &ClaimedDevice, now: u64) -> Option<Change> {
    if claimed.algorithm != Algorithm::Ed25519.byte() {
        return None;
    }
    let mut whole = trust.devices().filter(|device| {
        let algorithm = Algorithm::Ed25519MlDsa65.byte();
        device.user == claimed.user
            && device.algorithm == algorithm
            && device.key.starts_with(&claimed.key)
            && trust.still_trusts(&device.user, algorithm, &device.key, now)
    });
    let whole = whole.next()?.clone();
    Some(Change::Trusted(TrustedDevice {
        algorithm: claimed.algorithm,
        key: claimed.key.clone(),
        ..whole
    }))
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
/// How long an expired device is remembered: a certificate that is late may still renew it.
const LAPSED_S: i64 = 24 * 60 * 60;
/// Of a list of devices: less than a stream's message (docs/protocol.md, section 7).
const LIST_BYTES: usize = 200 << 10;
/// Two keys in hex: 32 and 1,984 bytes.
const LOCAL_FILE_MAX: u64 = 16 << 10;

#[cfg(test)]
#[path = "device_book_tests.rs"]
mod tests;
