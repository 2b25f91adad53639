//! Secrets that callers present, and the keyed hashes that are all we keep of them.
//!
//! A hash is BLAKE2b-256 (RFC 7693) keyed with the pepper, a file beside the database: whoever
//! steals the database alone can neither use nor test a secret.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use blake2::{
    Blake2bMac,
    digest::{KeyInit as _, Mac as _, consts::U32},
};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    error::Fault,
    private_file::{self, PrivateFileError},
};

/// What a secret is good for; part of its hash, so that one never stands for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Opens the Hub's admin account.
    AccessToken,
    /// A browser's cookie.
    Login,
    /// A Worker's link.
    WorkerToken,
    /// The id half of a registration key.
    RegistrationId,
    /// A name that somebody typed to sign in, whether or not there is such a user: no secret, but
    /// nothing to be kept as it is.
    TypedName,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::AccessToken => b"leapmux access token v1",
            Self::Login => b"leapmux login v1",
            Self::WorkerToken => b"leapmux worker token v1",
            Self::RegistrationId => b"leapmux registration id v1",
            Self::TypedName => b"leapmux typed name v1",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::AccessToken => "lmx_",
            Self::Login => "lml_",
            Self::WorkerToken => "lmw_",
            Self::RegistrationId | Self::TypedName => "",
        }
    }
}

/// A secret in the text form in which it travels. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Makes one of 32 random bytes.
    pub(crate) fn from_random(purpose: Purpose, mut bytes: [u8; 32]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(purpose.prefix());
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        bytes.zeroize();
        Self(text)
    }

    /// The text, to be handed over.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// A keyed hash, 32 bytes. Compared in constant time.
#[derive(Clone, Copy, Eq)]
pub(crate) struct SecretHash([u8; 32]);

impl SecretHash {
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The key of all hashes: 32 bytes in `pepper.key`.
pub(crate) struct Pepper(Zeroizing<[u8; 32]>);

/// Why there is no pepper.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    /// It cannot be read or written.
    #[error("{0}")]
    File(#[from] PrivateFileError),
    /// It has another length than 32 bytes.
    #[error("it is not 32 bytes; restore it from the backup that belongs to the database")]
    Corrupt,
    /// The database holds hashes that only the lost file can check.
    #[error("it is missing, but the database needs it; restore it from the same backup")]
    Missing,
    /// No random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

impl Pepper {
    pub(crate) const FILE: &'static str = "pepper.key";

    #[cfg(test)]
    pub(crate) fn fixed(byte: u8) -> Self {
        Self(Zeroizing::new([byte; 32]))
    }

    /// Reads the pepper; makes one only where no hash can depend on a lost one.
    pub(crate) fn load(folder: &Path, database_is_new: bool) -> Result<Self, PepperError> {
        let path = folder.join(Self::FILE);
        let Some(content) = private_file::read(&path, 32)?.map(Zeroizing::new) else {
            return if database_is_new {
                Self::create(&path)
            } else {
                Err(PepperError::Missing)
            };
        };
        let key = <[u8; 32]>::try_from(content.as_slice()).map_err(|_| PepperError::Corrupt)?;
        Ok(Self(Zeroizing::new(key)))
    }

    fn create(path: &Path) -> Result<Self, PepperError> {
        let key = crate::clock::random().map_err(|_: Fault| PepperError::Random)?;
        private_file::write(path, &key).map_err(PrivateFileError::from)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// The hash under which a presented secret is looked up.
    pub(crate) fn hash(&self, purpose: Purpose, secret: &str) -> SecretHash {
        let mut mac = Blake2bMac::<U32>::new_from_slice(self.0.as_slice())
            .expect("32 bytes are a BLAKE2b key");
        mac.update(purpose.label());
        mac.update(&[0]);
        mac.update(secret.as_bytes());
        SecretHash(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_pepper_purpose_and_secret() {
        let hash = Pepper::fixed(1).hash(Purpose::Login, "a");
        assert!(hash == Pepper::fixed(1).hash(Purpose::Login, "a"));
        assert!(hash != Pepper::fixed(2).hash(Purpose::Login, "a"));
        assert!(hash != Pepper::fixed(1).hash(Purpose::WorkerToken, "a"));
        assert!(hash != Pepper::fixed(1).hash(Purpose::Login, "b"));
    }

    #[test]
    fn a_lost_pepper_is_not_replaced_under_a_database_that_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            Pepper::load(folder.path(), false),
            Err(PepperError::Missing)
        ));
        let made = Pepper::load(folder.path(), true)
            .unwrap()
            .hash(Purpose::Login, "a");
        let read = Pepper::load(folder.path(), false)
            .unwrap()
            .hash(Purpose::Login, "a");
        assert!(made == read);
    }

    #[test]
    fn a_pepper_of_another_length_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        private_file::write(&folder.path().join(Pepper::FILE), &[7; 31]).unwrap();
        assert!(matches!(
            Pepper::load(folder.path(), true),
            Err(PepperError::Corrupt)
        ));
    }
}
