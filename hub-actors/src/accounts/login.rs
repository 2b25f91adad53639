//! A login: what a browser gets as its cookie, and what is kept of it.

use schema::ids::{CredentialId, UserId};

use super::credential_id;
use crate::{
    asked::Asked,
    clock,
    error::Fault,
    notes::{Author, Notes},
    store::{
        Connection,
        audit::{Actor, Object},
        credentials::{self, Kind, NewCredential},
        ledger::Reason,
    },
    token::{Purpose, SecretHash, SecretText},
    topic::Topic,
};

/// A login that is about to be.
pub(crate) struct NewLogin {
    id: CredentialId,
    hash: SecretHash,
    user_agent: String,
    address: String,
    lifetime_ms: i64,
    /// Logins that one user may have.
    room: i64,
}

impl NewLogin {
    /// One for whoever asks, and the secret of its cookie: give it with
    /// [`Asked::set_cookie`] once the login is stored.
    pub(crate) fn of(asked: &Asked) -> Result<(Self, SecretText), Fault> {
        let config = &asked.state.config;
        let secret = SecretText::from_random(Purpose::Login, clock::random()?);
        let login = Self {
            id: credential_id()?,
            hash: asked.state.pepper.hash(Purpose::Login, secret.expose()),
            user_agent: asked.from.user_agent.clone(),
            address: asked.from.address_text(),
            lifetime_ms: i64::try_from(config.timeouts.login_ms).unwrap_or(i64::MAX),
            room: i64::from(config.quotas.logins_per_user.max(1)),
        };
        Ok((login, secret))
    }

    /// Lets a user in. The login that was not used for longest makes room, if there is none.
    pub(crate) fn store(
        &self,
        conn: &mut Connection,
        notes: &mut Notes,
        user: &UserId,
        parent: Option<&CredentialId>,
    ) -> Result<(), Fault> {
        let now_ms = clock::unix_ms();
        credentials::forget_expired(conn, now_ms)?;
        for old in credentials::unused_longest(conn, user, self.room - 1)? {
            for ended in credentials::revoke(conn, &old, now_ms)? {
                notes.revoke(Topic::Credential(ended), Reason::Revoked);
            }
        }
        let new = NewCredential {
            id: &self.id,
            user,
            kind: Kind::Login,
            parent,
            hash: Some(self.hash),
            expires_ms: Some(now_ms.saturating_add(self.lifetime_ms)),
        };
        credentials::insert(conn, &new, now_ms)?;
        credentials::note_origin(conn, &self.id, &self.user_agent, &self.address)?;
        notes.audit("login.created", Object::Credential, self.id.as_str());
        Ok(())
    }
}

/// Who is written down where somebody signs in who was nobody before.
pub(crate) fn author(asked: &Asked, user: &UserId) -> Author {
    Author {
        actor: Actor::User,
        id: user.as_str().to_owned(),
        address: asked.from.address_text(),
    }
}
