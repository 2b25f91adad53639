//! Users, their organisation and their workspaces.

use std::collections::BTreeMap;

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{OrganisationId, UserId, WorkspaceId};

use super::{
    Connection,
    tables::{memberships, oauth_links, organisations, users, workspaces},
    transaction::unless_taken,
};
use crate::{error::Fault, names};

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) organisation: OrganisationId,
    pub(crate) username: String,
    /// Of the whole Hub.
    pub(crate) admin: bool,
}

/// Names for the rows of a new user.
#[derive(Debug, Clone)]
pub(crate) struct FirstIds {
    pub(crate) organisation: OrganisationId,
    pub(crate) user: UserId,
    pub(crate) workspace: WorkspaceId,
}

impl FirstIds {
    /// New ones.
    pub(crate) fn random() -> Result<Self, Fault> {
        Ok(Self {
            organisation: OrganisationId::parse(&names::id("o")?).map_err(|_| MADE)?,
            user: UserId::parse(&names::id("u")?).map_err(|_| MADE)?,
            workspace: WorkspaceId::parse(&names::id("s")?).map_err(|_| MADE)?,
        })
    }
}

const MADE: Fault = Fault::Row("a made id");

/// Somebody who is to have an account.
#[derive(Debug, Clone)]
pub(crate) struct NewUser {
    pub(crate) ids: FirstIds,
    /// A slug.
    pub(crate) username: String,
    pub(crate) display_name: String,
    /// In lower case.
    pub(crate) email: Option<String>,
    pub(crate) email_verified: bool,
    /// A PHC string; none for who signs in otherwise.
    pub(crate) password_hash: Option<String>,
    /// Of the whole Hub.
    pub(crate) admin: bool,
}

/// The first of the admins; made with an organisation and a workspace where nobody is yet.
pub(crate) fn ensure_admin(
    conn: &mut Connection,
    ids: &FirstIds,
    now_ms: i64,
) -> Result<User, Fault> {
    let admins = users::table
        .filter(users::admin.eq(true))
        .order((users::created_ms.asc(), users::id.asc()))
        .select((users::id, users::disabled_ms.is_null()))
        .load::<(String, bool)>(conn)?;
    // One who may come in, before one who may not.
    let first = admins.iter().find(|(_, enabled)| *enabled);
    if let Some((id, _)) = first.or_else(|| admins.first()) {
        let id = UserId::parse(id).map_err(|_| Fault::Row("users.id"))?;
        return find(conn, &id)?.ok_or(Fault::Row("organisations.personal_user_id"));
    }
    let admin = NewUser {
        ids: ids.clone(),
        username: ADMIN.to_owned(),
        display_name: ADMIN.to_owned(),
        email: None,
        email_verified: false,
        password_hash: None,
        admin: true,
    };
    if !create(conn, &admin, now_ms)? {
        return Err(Fault::Row("organisations.slug"));
    }
    find(conn, &ids.user)?.ok_or(Fault::Row("the user just made"))
}

/// The name of the first user, and of the organisation that goes with it.
const ADMIN: &str = "admin";
/// `memberships.role` of an owner.
const OWNER: i16 = 3;

/// Makes a user, with a personal organisation and a first workspace in it. `false` where the name,
/// or the verified address, is somebody else's: the transaction is then to be left undone.
pub(crate) fn create(conn: &mut Connection, new: &NewUser, now_ms: i64) -> Result<bool, Fault> {
    let made = unless_taken(conn, |conn| {
        diesel::insert_into(users::table)
            .values((
                users::id.eq(new.ids.user.as_str()),
                users::username.eq(&new.username),
                users::display_name.eq(&new.display_name),
                users::email.eq(&new.email),
                users::email_verified.eq(new.email_verified),
                users::password_hash.eq(&new.password_hash),
                users::admin.eq(new.admin),
                users::created_ms.eq(now_ms),
                users::failed_logins.eq(0),
                users::locked_until_ms.eq(0),
            ))
            .execute(conn)
    })?;
    Ok(made && insert_home(conn, new, now_ms)?)
}

/// Whether a name is a user's or an organisation's: they share one space of names.
pub(crate) fn is_taken(conn: &mut Connection, name: &str) -> Result<bool, Fault> {
    let user = users::table.filter(users::username.eq(name));
    let user = user.select(users::id).first::<String>(conn).optional()?;
    let other = organisations::table.filter(organisations::slug.eq(name));
    let other = other.select(organisations::id).first::<String>(conn);
    Ok(user.is_some() || other.optional()?.is_some())
}

/// The personal organisation and the first workspace in it.
fn insert_home(conn: &mut Connection, new: &NewUser, now_ms: i64) -> Result<bool, Fault> {
    let ids = &new.ids;
    let [free, otherwise] = slugs(&new.username, &ids.organisation);
    if !insert_organisation(conn, new, &free, now_ms)?
        && !insert_organisation(conn, new, &otherwise, now_ms)?
    {
        return Ok(false);
    }
    diesel::insert_into(memberships::table)
        .values((
            memberships::organisation_id.eq(ids.organisation.as_str()),
            memberships::user_id.eq(ids.user.as_str()),
            memberships::role.eq(OWNER),
            memberships::joined_ms.eq(now_ms),
        ))
        .execute(conn)?;
    diesel::insert_into(workspaces::table)
        .values((
            workspaces::id.eq(ids.workspace.as_str()),
            workspaces::organisation_id.eq(ids.organisation.as_str()),
            workspaces::owner_user_id.eq(ids.user.as_str()),
            workspaces::title.eq("Workspace"),
            workspaces::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    Ok(true)
}

fn insert_organisation(
    conn: &mut Connection,
    new: &NewUser,
    slug: &str,
    now_ms: i64,
) -> Result<bool, Fault> {
    Ok(unless_taken(conn, |conn| {
        diesel::insert_into(organisations::table)
            .values((
                organisations::id.eq(new.ids.organisation.as_str()),
                organisations::slug.eq(slug),
                organisations::name.eq(&new.display_name),
                organisations::personal_user_id.eq(new.ids.user.as_str()),
                organisations::created_ms.eq(now_ms),
            ))
            .execute(conn)
    })?)
}

/// The slug of a personal organisation: the user's name, or that and the end of the
/// organisation's own id.
fn slugs(username: &str, organisation: &OrganisationId) -> [String; 2] {
    let tail = organisation.as_str().chars().rev().take(8);
    let tail: String = tail.filter(char::is_ascii_alphanumeric).collect();
    let head: String = username.chars().take(23).collect();
    let head = head.trim_end_matches('-');
    [username.to_owned(), format!("{head}-{tail}")]
}

/// Whether an admin has a way in: a password, or an account elsewhere that is linked. Until then the
/// Hub is to be set up, whoever else has signed up meanwhile.
pub(crate) fn is_claimed(conn: &mut Connection) -> Result<bool, Fault> {
    let admins = users::table
        .filter(users::admin.eq(true))
        .select((users::id, users::password_hash.is_not_null()))
        .load::<(String, bool)>(conn)?;
    if admins.iter().any(|(_, has_password)| *has_password) {
        return Ok(true);
    }
    let ids = admins.iter().map(|(id, _)| id.as_str());
    let linked = oauth_links::table
        .filter(oauth_links::user_id.eq_any(ids))
        .select(oauth_links::user_id)
        .first::<String>(conn);
    Ok(linked.optional()?.is_some())
}

/// Gives the first admin, who has no way in yet, a name and a password. `false` where the name is
/// taken.
pub(crate) fn claim(
    conn: &mut Connection,
    admin: &User,
    username: &str,
    display_name: &str,
    password_hash: &str,
) -> Result<bool, Fault> {
    let named = unless_taken(conn, |conn| {
        diesel::update(users::table.find(admin.id.as_str()))
            .set((
                users::username.eq(username),
                users::display_name.eq(display_name),
                users::password_hash.eq(password_hash),
            ))
            .execute(conn)
    })?;
    if !named {
        return Ok(false);
    }
    let organisation = || organisations::table.find(admin.organisation.as_str());
    diesel::update(organisation())
        .set(organisations::name.eq(display_name))
        .execute(conn)?;
    // Where a team has taken the name, the organisation keeps the slug that it has.
    let _renamed = unless_taken(conn, |conn| {
        diesel::update(organisation())
            .set(organisations::slug.eq(username))
            .execute(conn)
    })?;
    Ok(true)
}

/// What a password is compared with, and what stands in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locks {
    pub(crate) id: UserId,
    /// A PHC string; none for who signs in otherwise, and for who may not.
    pub(crate) password_hash: Option<String>,
    pub(crate) disabled: bool,
    pub(crate) failed: u32,
    /// No password is looked at before.
    pub(crate) locked_until_ms: i64,
}

/// What stands in the way of a user's name.
pub(crate) fn locks(conn: &mut Connection, username: &str) -> Result<Option<Locks>, Fault> {
    let row = users::table
        .filter(users::username.eq(username))
        .select(LOCKS)
        .first::<LocksRow>(conn)
        .optional()?;
    row.map(read_locks).transpose()
}

/// The same, of a user who is known.
pub(crate) fn locks_of(conn: &mut Connection, id: &UserId) -> Result<Option<Locks>, Fault> {
    let row = users::table
        .find(id.as_str())
        .select(LOCKS)
        .first::<LocksRow>(conn)
        .optional()?;
    row.map(read_locks).transpose()
}

type LocksRow = (String, Option<String>, Option<i64>, i32, i64);
const LOCKS: (
    users::id,
    users::password_hash,
    users::disabled_ms,
    users::failed_logins,
    users::locked_until_ms,
) = (
    users::id,
    users::password_hash,
    users::disabled_ms,
    users::failed_logins,
    users::locked_until_ms,
);

fn read_locks((id, hash, disabled, failed, until): LocksRow) -> Result<Locks, Fault> {
    Ok(Locks {
        id: UserId::parse(&id).map_err(|_| Fault::Row("users.id"))?,
        password_hash: hash,
        disabled: disabled.is_some(),
        failed: u32::try_from(failed).unwrap_or_default(),
        locked_until_ms: until,
    })
}

/// Writes down how many wrong passwords there were in a row, and how long that locks the account.
pub(crate) fn note_failures(
    conn: &mut Connection,
    id: &UserId,
    failed: u32,
    locked_until_ms: i64,
) -> Result<(), Fault> {
    diesel::update(users::table.find(id.as_str()))
        .set((
            users::failed_logins.eq(i32::try_from(failed).unwrap_or(i32::MAX)),
            users::locked_until_ms.eq(locked_until_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Sets another password; wrong ones for the old one are forgotten.
pub(crate) fn set_password(
    conn: &mut Connection,
    id: &UserId,
    password_hash: &str,
) -> Result<(), Fault> {
    diesel::update(users::table.find(id.as_str()))
        .set((
            users::password_hash.eq(password_hash),
            users::failed_logins.eq(0),
            users::locked_until_ms.eq(0),
        ))
        .execute(conn)?;
    Ok(())
}

/// Sets the name that is shown.
pub(crate) fn set_display_name(
    conn: &mut Connection,
    id: &UserId,
    display_name: &str,
) -> Result<(), Fault> {
    diesel::update(users::table.find(id.as_str()))
        .set(users::display_name.eq(display_name))
        .execute(conn)?;
    Ok(())
}

/// Where a user who may come in gets mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) username: String,
    /// The address, if it was shown to be the user's.
    pub(crate) verified: Option<String>,
}

/// Where a user who may come in gets mail.
pub(crate) fn address(conn: &mut Connection, id: &UserId) -> Result<Option<Address>, Fault> {
    let row = users::table
        .find(id.as_str())
        .filter(users::disabled_ms.is_null())
        .select((users::username, users::email, users::email_verified))
        .first::<(String, Option<String>, bool)>(conn)
        .optional()?;
    Ok(row.map(|(username, email, is_verified)| Address {
        username,
        verified: email.filter(|_| is_verified),
    }))
}

/// Sets an address that was shown to be the user's. `false` where it is somebody else's.
pub(crate) fn set_address(conn: &mut Connection, id: &UserId, email: &str) -> Result<bool, Fault> {
    Ok(unless_taken(conn, |conn| {
        diesel::update(users::table.find(id.as_str()))
            .set((users::email.eq(email), users::email_verified.eq(true)))
            .execute(conn)
    })?)
}

/// Who has this address, was shown to have it, and may come in: the id and the name.
pub(crate) fn by_verified_email(
    conn: &mut Connection,
    email: &str,
) -> Result<Option<(UserId, String)>, Fault> {
    let row = users::table
        .filter(users::email.eq(email))
        .filter(users::email_verified.eq(true))
        .filter(users::disabled_ms.is_null())
        .select((users::id, users::username))
        .first::<(String, String)>(conn)
        .optional()?;
    row.map(|(id, username)| {
        let id = UserId::parse(&id).map_err(|_| Fault::Row("users.id"))?;
        Ok((id, username))
    })
    .transpose()
}

/// An account, as its own user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) display_name: String,
    pub(crate) email: Option<String>,
    pub(crate) email_verified: bool,
    pub(crate) has_password: bool,
}

/// One account.
pub(crate) fn account(conn: &mut Connection, id: &UserId) -> Result<Option<Account>, Fault> {
    let row = users::table
        .find(id.as_str())
        .select((
            users::display_name,
            users::email,
            users::email_verified,
            users::password_hash.is_not_null(),
        ))
        .first::<(String, Option<String>, bool, bool)>(conn)
        .optional()?;
    Ok(row.map(
        |(display_name, email, email_verified, has_password)| Account {
            display_name,
            email,
            email_verified,
            has_password,
        },
    ))
}

/// One user who may use the Hub.
pub(crate) fn find_enabled(conn: &mut Connection, id: &UserId) -> Result<Option<User>, Fault> {
    let disabled = users::table.find(id.as_str()).select(users::disabled_ms);
    match disabled.first::<Option<i64>>(conn).optional()? {
        Some(None) => find(conn, id),
        Some(Some(_)) | None => Ok(None),
    }
}

/// One user, with the personal organisation that everybody has.
pub(crate) fn find(conn: &mut Connection, id: &UserId) -> Result<Option<User>, Fault> {
    let row = users::table
        .inner_join(organisations::table)
        .filter(users::id.eq(id.as_str()))
        .select((users::id, organisations::id, users::username, users::admin))
        .first::<Row>(conn)
        .optional()?;
    row.map(user).transpose()
}

type Row = (String, String, String, bool);

fn user((id, organisation, username, admin): Row) -> Result<User, Fault> {
    Ok(User {
        id: UserId::parse(&id).map_err(|_| Fault::Row("users.id"))?,
        organisation: OrganisationId::parse(&organisation)
            .map_err(|_| Fault::Row("organisations.id"))?,
        username,
        admin,
    })
}

/// The user of a name, if there is one.
pub(crate) fn find_by_name(conn: &mut Connection, name: &str) -> Result<Option<UserId>, Fault> {
    let id = users::table
        .filter(users::username.eq(name))
        .select(users::id)
        .first::<String>(conn)
        .optional()?;
    id.map(|id| UserId::parse(&id).map_err(|_| Fault::Row("users.id")))
        .transpose()
}

/// The names of users.
pub(crate) fn names_of<'a>(
    conn: &mut Connection,
    ids: impl IntoIterator<Item = &'a UserId>,
) -> Result<BTreeMap<UserId, String>, Fault> {
    let ids: Vec<&str> = ids.into_iter().map(UserId::as_str).collect();
    let rows = users::table
        .filter(users::id.eq_any(&ids))
        .select((users::id, users::username))
        .load::<(String, String)>(conn)?;
    let named = |(id, name): (String, String)| {
        let id = UserId::parse(&id).map_err(|_| Fault::Row("users.id"))?;
        Ok((id, name))
    };
    rows.into_iter().map(named).collect()
}
