//! Whom a provider says that somebody is, and why it may not be believed.

use zeroize::Zeroizing;

use crate::error::Fault;

/// Somebody, as a provider vouches for them.
pub(crate) struct Identity {
    /// The provider's own id for them, which never becomes another's.
    pub(crate) subject: String,
    pub(crate) email: Option<Email>,
    /// What they would like to be called here.
    pub(crate) preferred: String,
    pub(crate) display_name: String,
    pub(crate) tokens: Tokens,
}

/// An address, and whether the provider says that it is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email {
    /// In lower case.
    pub(crate) address: String,
    pub(crate) verified: bool,
}

/// What a provider gives for later. Sealed at rest.
pub(crate) struct Tokens {
    pub(crate) access: Zeroizing<String>,
    pub(crate) refresh: Option<Zeroizing<String>>,
    pub(crate) expires_ms: Option<i64>,
}

/// Why nobody came back from a provider. A closed list: what a provider says stands in no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unproved {
    /// It could not be reached, or its description could not be read.
    #[error("the provider's description cannot be had")]
    Discovery,
    /// It names an address that must not be asked.
    #[error("the provider names an address that is not https")]
    Address,
    /// It did not take the code, or could not be asked.
    #[error("the provider did not take the code")]
    Code,
    /// It gave no ID token.
    #[error("the provider gave no ID token")]
    NoIdToken,
    /// The ID token is not one for us, now.
    #[error("the ID token is refused: {0}")]
    IdToken(&'static str),
    /// The account could not be read.
    #[error("the provider did not tell about the account")]
    Account,
    /// Ours.
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// A subject as it is kept: not empty, and no longer than OpenID Connect allows.
pub(super) fn subject(text: &str) -> Result<String, Unproved> {
    let fits = (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned()).ok_or(Unproved::Account)
}

/// An address as it is kept; one that is none here is none.
pub(super) fn email(address: &str, verified: bool) -> Option<Email> {
    let address = crate::accounts::fields::email(address).ok()??;
    Some(Email { address, verified })
}
