//! What is sealed, and for which place.

/// A place in the database: one column of one row. What was sealed for one opens in no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// `oauth_providers.sealed_client_secret`
    ClientSecret {
        /// The row's id.
        provider: String,
    },
    /// `oauth_links.sealed_tokens`
    LinkTokens {
        /// Two columns name the row.
        provider: String,
        /// The second.
        subject: String,
    },
    /// `oauth_states.sealed_verifier`
    StateVerifier {
        /// The row's hash.
        state: Vec<u8>,
    },
    /// `settings.value`, of one version's check.
    KeyCheck,
}

/// Before everything else, so that no other use of a key can be taken for this.
const LABEL: &[u8] = b"leapmux sealed column v1";

impl Place {
    /// What the cipher binds: each part with its length before it, so that no two places have the
    /// same bytes.
    pub(super) fn associated(&self, version: u32) -> Vec<u8> {
        let (table, column, row) = self.parts();
        let mut bytes = Vec::new();
        for part in [LABEL, &version.to_be_bytes(), table, column]
            .into_iter()
            .chain(row)
        {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    fn parts(&self) -> (&[u8], &[u8], Vec<&[u8]>) {
        match self {
            Self::ClientSecret { provider } => (
                b"oauth_providers",
                b"sealed_client_secret",
                vec![provider.as_bytes()],
            ),
            Self::LinkTokens { provider, subject } => (
                b"oauth_links",
                b"sealed_tokens",
                vec![provider.as_bytes(), subject.as_bytes()],
            ),
            Self::StateVerifier { state } => {
                (b"oauth_states", b"sealed_verifier", vec![state.as_slice()])
            }
            Self::KeyCheck => (b"settings", b"value", vec![b"encryption_key_check"]),
        }
    }
}

/// Version, nonce and ciphertext, as a column holds them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sealed(Vec<u8>);

const VERSION: usize = 4;
const NONCE: usize = 24;

impl Sealed {
    pub(super) fn assemble(version: u32, nonce: &[u8; NONCE], ciphertext: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(VERSION + NONCE + ciphertext.len());
        bytes.extend_from_slice(&version.to_be_bytes());
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(ciphertext);
        Self(bytes)
    }

    /// What a column holds. Whether it is whole shows when it is opened.
    pub(crate) const fn stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn parts(&self) -> Option<(u32, [u8; NONCE], &[u8])> {
        let (version, rest) = self.0.split_first_chunk::<VERSION>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>()?;
        Some((u32::from_be_bytes(*version), *nonce, ciphertext))
    }
}
