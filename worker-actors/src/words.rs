//! The four words of keys. Computing them takes 19 MiB and tens of milliseconds: one at a time,
//! and what was computed is remembered for a while.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Semaphore;

/// Remembers the words of the newest keys.
#[derive(Debug)]
pub(crate) struct Words {
    known: Mutex<VecDeque<(Bytes, String)>>,
    turn: Semaphore,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }
}

impl Words {
    /// The words of a key; who comes while others are computed waits without a thread.
    pub(crate) async fn of(&self, key: &Bytes) -> String {
        if let Some(words) = self.known(key) {
            return words;
        }
        // It is never closed.
        let _turn = self.turn.acquire().await;
        if let Some(words) = self.known(key) {
            return words;
        }
        let (at, computed) = (key.clone(), key.clone());
        let words = tokio::task::spawn_blocking(move || crypto::fingerprint(&computed)).await;
        let words = words.unwrap_or_default();
        self.remember(at, words.clone());
        words
    }

    /// The same, computed on this thread where they are not known. Blocks.
    pub(crate) fn here(&self, key: &[u8]) -> String {
        self.known(key).unwrap_or_else(|| crypto::fingerprint(key))
    }

    fn known(&self, key: &[u8]) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(of, _)| *of == key);
        found.map(|(_, words)| words.clone())
    }

    fn remember(&self, key: Bytes, words: String) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        known.push_back((key, words));
    }
}

/// As many devices as may wait, twice.
const REMEMBERED: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn words_are_computed_once_and_only_the_newest_are_remembered() {
        let words = Words::default();
        let key = Bytes::from_static(b"a key");
        assert_eq!(words.of(&key).await, crypto::fingerprint(&key));
        words.remember(key.clone(), String::from("never computed again"));
        for number in 0..REMEMBERED - 1 {
            words.remember(
                vec![u8::try_from(number).expect("a byte")].into(),
                String::new(),
            );
        }
        assert_eq!(words.of(&key).await, "never computed again");
        words.remember(Bytes::from_static(b"one more"), String::new());
        assert_eq!(words.here(&key), crypto::fingerprint(&key));
    }
}
