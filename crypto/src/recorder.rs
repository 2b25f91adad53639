//! Debug builds only: a witness that no key and counter seal two different frames.
//!
//! A second use would give away the XOR of two plaintexts and the key of their tags. No method of a
//! [`Sealer`](crate::Sealer) leads there; what would is a copy of its state: of a process, a machine
//! or a file. So every seal of a process that was built for tests is noted, whichever channel,
//! thread or epoch it is of, and the second of two that differ panics. Sealing the very same frame
//! once more gives the very same bytes and tells nobody anything.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{LazyLock, Mutex, PoisonError},
};

static RECORDER: LazyLock<Mutex<Recorder>> = LazyLock::new(Mutex::default);

/// Notes a seal.
///
/// # Panics
///
/// When this key has sealed another frame under this counter, or a later one and forgotten what
/// was in this one.
pub(crate) fn note(key: &[u8], counter: u64, associated_data: &[u8], plaintext: &[u8]) {
    let fresh = {
        let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.note(key, counter, (associated_data, plaintext))
    };
    assert!(fresh, "a key has sealed two frames under one counter");
}

/// What was sealed lately, by a hash of the key that is good in this process alone.
#[derive(Default)]
struct Recorder {
    hasher: RandomState,
    keys: BTreeMap<u64, Seals>,
    /// The keys in the order of their first use; the oldest is forgotten.
    order: VecDeque<u64>,
}

#[derive(Default)]
struct Seals {
    /// Above all that were used.
    next: u64,
    /// The newest counters, with hashes of what they sealed.
    recent: VecDeque<(u64, u64)>,
}

impl Recorder {
    /// False if it must not be.
    fn note(&mut self, key: &[u8], counter: u64, frame: (&[u8], &[u8])) -> bool {
        let (key, frame) = (self.hasher.hash_one(key), self.hasher.hash_one(frame));
        if !self.keys.contains_key(&key) {
            self.begin(key);
        }
        let seals = self.keys.entry(key).or_default();
        if counter < seals.next {
            return seals.recent.contains(&(counter, frame));
        }
        seals.next = counter + 1;
        seals.recent.push_back((counter, frame));
        if seals.recent.len() > RECENT {
            seals.recent.pop_front();
        }
        true
    }

    fn begin(&mut self, key: u64) {
        self.order.push_back(key);
        if self.order.len() > KEYS
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

/// Keys that are remembered, and frames of each: 4 MiB + 16,384 * 64 * 16 bytes = 20 MiB at most.
const KEYS: usize = 16_384;
const RECENT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_never_comes_back_with_another_frame() {
        let mut recorder = Recorder::default();
        let frame = |text: &'static [u8]| (&b"header"[..], text);
        assert!(recorder.note(b"key", 0, frame(b"a")));
        assert!(recorder.note(b"key", 1, frame(b"b")));
        assert!(recorder.note(b"another key", 0, frame(b"c")));
        assert!(!recorder.note(b"key", 0, frame(b"c")));
        assert!(!recorder.note(b"key", 1, (b"another header", b"b")));
        assert!(recorder.note(b"key", 1, frame(b"b")), "the very same");
        assert!(recorder.note(b"key", 9, frame(b"d")));
        assert!(!recorder.note(b"key", 5, frame(b"e")), "it goes up");
    }

    #[test]
    fn the_memory_of_it_is_bounded() {
        let mut recorder = Recorder::default();
        for key in 0..2 * KEYS {
            assert!(recorder.note(&key.to_be_bytes(), 0, (b"", b"")));
        }
        for counter in 0..2 * RECENT as u64 {
            assert!(recorder.note(b"key", counter, (b"", b"")));
        }
        assert_eq!((recorder.keys.len(), recorder.order.len()), (KEYS, KEYS));
        assert!(recorder.keys.values().all(|it| it.recent.len() <= RECENT));
    }
}
