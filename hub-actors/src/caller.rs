//! Who is calling: what a request presents, and whom that makes of it.

use schema::ids::{CredentialId, OrganisationId, UserId, WorkerId, WorkspaceId};

pub(crate) use crate::store::credentials::Kind;
use crate::{
    clock,
    config::Mode,
    error::Fault,
    scope::Scopes,
    state::State,
    store::{Connection, api_tokens, credentials, delegations, users},
    token::{Pepper, Purpose, SecretHash},
};

/// Somebody who was let in, and by which credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user: UserId,
    pub(crate) organisation: OrganisationId,
    pub(crate) username: String,
    pub(crate) credential: CredentialId,
    pub(crate) kind: Kind,
    pub(crate) scopes: Scopes,
    /// Of the whole Hub.
    pub(crate) admin: bool,
    /// What a delegation is confined to; none for everybody else.
    pub(crate) binding: Option<Binding>,
    /// When the credential ends by itself, in milliseconds since 1970.
    pub(crate) expires_ms: Option<i64>,
    /// The login was moved on just now: its cookie lasts longer than the browser thinks.
    pub(crate) slid: bool,
}

/// What a delegation is confined to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) worker: WorkerId,
    pub(crate) workspace: WorkspaceId,
}

impl Caller {
    /// Whether it is a person at a browser, or the operator, and no program with a token.
    pub(crate) const fn is_person(&self) -> bool {
        matches!(self.kind, Kind::Solo | Kind::AccessToken | Kind::Login)
    }
}

/// The secret that came with a request. Never printed.
pub(crate) enum Presented {
    /// None.
    Nothing,
    /// `Authorization: Bearer`, an access token.
    Bearer(String),
    /// The login cookie.
    Cookie(String),
}

/// A login is moved on at most so often.
const SLIDE_AFTER_MS: i64 = 60_000;
/// Longer secrets are nobody's.
const SECRET_MAX: usize = 256;

impl Presented {
    /// What an `Authorization` header presents.
    pub(crate) fn bearer(header: &str) -> Self {
        match header.split_once(' ') {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => {
                Self::Bearer(secret.trim().to_owned())
            }
            _ => Self::Nothing,
        }
    }

    fn is_a_delegation(&self) -> bool {
        match self {
            Self::Bearer(secret) => secret.starts_with(Purpose::Delegation.prefix()),
            Self::Nothing | Self::Cookie(_) => false,
        }
    }
}

impl State {
    /// Whom a request comes from; solo needs no secret, since reaching the port is enough. What
    /// presents a delegation there is no more than that, or nobody.
    pub(crate) async fn caller(&self, presented: Presented) -> Result<Option<Caller>, Fault> {
        if self.config.mode == Mode::Solo && !presented.is_a_delegation() {
            return Ok(Some(self.admin_caller()));
        }
        let Some(shown) = Shown::of(presented, &self.pepper) else {
            return Ok(None);
        };
        let found = self
            .store
            .run_for_presenter(move |conn| identify(conn, &shown, clock::unix_ms()))
            .await?;
        match found {
            Some((caller, used_ms)) => Ok(Some(self.slide(caller, used_ms).await)),
            None => Ok(None),
        }
    }

    /// Moves a login on that is in use, at most once a minute. Where the database takes no change
    /// now, it is as good as it was, and moved on with a later request.
    async fn slide(&self, mut caller: Caller, used_ms: i64) -> Caller {
        let now_ms = clock::unix_ms();
        let unless_after_ms = now_ms.saturating_sub(SLIDE_AFTER_MS);
        if caller.kind != Kind::Login || used_ms > unless_after_ms {
            return caller;
        }
        let lifetime_ms = i64::try_from(self.config.timeouts.login_ms).unwrap_or(i64::MAX);
        let id = caller.credential.clone();
        let moved = self
            .store
            .run(move |conn| credentials::slide(conn, &id, unless_after_ms, now_ms, lifetime_ms));
        match moved.await {
            Ok(true) => {
                caller.expires_ms = Some(now_ms.saturating_add(lifetime_ms));
                caller.slid = true;
            }
            Ok(false) => {}
            Err(fault) => tracing::warn!(
                error = &fault as &dyn std::error::Error,
                "a login was not moved on"
            ),
        }
        caller
    }

    fn admin_caller(&self) -> Caller {
        Caller {
            user: self.admin.id.clone(),
            organisation: self.admin.organisation.clone(),
            username: self.admin.username.clone(),
            credential: self.solo_credential.clone(),
            kind: Kind::Solo,
            scopes: Scopes::ALL,
            admin: true,
            binding: None,
            expires_ms: None,
            slid: false,
        }
    }
}

/// A presented secret's kind, by its prefix, and its hash.
struct Shown {
    kind: Kind,
    hash: SecretHash,
}

impl Shown {
    fn of(presented: Presented, pepper: &Pepper) -> Option<Self> {
        let (kind, purpose, secret) = match presented {
            Presented::Nothing => return None,
            Presented::Cookie(secret) => (Kind::Login, Purpose::Login, secret),
            Presented::Bearer(secret) => {
                let programs = [
                    (Kind::Api, Purpose::ApiAccess),
                    (Kind::Delegation, Purpose::Delegation),
                ];
                let mut programs = programs.into_iter();
                let of_program = programs.find(|(_, purpose)| secret.starts_with(purpose.prefix()));
                // Whoever runs the Hub may have chosen any text.
                let (kind, purpose) =
                    of_program.unwrap_or((Kind::AccessToken, Purpose::AccessToken));
                (kind, purpose, secret)
            }
        };
        (secret.len() <= SECRET_MAX).then(|| Self {
            kind,
            hash: pepper.hash(purpose, &secret),
        })
    }
}

/// The caller, and when the credential was last used.
fn identify(
    conn: &mut Connection,
    shown: &Shown,
    now_ms: i64,
) -> Result<Option<(Caller, i64)>, Fault> {
    let (kind, hash) = (shown.kind, shown.hash);
    let found = match kind {
        Kind::Solo | Kind::AccessToken | Kind::Login => {
            credentials::find_live(conn, kind, hash, now_ms)?.map(|one| (one, Scopes::ALL, None))
        }
        Kind::Api => {
            api_tokens::find_access(conn, hash, now_ms)?.map(|(one, scopes)| (one, scopes, None))
        }
        Kind::Delegation => delegations::find_live(conn, hash, now_ms)?
            .map(|(one, scopes, binding)| (one, scopes, Some(binding))),
    };
    let Some((credential, scopes, binding)) = found else {
        return Ok(None);
    };
    let (user, used_ms) = (
        users::find_enabled(conn, &credential.user)?,
        credential.last_used_ms,
    );
    let caller = user.map(|user| Caller {
        user: user.id,
        organisation: user.organisation,
        username: user.username,
        credential: credential.id,
        kind,
        scopes,
        admin: user.admin,
        binding,
        expires_ms: credential.expires_ms,
        slid: false,
    });
    Ok(caller.map(|caller| (caller, used_ms)))
}
