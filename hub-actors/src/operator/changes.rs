//! What an admin changes about accounts. Each order stands in the audit log, and whatever it takes back
//! ends at once.

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{CredentialId, UserId};

use super::{Operator, OperatorError, sessions, users::resolve};
use crate::{
    accounts::{
        ending::{self, Which},
        fields,
        password::Password,
        removal,
    },
    clock,
    error::{Fault, Refusal, Unmet},
    notes::Notes,
    store::{
        Connection,
        audit::Object,
        ledger::Reason,
        mail_codes::{self, Purpose},
        tables::{organisations, users},
        unless_taken,
        users::{self as accounts, FirstIds},
    },
    token::SecretText,
};

/// An account to be made.
pub struct NewUser {
    /// 1 to 32 of a-z 0-9 -
    pub username: String,
    /// None is the same as the name.
    pub display_name: Option<String>,
    /// Taken as verified.
    pub email: Option<String>,
    /// Of the whole Hub.
    pub admin: bool,
    /// 8 to 128 characters.
    pub password: SecretText,
}

/// What is to become of an account; none is left as it is.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Another name to sign in with.
    pub username: Option<String>,
    /// Another name for people.
    pub display_name: Option<String>,
    /// Another address, taken as verified; an empty one is none.
    pub email: Option<String>,
    /// Whether nobody gets in as this user.
    pub disabled: Option<bool>,
}

/// Whatever was given out for a password.
const EVERYTHING: (Which, Option<&CredentialId>) = (Which::All, None);

/// Makes an account of checked parts; its id.
pub(crate) fn create(
    conn: &mut Connection,
    notes: &mut Notes,
    new: &accounts::NewUser,
    now_ms: i64,
) -> Result<Result<UserId, Refusal>, Fault> {
    if !accounts::create(conn, new, now_ms)? {
        return Ok(Err(Refusal::Exists));
    }
    let id = &new.ids.user;
    let detail = if new.admin { "admin" } else { "" };
    notes.audit_in(None, "user.created", Object::User, id.as_str(), detail);
    Ok(Ok(id.clone()))
}

/// The parts of a new account, checked.
pub(crate) fn checked(
    username: &str,
    display_name: &str,
    email: &str,
    admin: bool,
    password_hash: String,
) -> Result<accounts::NewUser, Refusal> {
    let username = fields::username(username.to_owned())?;
    let email = fields::email(email)?;
    Ok(accounts::NewUser {
        ids: FirstIds::random()?,
        display_name: fields::display_name(display_name, &username)?,
        username,
        email_verified: email.is_some(),
        email,
        password_hash: Some(password_hash),
        admin,
    })
}

fn checked_changes(changes: Changes) -> Result<Changes, Refusal> {
    let name = |text: String| fields::display_name(&text, "").map(Some);
    let email = |text: String| {
        fields::email(&text)
            .map(Option::unwrap_or_default)
            .map(Some)
    };
    Ok(Changes {
        username: changes.username.map(fields::username).transpose()?,
        display_name: changes.display_name.map_or(Ok(None), name)?,
        email: changes.email.map_or(Ok(None), email)?,
        disabled: changes.disabled,
    })
}

/// Changes names and address.
pub(crate) fn update(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    changes: &Changes,
) -> Result<Result<(), Refusal>, Fault> {
    if let Some(username) = &changes.username {
        if !rename(conn, user, username)? {
            return Ok(Err(Refusal::Exists));
        }
        notes.audit("user.renamed", Object::User, user.as_str());
    }
    if let Some(display_name) = &changes.display_name {
        diesel::update(users::table.find(user.as_str()))
            .set(users::display_name.eq(display_name))
            .execute(conn)?;
        notes.audit("user.display_name_changed", Object::User, user.as_str());
    }
    if let Some(email) = &changes.email {
        let email = Some(email).filter(|email| !email.is_empty());
        let changed = unless_taken(conn, |conn| {
            diesel::update(users::table.find(user.as_str()))
                .set((
                    users::email.eq(email),
                    users::email_verified.eq(email.is_some()),
                ))
                .execute(conn)
        })?;
        if !changed {
            return Ok(Err(Refusal::Exists));
        }
        // A code that is under way would put another address in its place.
        for purpose in [Purpose::Confirm, Purpose::Reset] {
            mail_codes::forget(conn, user, purpose)?;
        }
        notes.audit("user.email_changed", Object::User, user.as_str());
    }
    Ok(Ok(()))
}

/// `false` where somebody has the name. The personal organisation goes along where it had the same.
fn rename(conn: &mut Connection, user: &UserId, username: &str) -> Result<bool, Fault> {
    let old = users::table.find(user.as_str()).select(users::username);
    let old = old.first::<String>(conn)?;
    let renamed = unless_taken(conn, |conn| {
        diesel::update(users::table.find(user.as_str()))
            .set(users::username.eq(username))
            .execute(conn)
    })?;
    if renamed {
        // Where a team has taken the name, the organisation keeps the slug that it has.
        let _went_along = unless_taken(conn, |conn| {
            diesel::update(organisations::table)
                .filter(organisations::personal_user_id.eq(user.as_str()))
                .filter(organisations::slug.eq(&old))
                .set(organisations::slug.eq(username))
                .execute(conn)
        })?;
    }
    Ok(renamed)
}

/// Makes somebody an admin of the Hub, or no longer.
pub(crate) fn set_admin(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    admin: bool,
) -> Result<Result<(), Refusal>, Fault> {
    let is = users::table.find(user.as_str()).select(users::admin);
    match is.first::<bool>(conn).optional()? {
        None => return Ok(Err(Refusal::NotFound)),
        Some(is) if is == admin => return Ok(Ok(())),
        Some(_) => {}
    }
    if !admin && removal::is_last_admin(conn, user)? {
        return Ok(Err(Refusal::Unmet(Unmet::LastAdmin)));
    }
    diesel::update(users::table.find(user.as_str()))
        .set(users::admin.eq(admin))
        .execute(conn)?;
    if !admin {
        removal::leave_access_token(conn, notes, user, Reason::RoleLowered)?;
    }
    let action = if admin {
        "user.admin_granted"
    } else {
        "user.admin_revoked"
    };
    notes.audit(action, Object::User, user.as_str());
    Ok(Ok(()))
}

/// Shuts an account, and whoever is in goes; or opens it again.
pub(crate) fn set_disabled(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    disabled: bool,
    now_ms: i64,
) -> Result<Result<(), Refusal>, Fault> {
    let is = users::table.find(user.as_str()).select(users::disabled_ms);
    match is.first::<Option<i64>>(conn).optional()? {
        None => return Ok(Err(Refusal::NotFound)),
        Some(is) if is.is_some() == disabled => return Ok(Ok(())),
        Some(_) => {}
    }
    if disabled && removal::is_last_admin(conn, user)? {
        return Ok(Err(Refusal::Unmet(Unmet::LastAdmin)));
    }
    diesel::update(users::table.find(user.as_str()))
        .set(users::disabled_ms.eq(disabled.then_some(now_ms)))
        .execute(conn)?;
    if disabled {
        ending::end(
            conn,
            notes,
            user,
            EVERYTHING,
            Reason::AccountDisabled,
            now_ms,
        )?;
        sessions::close_all(conn, notes, user, Reason::AccountDisabled)?;
        removal::leave_access_token(conn, notes, user, Reason::AccountDisabled)?;
    }
    let action = if disabled {
        "user.disabled"
    } else {
        "user.enabled"
    };
    notes.audit(action, Object::User, user.as_str());
    Ok(Ok(()))
}

/// Gives an account another password; everything that was signed in ends, and a lock too.
pub(crate) fn set_password(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    password_hash: &str,
    now_ms: i64,
) -> Result<Result<u32, Refusal>, Fault> {
    let set = diesel::update(users::table.find(user.as_str()))
        .set((
            users::password_hash.eq(password_hash),
            users::failed_logins.eq(0),
            users::locked_until_ms.eq(0),
        ))
        .execute(conn)?;
    if set == 0 {
        return Ok(Err(Refusal::NotFound));
    }
    let ended = ending::end(
        conn,
        notes,
        user,
        EVERYTHING,
        Reason::PasswordChanged,
        now_ms,
    )?;
    notes.audit("user.password_reset", Object::User, user.as_str());
    Ok(Ok(ended))
}

/// Ends all that somebody is signed in with; how many.
pub(crate) fn force_logout(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    now_ms: i64,
) -> Result<Result<u32, Refusal>, Fault> {
    let there = users::table.find(user.as_str()).select(users::id);
    if there.first::<String>(conn).optional()?.is_none() {
        return Ok(Err(Refusal::NotFound));
    }
    let ended = ending::end(conn, notes, user, EVERYTHING, Reason::ForcedOut, now_ms)?;
    notes.audit("user.forced_out", Object::User, user.as_str());
    Ok(Ok(ended))
}

/// Whether an admin may be deleted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insistence {
    /// Nobody said so.
    None,
    /// `--force`.
    Admins,
}

impl Operator {
    /// Makes an account; its id.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn create_user(&self, new: NewUser) -> Result<String, OperatorError> {
        let hash = hash(&new.password)?;
        let display_name = new.display_name.unwrap_or_default();
        let email = new.email.unwrap_or_default();
        let new = checked(&new.username, &display_name, &email, new.admin, hash)?;
        let made = self.order(move |conn, notes| create(conn, notes, &new, clock::unix_ms()));
        Ok(made.await?.as_str().to_owned())
    }

    /// Changes an account.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn update_user(&self, who: &str, changes: Changes) -> Result<(), OperatorError> {
        let changes = checked_changes(changes)?;
        self.order_on(who, move |conn, notes, user| {
            if let Err(refusal) = update(conn, notes, user, &changes)? {
                return Ok(Err(refusal));
            }
            match changes.disabled {
                None => Ok(Ok(())),
                Some(disabled) => set_disabled(conn, notes, user, disabled, clock::unix_ms()),
            }
        })
        .await
    }

    /// Deletes an account and what goes with it.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn delete_user(
        &self,
        who: &str,
        insistence: Insistence,
    ) -> Result<(), OperatorError> {
        let deleted = self.order_on(who, move |conn, notes, user| {
            let is_admin = users::table.find(user.as_str()).select(users::admin);
            if insistence == Insistence::None && is_admin.first::<bool>(conn)? {
                return Ok(Err(Refusal::Forbidden));
            }
            removal::remove(conn, notes, user)
        });
        match deleted.await {
            Err(OperatorError::Refused(Refusal::Forbidden)) => Err(OperatorError::NeedsForce(
                "this is an admin: if the account shall really go, add --force",
            )),
            deleted => deleted,
        }
    }

    /// Gives an account another password; how many logins and tokens ended.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn reset_password(
        &self,
        who: &str,
        password: &SecretText,
    ) -> Result<u32, OperatorError> {
        let hash = hash(password)?;
        self.order_on(who, move |conn, notes, user| {
            set_password(conn, notes, user, &hash, clock::unix_ms())
        })
        .await
    }

    /// Makes somebody an admin of the Hub.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn grant_admin(&self, who: &str) -> Result<(), OperatorError> {
        self.order_on(who, |conn, notes, user| set_admin(conn, notes, user, true))
            .await
    }

    /// And no longer.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn revoke_admin(&self, who: &str) -> Result<(), OperatorError> {
        self.order_on(who, |conn, notes, user| set_admin(conn, notes, user, false))
            .await
    }

    /// Ends all that somebody is signed in with; how many.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn force_logout(&self, who: &str) -> Result<u32, OperatorError> {
        self.order_on(who, |conn, notes, user| {
            force_logout(conn, notes, user, clock::unix_ms())
        })
        .await
    }

    /// An order about one user, by name or id.
    async fn order_on<T, F>(&self, who: &str, mut order: F) -> Result<T, OperatorError>
    where
        T: Send + 'static,
        F: FnMut(&mut Connection, &mut Notes, &UserId) -> Result<Result<T, Refusal>, Fault>
            + Send
            + 'static,
    {
        let wanted = who.to_owned();
        let done = self.order(move |conn, notes| match resolve(conn, &wanted)? {
            Some(user) => order(conn, notes, &user),
            None => Ok(Err(Refusal::NotFound)),
        });
        super::named(done.await, "user", who)
    }
}

fn hash(password: &SecretText) -> Result<String, OperatorError> {
    Ok(Password::chosen(password.expose().to_owned())?.hash()?)
}
