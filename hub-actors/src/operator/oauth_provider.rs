//! Providers of sign-in: who is believed about who people are.

use serde::Serialize;

use super::{Operator, OperatorError, missing};
use crate::{
    clock,
    error::{Field, Refusal, Unmet},
    keyring::Place,
    names, oauth,
    store::{
        audit::Object,
        oauth::{self as rows, Kind, Provider},
    },
    token::SecretText,
};

/// Which provider it is, as far as it is known beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preset {
    /// `https://github.com`, or an Enterprise server's address.
    Github(Option<String>),
    /// `https://accounts.google.com`
    Google,
    /// `https://appleid.apple.com`
    Apple,
    /// Whatever speaks OpenID Connect: its issuer.
    Oidc(String),
}

/// A provider to be added.
pub struct NewProvider {
    /// Which.
    pub preset: Preset,
    /// What stands on the button; unique.
    pub name: String,
    /// As the provider gave it.
    pub client_id: String,
    /// As the provider gave it. Sealed at rest.
    pub client_secret: SecretText,
    /// What to ask for; empty is what signing in needs.
    pub scopes: Vec<String>,
    /// Whether an address that it calls verified is believed to be, and so links to an account that
    /// has verified the same address here. Only for providers that check.
    pub trusted_email: bool,
}

/// A provider, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderAccount {
    /// Its id, in `/oauth/start/ID`.
    pub id: String,
    /// `oidc` or `github`.
    pub kind: &'static str,
    /// What stands on the button.
    pub name: String,
    /// Its issuer, or GitHub's address.
    pub issuer: String,
    /// Ours at it.
    pub client_id: String,
    /// What is asked for beside `openid`.
    pub scopes: String,
    /// Whether its word about addresses counts.
    pub trusted_email: bool,
    /// Whether anybody may come by it.
    pub enabled: bool,
    /// Since when it is there.
    pub created_unix_ms: i64,
}

impl Preset {
    fn parts(&self) -> (Kind, String, &'static str) {
        let oidc = |issuer: &str| (Kind::Oidc, issuer.to_owned(), "openid email profile");
        match self {
            Self::Github(address) => {
                let address = address.as_deref().unwrap_or(oauth::GITHUB);
                let address = address.trim_end_matches('/').to_owned();
                (Kind::Github, address, "read:user user:email")
            }
            Self::Google => oidc("https://accounts.google.com"),
            Self::Apple => (
                Kind::Oidc,
                "https://appleid.apple.com".to_owned(),
                "openid email name",
            ),
            Self::Oidc(issuer) => oidc(issuer),
        }
    }
}

/// Longer texts are none of a provider's.
const TEXT_MAX: usize = 512;

fn fits(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl NewProvider {
    /// The row, its secret still to be sealed.
    fn check(&self) -> Result<(Kind, String, String), Refusal> {
        let (kind, issuer, usual) = self.preset.parts();
        let scopes = if self.scopes.is_empty() {
            usual.to_owned()
        } else {
            self.scopes.join(" ")
        };
        let all_fit = fits(self.name.trim(), 64)
            && fits(&self.client_id, TEXT_MAX)
            && fits(self.client_secret.expose(), 8 * 1024)
            && fits(&scopes, TEXT_MAX);
        if !oauth::is_issuer(&issuer) {
            return Err(Refusal::Malformed(Field::Issuer));
        }
        if !all_fit {
            return Err(Refusal::Malformed(Field::Provider));
        }
        Ok((kind, issuer, scopes))
    }
}

impl Operator {
    /// All of them, by name.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn oauth_providers(&self) -> Result<Vec<ProviderAccount>, OperatorError> {
        let found = self.ask(rows::providers).await?;
        Ok(found.into_iter().map(account).collect())
    }

    /// Adds one, switched on; its id. Its redirect address is `PUBLIC_URL/oauth/callback`.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]; a name that is taken, and an address that is not https, are refused.
    pub async fn add_oauth_provider(&self, new: NewProvider) -> Result<String, OperatorError> {
        let (kind, issuer, scopes) = new.check()?;
        let id = names::id("p")?;
        let keyring = self.keyring().await?;
        let made = id.clone();
        self.order(move |conn, notes| {
            let place = Place::ClientSecret {
                provider: made.clone(),
            };
            let secret = keyring.seal(&place, new.client_secret.expose().as_bytes())?;
            let provider = Provider {
                id: made.clone(),
                kind,
                name: new.name.trim().to_owned(),
                issuer: issuer.clone(),
                client_id: new.client_id.clone(),
                secret,
                scopes: scopes.clone(),
                trusted_email: new.trusted_email,
                enabled: true,
                created_ms: clock::unix_ms(),
            };
            if !rows::insert_provider(conn, &provider)? {
                return Ok(Err(Refusal::Exists));
            }
            notes.audit("oauth_provider.added", Object::OauthProvider, &made);
            Ok(Ok(()))
        })
        .await?;
        Ok(id)
    }

    /// Switches one on or off, by its name. Logins that came by it stay.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn enable_oauth_provider(
        &self,
        name: &str,
        enabled: bool,
    ) -> Result<(), OperatorError> {
        let asked = name.to_owned();
        let done = self.order(move |conn, notes| {
            let Some(id) = rows::named(conn, &asked)? else {
                return Ok(Err(Refusal::NotFound));
            };
            rows::enable(conn, &id, enabled)?;
            let action = if enabled {
                "oauth_provider.enabled"
            } else {
                "oauth_provider.disabled"
            };
            notes.audit(action, Object::OauthProvider, &id);
            Ok(Ok(()))
        });
        found(done.await, name)
    }

    /// Forgets one, by its name, and all links to it.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]; without `force` it stays while somebody has no other way in.
    pub async fn remove_oauth_provider(
        &self,
        name: &str,
        force: bool,
    ) -> Result<(), OperatorError> {
        let asked = name.to_owned();
        let done = self.order(move |conn, notes| {
            let Some(id) = rows::named(conn, &asked)? else {
                return Ok(Err(Refusal::NotFound));
            };
            if !force && rows::stranded_without(conn, &id)? > 0 {
                return Ok(Err(Refusal::Unmet(Unmet::LastWayIn)));
            }
            rows::remove_provider(conn, &id)?;
            notes.audit("oauth_provider.removed", Object::OauthProvider, &id);
            Ok(Ok(()))
        });
        match found(done.await, name) {
            Err(OperatorError::Refused(Refusal::Unmet(Unmet::LastWayIn))) => {
                Err(OperatorError::NeedsForce(
                    "some users have no other way in than this provider: set passwords for them, or \
                     give --force",
                ))
            }
            done => done,
        }
    }
}

fn found(done: Result<(), OperatorError>, name: &str) -> Result<(), OperatorError> {
    match done {
        Err(OperatorError::Refused(Refusal::NotFound)) => Err(missing("provider", name)),
        done => done,
    }
}

fn account(row: Provider) -> ProviderAccount {
    ProviderAccount {
        id: row.id,
        kind: row.kind.label(),
        name: row.name,
        issuer: row.issuer,
        client_id: row.client_id,
        scopes: row.scopes,
        trusted_email: row.trusted_email,
        enabled: row.enabled,
        created_unix_ms: row.created_ms,
    }
}
