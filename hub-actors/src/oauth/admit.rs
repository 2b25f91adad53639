//! What becomes of somebody who came back from a provider: let in, linked, made an account, refused.
//!
//! An account elsewhere is known by the provider's own id for it and by nothing else. An address of
//! mail links only where the operator trusts the provider's word about it and it was verified here.

use std::sync::Arc;

use schema::ids::{CredentialId, UserId};

use super::{
    identity::{Email, Identity},
    tokens,
};
use crate::{
    accounts::{fields, login::NewLogin},
    clock,
    error::Fault,
    keyring::Keyring,
    names,
    notes::Notes,
    store::{
        Connection,
        audit::Object,
        credentials,
        oauth::{self, Provider},
        settings,
        users::{self, FirstIds, NewUser},
    },
};

/// Why somebody is not let in; the page knows the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refused {
    /// They said no at the provider.
    Denied,
    /// They were away too long, or came back to another browser.
    Expired,
    /// The provider's word was not good.
    Failed,
    /// Nobody here has linked the account, and the Hub makes none.
    NoAccount,
    /// It is linked to somebody else.
    Taken,
    /// The account here may not be used.
    Disabled,
    /// Too often.
    Limited,
}

impl Refused {
    /// The word in `oauth_error`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::NoAccount => "no_account",
            Self::Taken => "taken",
            Self::Disabled => "disabled",
            Self::Limited => "limited",
        }
    }
}

/// Somebody at the door.
pub(super) struct Arrival {
    pub(super) provider: Provider,
    pub(super) identity: Identity,
    /// Who links an account, and by which login, if somebody does.
    pub(super) linker: Option<(UserId, CredentialId)>,
    pub(super) login: NewLogin,
    pub(super) ids: FirstIds,
    pub(super) keyring: Arc<Keyring>,
    /// Whether sign-up is open by configuration.
    pub(super) sign_up: bool,
}

/// What their account here is to the one elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    /// Linked to it already.
    Linked,
    /// Somebody's who has other ways in.
    Known,
    /// Made for it.
    New,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// They have a login.
    SignedIn,
    /// They had one, and another way in now.
    Linked,
}

/// An account here that has one more way in, and the address where its user is told so.
pub(super) struct Told {
    pub(super) username: String,
    pub(super) email: String,
}

impl Arrival {
    /// Decides. To be called inside an order.
    pub(super) fn admit(
        &self,
        conn: &mut Connection,
        notes: &mut Notes,
    ) -> Result<Result<(Admitted, Option<Told>), Refused>, Fault> {
        let (provider, subject) = (&self.provider.id, &self.identity.subject);
        // Looked at again: it may have been switched off in between.
        if oauth::find_enabled(conn, provider)?.is_none() {
            return Ok(Err(Refused::Failed));
        }
        let linked = oauth::linked(conn, provider, subject)?;
        let (user, is) = match (linked, &self.linker) {
            (Some(owner), Some((linker, _))) if owner != *linker => {
                return Ok(Err(Refused::Taken));
            }
            (Some(owner), _) => (owner, Is::Linked),
            (None, Some((linker, login))) => {
                if !credentials::is_live(conn, login, clock::unix_ms())? {
                    return Ok(Err(Refused::Expired));
                }
                (linker.clone(), Is::Known)
            }
            (None, None) => match self.find_or_make(conn, notes)? {
                Ok(found) => found,
                Err(refused) => return Ok(Err(refused)),
            },
        };
        if users::find_enabled(conn, &user)?.is_none() {
            return Ok(Err(Refused::Disabled));
        }
        let mut told = None;
        if is != Is::Linked {
            oauth::link(conn, provider, subject, &user, clock::unix_ms())?;
            notes.audit("oauth.linked", Object::User, user.as_str());
        }
        if is == Is::Known {
            let address = users::address(conn, &user)?;
            told = address.and_then(|to| {
                Some(Told {
                    email: to.verified?,
                    username: to.username,
                })
            });
        }
        self.note(conn)?;
        if self.linker.is_some() {
            return Ok(Ok((Admitted::Linked, told)));
        }
        notes.audit("login.by_provider", Object::User, user.as_str());
        self.login.store(conn, notes, &user, None)?;
        Ok(Ok((Admitted::SignedIn, told)))
    }

    fn note(&self, conn: &mut Connection) -> Result<(), Fault> {
        let (provider, identity) = (&self.provider.id, &self.identity);
        let email = identity.email.as_ref().map(|email| email.address.as_str());
        oauth::note_email(conn, provider, &identity.subject, email)?;
        tokens::keep(
            conn,
            &self.keyring,
            provider,
            &identity.subject,
            &identity.tokens,
        )
    }

    /// The address, where the provider's word about it counts.
    fn trusted(&self) -> Option<&Email> {
        let email = self.identity.email.as_ref();
        email.filter(|email| email.verified && self.provider.trusted_email)
    }

    fn find_or_make(
        &self,
        conn: &mut Connection,
        notes: &mut Notes,
    ) -> Result<Result<(UserId, Is), Refused>, Fault> {
        if let Some(email) = self.trusted()
            && let Some(user) = oauth::owner_of_verified(conn, &email.address)?
        {
            return Ok(Ok((user, Is::Known)));
        }
        if !settings::sign_up(conn, self.sign_up)? {
            return Ok(Err(Refused::NoAccount));
        }
        let new = self.account(conn)?;
        if !users::create(conn, &new, clock::unix_ms())? {
            return Ok(Err(Refused::Failed));
        }
        notes.audit("user.created", Object::User, new.ids.user.as_str());
        Ok(Ok((new.ids.user, Is::New)))
    }

    fn account(&self, conn: &mut Connection) -> Result<NewUser, Fault> {
        let identity = &self.identity;
        let local = identity
            .email
            .as_ref()
            .and_then(|email| email.address.split('@').next());
        let wish = [identity.preferred.as_str(), local.unwrap_or_default()];
        let wish = wish.into_iter().map(slug).find(|slug| !slug.is_empty());
        let username = free_name(conn, &wish.unwrap_or_else(|| "user".to_owned()))?;
        let shown = fields::display_name(&identity.display_name, &username);
        Ok(NewUser {
            ids: self.ids.clone(),
            display_name: shown.unwrap_or_else(|_| username.clone()),
            username,
            email: identity.email.as_ref().map(|email| email.address.clone()),
            email_verified: self.trusted().is_some(),
            password_hash: None,
            admin: false,
        })
    }
}

/// A name that nobody has: the wish, or with a number, or with something random.
fn free_name(conn: &mut Connection, wish: &str) -> Result<String, Fault> {
    let numbered = (2..10).map(|number| joined(wish, &number.to_string()));
    for name in std::iter::once(wish.to_owned()).chain(numbered) {
        if !users::is_taken(conn, &name)? {
            return Ok(name);
        }
    }
    let random = names::id("u")?;
    Ok(joined(wish, random.get(2..10).unwrap_or("0")))
}

/// Room for what is put behind.
fn joined(wish: &str, tail: &str) -> String {
    let room = 31 - tail.len();
    let head = wish.get(..room.min(wish.len())).unwrap_or_default();
    format!("{}-{tail}", head.trim_end_matches('-'))
}

/// What can stand in a name here of what somebody is called elsewhere.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for one in text.chars() {
        match one.to_ascii_lowercase() {
            plain @ ('a'..='z' | '0'..='9') => slug.push(plain),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
        if slug.len() == 32 {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_elsewhere_becomes_one_that_can_stand_here() {
        for (name, expected) in [
            ("Ada.Lovelace", "ada-lovelace"),
            ("__ada__", "ada"),
            ("\u{c4}da", "da"),
            ("\u{1f600}", ""),
            ("a--b", "a-b"),
            ("ada@example.org", "ada-example-org"),
        ] {
            assert_eq!(slug(name), expected);
        }
        for long in ["a".repeat(60), "a-".repeat(30)] {
            let slug = slug(&long);
            assert!(names::is_slug(&slug), "{slug}");
            assert!(names::is_slug(&joined(&slug, "9")));
            assert!(names::is_slug(&joined(&slug, "0123abcd")));
        }
    }
}
