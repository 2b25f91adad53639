//! Passwords: Argon2id (RFC 9106), on as many threads as there are cores and no more.
//!
//! Whoever guesses at a name that nobody has costs us what a real one costs, and waits as long.

use std::{sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::{
    clock,
    error::{Fault, Field, Refusal},
    telemetry,
};

/// Memory in KiB, passes, lanes: OWASP's second choice, 19 MiB and some 20 ms a password.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Characters of a password that is to be kept.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
/// Bytes of any: 128 characters of four bytes.
const BYTES_MAX: usize = 512;
/// Passwords that wait for a thread, beside those that have one.
const QUEUE: usize = 64;
/// For a thread.
const WAIT: Duration = Duration::from_secs(5);
/// Whoever finds the queue full comes back later.
const CROWDED: Refusal = Refusal::Crowded(Duration::from_secs(5));

/// A password as it was typed. Wiped when dropped, never printed.
#[derive(Clone)]
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    /// One that is to be kept.
    pub(crate) fn chosen(text: String) -> Result<Self, Refusal> {
        let typed = Self::typed(text)?;
        let characters = typed.0.chars().count();
        let fits = LENGTH.contains(&characters);
        fits.then_some(typed)
            .ok_or(Refusal::Malformed(Field::Password))
    }

    /// One that is to be compared with what is kept: of any length that may be wrong.
    pub(crate) fn typed(text: String) -> Result<Self, Refusal> {
        let text = Zeroizing::new(text);
        if text.len() > BYTES_MAX {
            return Err(Refusal::Malformed(Field::Password));
        }
        Ok(Self(text))
    }

    /// What is kept of it: a PHC string. Takes some 20 ms of its thread.
    pub(crate) fn hash(&self) -> Result<String, Fault> {
        let salt = clock::random::<16>()?;
        let hash = argon2().hash_password_with_salt(self.0.as_bytes(), &salt);
        Ok(hash.map_err(|_| HASHING)?.to_string())
    }

    fn is(&self, stored: &str) -> Result<bool, Fault> {
        use argon2::password_hash::Error;
        let stored = PasswordHash::new(stored).map_err(|_| Fault::Row("users.password_hash"))?;
        match argon2().verify_password(self.0.as_bytes(), &stored) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(HASHING),
        }
    }
}

const HASHING: Fault = Fault::Row("a password's hash");

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).expect("the cost is within its bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Where passwords are hashed and compared.
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    /// Nobody's: it costs the same, and no password is known to fit.
    dummy: String,
}

impl Passwords {
    /// As many at once as this many threads.
    pub(crate) fn new(threads: usize) -> Result<Self, Fault> {
        let encode = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
        let salt = encode(&clock::random::<16>()?);
        let hash = encode(&clock::random::<32>()?);
        let (memory, passes, lanes) = COST;
        Ok(Self {
            places: Arc::new(Semaphore::new(threads + QUEUE)),
            threads: Arc::new(Semaphore::new(threads)),
            dummy: format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"),
        })
    }

    /// What is kept of a password.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, Refusal> {
        self.run(move || password.hash()).await
    }

    /// Whether it is the one that is kept. With none kept it takes as long to say no.
    pub(crate) async fn is_right(
        &self,
        password: Password,
        kept: Option<String>,
    ) -> Result<bool, Refusal> {
        let is_kept = kept.is_some();
        let kept = kept.unwrap_or_else(|| self.dummy.clone());
        let fits = self.run(move || password.is(&kept)).await?;
        Ok(fits && is_kept)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Refusal> {
        let held = self.turn().await.ok_or(CROWDED)?;
        let done = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, also when nobody waits for it any more.
            let _held = held;
            telemetry::password_hashed();
            work()
        });
        Ok(done.await.map_err(|_| Fault::Task)??)
    }

    async fn turn(&self) -> Option<[OwnedSemaphorePermit; 2]> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let thread = Arc::clone(&self.threads).acquire_owned();
        let thread = tokio::time::timeout(WAIT, thread).await.ok()?.ok()?;
        Some([place, thread])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Password {
        Password::typed(text.to_owned()).ok().unwrap()
    }

    #[test]
    fn lengths_count_characters_and_bytes_have_an_end() {
        let fits = |text: String| Password::chosen(text).is_ok();
        assert!(fits("8 letter".to_owned()) && fits("\u{e9}".repeat(8)));
        assert!(fits("\u{1f980}".repeat(128)));
        assert!(!fits("7 lette".to_owned()) && !fits("a".repeat(129)));
        assert!(Password::typed("a".repeat(513)).is_err());
        assert!(Password::typed(String::new()).is_ok());
    }

    #[test]
    fn a_hash_says_how_it_was_made_and_fits_its_password_alone() {
        let kept = typed("correct horse").hash().unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert!(typed("correct horse").is(&kept).unwrap());
        assert!(!typed("correct horsf").is(&kept).unwrap());
        assert_ne!(kept, typed("correct horse").hash().unwrap());
    }

    #[tokio::test]
    async fn nobody_s_password_is_no_password() {
        let passwords = Passwords::new(1).unwrap();
        for text in ["", "password"] {
            assert!(!passwords.is_right(typed(text), None).await.unwrap());
        }
        assert_eq!(passwords.dummy.len(), typed("a").hash().unwrap().len());
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_sent_away_at_once() {
        let passwords = Passwords::new(1).unwrap();
        let held: Vec<_> = (0..=QUEUE)
            .map(|_| Arc::clone(&passwords.places).try_acquire_owned().unwrap())
            .collect();
        let refused = passwords.hash(typed("a password")).await;
        assert!(matches!(refused, Err(Refusal::Crowded(_))));
        drop(held);
        assert!(passwords.hash(typed("a password")).await.is_ok());
    }
}
