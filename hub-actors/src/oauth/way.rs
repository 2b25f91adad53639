//! The way to a provider and back, whatever its kind.

use zeroize::Zeroizing;

use super::{
    client::Client,
    github,
    identity::{Identity, Tokens, Unproved},
    oidc,
};
use crate::{
    error::Fault,
    keyring::{Keyring, Place},
    store::oauth::{Kind, Provider},
};

/// A provider with its opened secret, and our own address behind it.
pub(super) struct Way {
    pub(super) provider: Provider,
    pub(super) secret: Zeroizing<String>,
    /// Where it sends browsers back to.
    pub(super) back: String,
}

impl Way {
    /// Opens the client secret.
    pub(super) fn new(provider: Provider, keyring: &Keyring, back: String) -> Result<Self, Fault> {
        let place = Place::ClientSecret {
            provider: provider.id.clone(),
        };
        let secret = keyring.open(&place, &provider.secret)?;
        let secret = std::str::from_utf8(&secret);
        let secret = secret.map_err(|_| Fault::Row("oauth_providers.sealed_client_secret"))?;
        Ok(Self {
            secret: Zeroizing::new(secret.to_owned()),
            provider,
            back,
        })
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.provider.scopes.split_ascii_whitespace()
    }

    /// Where a browser is sent to sign in.
    pub(super) async fn authorisation(
        &self,
        http: &Client,
        state: &str,
        nonce: &str,
        verifier: &str,
    ) -> Result<String, Unproved> {
        match self.provider.kind {
            Kind::Oidc => oidc::authorisation(http, self, state, nonce, verifier).await,
            Kind::Github => github::authorisation(self, state, verifier),
        }
    }

    /// Trades a code for an identity.
    pub(super) async fn identify(
        &self,
        http: &Client,
        code: String,
        nonce: &str,
        verifier: &str,
    ) -> Result<Identity, Unproved> {
        match self.provider.kind {
            Kind::Oidc => oidc::identify(http, self, code, nonce, verifier).await,
            Kind::Github => github::identify(http, self, code, verifier).await,
        }
    }

    /// Trades a refresh token for new tokens.
    pub(super) async fn refresh(&self, http: &Client, token: &str) -> Result<Tokens, Unproved> {
        match self.provider.kind {
            Kind::Oidc => oidc::refresh(http, self, token).await,
            Kind::Github => github::refresh(http, self, token).await,
        }
    }
}
