//! Names of things. Parsed once, never empty, so that no empty id can ever equal another.

use std::{borrow::Borrow, fmt, sync::Arc};

use crate::Malformed;

/// A channel's name: 16 random bytes that its client chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId([u8; 16]);

impl ChannelId {
    /// Takes the 16 bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl TryFrom<&[u8]> for ChannelId {
    type Error = Malformed;

    fn try_from(bytes: &[u8]) -> Result<Self, Malformed> {
        bytes.try_into().map(Self).map_err(|_| Malformed::ChannelId)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn check_text(text: &str) -> Result<(), Malformed> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let fits = (1..=TEXT_ID_MAX).contains(&text.len()) && text.bytes().all(allowed);
    fits.then_some(()).ok_or(Malformed::TextId)
}

/// Longest text id, in bytes: what a length-prefixed field of the protocol takes.
pub const TEXT_ID_MAX: usize = 64;

macro_rules! text_id {
    ($(#[doc = $doc:literal] $name:ident),+ $(,)?) => { $(
        #[doc = $doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses 1 to 64 characters of `A-Z a-z 0-9 - _`.
            ///
            /// # Errors
            ///
            /// [`Malformed::TextId`] for anything else.
            pub fn parse(text: &str) -> Result<Self, Malformed> {
                check_text(text).map(|()| Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+ };
}

text_id! {
    /// A person with an account.
    UserId,
    /// A registered Worker.
    WorkerId,
    /// An organisation.
    OrganisationId,
    /// A workspace.
    WorkspaceId,
    /// What a channel stands or falls with: a login, an API token, a delegation token.
    CredentialId,
    /// A terminal of a Worker.
    TerminalId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_id_is_never_empty_nor_longer_than_its_field() {
        assert!(UserId::parse("").is_err());
        assert!(UserId::parse(&"a".repeat(64)).is_ok());
        assert!(UserId::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn a_text_id_takes_no_character_that_needs_quoting() {
        for text in ["a b", "a/b", "a.b", "é", "a\0", "a\n"] {
            assert_eq!(WorkerId::parse(text), Err(Malformed::TextId), "{text:?}");
        }
    }

    #[test]
    fn a_channel_id_is_16_bytes_and_reads_as_hex() {
        assert_eq!(
            ChannelId::try_from([0u8; 15].as_slice()),
            Err(Malformed::ChannelId)
        );
        let id = ChannelId::from_bytes([0xAB; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
    }
}
