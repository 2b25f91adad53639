//! Secrets that callers present, and the keyed hashes that are all we keep of them.
//!
//! A hash is BLAKE2b-256 (RFC 7693) keyed with the pepper of the key ring: whoever
//! steals the database alone can neither use nor test a secret.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use blake2::{
    Blake2bMac,
    digest::{KeyInit as _, Mac as _, consts::U32},
};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::keyring::Keyring;

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
    /// What comes back from a provider of sign-in.
    OauthState,
    /// The cookie of a browser that went to one.
    OauthBrowser,
    /// What went out in a mail: shows that a mailbox is somebody's.
    MailCode,
    /// A name that somebody typed to sign in, whether or not there is such a user: no secret, but
    /// nothing to be kept as it is.
    TypedName,
    /// A link into an organisation.
    Invitation,
    /// A program's, for an hour.
    ApiAccess,
    /// Makes the next of those.
    ApiRefresh,
    /// A child process's.
    Delegation,
    /// Goes from a person's browser to a command line on the same machine.
    Authorisation,
    /// A command line's, while a person types the next.
    DeviceCode,
    /// What a person types.
    UserCode,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::AccessToken => b"leapmux access token v1",
            Self::Login => b"leapmux login v1",
            Self::WorkerToken => b"leapmux worker token v1",
            Self::RegistrationId => b"leapmux registration id v1",
            Self::OauthState => b"leapmux oauth state v1",
            Self::OauthBrowser => b"leapmux oauth browser v1",
            Self::MailCode => b"leapmux mail code v1",
            Self::TypedName => b"leapmux typed name v1",
            Self::Invitation => b"leapmux invitation v1",
            Self::ApiAccess => b"leapmux api access v1",
            Self::ApiRefresh => b"leapmux api refresh v1",
            Self::Delegation => b"leapmux delegation v1",
            Self::Authorisation => b"leapmux authorisation v1",
            Self::DeviceCode => b"leapmux device code v1",
            Self::UserCode => b"leapmux user code v1",
        }
    }

    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::AccessToken => "lmx_",
            Self::Login => "lml_",
            Self::WorkerToken => "lmw_",
            Self::Invitation => "lmi_",
            Self::ApiAccess => "lma_",
            Self::ApiRefresh => "lmr_",
            Self::Delegation => "lmd_",
            Self::Authorisation => "lmc_",
            Self::DeviceCode => "lmv_",
            Self::RegistrationId
            | Self::MailCode
            | Self::TypedName
            | Self::UserCode
            | Self::OauthState
            | Self::OauthBrowser => "",
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

/// The key of all hashes: the pepper of the key ring, which no rotation of keys touches.
pub(crate) struct Pepper(Arc<Keyring>);

impl Pepper {
    pub(crate) const fn new(keyring: Arc<Keyring>) -> Self {
        Self(keyring)
    }

    #[cfg(test)]
    pub(crate) fn fixed(byte: u8) -> Self {
        Self(Arc::new(Keyring::fixed(byte)))
    }

    /// The hash under which a presented secret is looked up.
    pub(crate) fn hash(&self, purpose: Purpose, secret: &str) -> SecretHash {
        keyed(self.0.recent().pepper(), purpose.label(), secret.as_bytes())
    }
}

/// What a pepper makes of a constant: it is known again by that, and no secret is.
pub(crate) fn check(pepper: &[u8; 32]) -> SecretHash {
    keyed(pepper, b"leapmux pepper check v1", b"")
}

fn keyed(pepper: &[u8; 32], label: &[u8], secret: &[u8]) -> SecretHash {
    let mac = Blake2bMac::<U32>::new_from_slice(pepper.as_slice());
    let mut mac = mac.expect("32 bytes are a BLAKE2b key");
    mac.update(label);
    mac.update(&[0]);
    mac.update(secret);
    SecretHash(mac.finalize().into_bytes().into())
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
}
