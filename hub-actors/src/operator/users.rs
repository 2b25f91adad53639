//! The accounts of a Hub, as an admin sees them.

use diesel::{
    BoolExpressionMethods as _, EscapeExpressionMethods as _, ExpressionMethods as _,
    OptionalExtension as _, QueryDsl as _, RunQueryDsl as _, TextExpressionMethods as _,
    dsl::count_star,
};
use schema::ids::UserId;
use serde::Serialize;

use super::{
    Operator, OperatorError,
    counts::{count, in_pieces},
    missing,
};
use crate::{
    clock,
    error::Fault,
    store::{
        Connection,
        credentials::Kind,
        tables::{credentials, users, workers},
    },
};

/// An account, as an admin sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserAccount {
    /// Its id.
    pub user_id: String,
    /// Its name to sign in with.
    pub username: String,
    /// Its name for people.
    pub display_name: String,
    /// Its address, if it has one.
    pub email: Option<String>,
    /// Whether the address is known to be its own.
    pub email_verified: bool,
    /// Of the whole Hub.
    pub admin: bool,
    /// Nobody gets in as this user.
    pub disabled: bool,
    /// Whether it can sign in with one.
    pub has_password: bool,
    /// In milliseconds since 1970.
    pub created_unix_ms: i64,
    /// Until when nobody may try its password; in the past for most.
    pub locked_until_unix_ms: i64,
    /// Live logins.
    pub logins: u32,
    /// API tokens that are not revoked.
    pub api_tokens: u32,
    /// Workers that it owns.
    pub workers: u32,
}

type Row = (
    String,
    String,
    String,
    Option<String>,
    bool,
    bool,
    Option<i64>,
    Option<String>,
    i64,
    i64,
);

type Columns = (
    users::id,
    users::username,
    users::display_name,
    users::email,
    users::email_verified,
    users::admin,
    users::disabled_ms,
    users::password_hash,
    users::created_ms,
    users::locked_until_ms,
);

const COLUMNS: Columns = (
    users::id,
    users::username,
    users::display_name,
    users::email,
    users::email_verified,
    users::admin,
    users::disabled_ms,
    users::password_hash,
    users::created_ms,
    users::locked_until_ms,
);

/// At most `limit` users whose names come behind `after`, and have `search` in name or address.
pub(crate) fn list(
    conn: &mut Connection,
    search: &str,
    after: &str,
    limit: i64,
    now_ms: i64,
) -> Result<Vec<UserAccount>, Fault> {
    let mut query = users::table
        .filter(users::username.gt(after))
        .order(users::username.asc())
        .limit(limit)
        .select(COLUMNS)
        .into_boxed();
    if !search.is_empty() {
        let pattern = pattern(&search.to_lowercase());
        query = query.filter(
            users::username
                .like(pattern.clone())
                .escape('\\')
                .or(users::email.like(pattern).escape('\\')),
        );
    }
    let rows = query.load::<Row>(conn)?;
    describe(conn, rows, now_ms)
}

/// What LIKE takes for "contains exactly this".
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// One user.
pub(crate) fn find(
    conn: &mut Connection,
    user: &UserId,
    now_ms: i64,
) -> Result<Option<UserAccount>, Fault> {
    let row = users::table.find(user.as_str()).select(COLUMNS);
    let row = row.first::<Row>(conn).optional()?;
    let found = describe(conn, row.into_iter().collect(), now_ms)?;
    Ok(found.into_iter().next())
}

/// The user of this id or name.
pub(crate) fn resolve(conn: &mut Connection, text: &str) -> Result<Option<UserId>, Fault> {
    let named = users::username.eq(text.to_lowercase());
    let found = users::table
        .filter(users::id.eq(text).or(named))
        .select(users::id)
        .first::<String>(conn)
        .optional()?;
    let id = found.map(|id| UserId::parse(&id).map_err(|_| Fault::Row("users.id")));
    id.transpose()
}

fn describe(conn: &mut Connection, rows: Vec<Row>, now_ms: i64) -> Result<Vec<UserAccount>, Fault> {
    let ids: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    let unexpired = credentials::expires_ms
        .is_null()
        .or(credentials::expires_ms.gt(now_ms))
        .or(credentials::kind.eq(Kind::Api as i16));
    let credentials = in_pieces(&ids, |some| {
        let counted = credentials::table
            .filter(credentials::user_id.eq_any(some))
            .filter(credentials::revoked_ms.is_null())
            .filter(unexpired)
            .group_by((credentials::user_id, credentials::kind))
            .select((credentials::user_id, credentials::kind, count_star()))
            .load::<(String, i16, i64)>(conn)?;
        let counted = counted.into_iter();
        Ok(counted
            .map(|(user, kind, count)| ((user, kind), count))
            .collect())
    })?;
    let workers = in_pieces(&ids, |some| {
        workers::table
            .filter(workers::owner_user_id.eq_any(some))
            .group_by(workers::owner_user_id)
            .select((workers::owner_user_id, count_star()))
            .load::<(String, i64)>(conn)
    })?;
    let of = |user: &str, kind: Kind| count(&credentials, &(user.to_owned(), kind as i16));
    let account = |row: Row| UserAccount {
        logins: of(&row.0, Kind::Login),
        api_tokens: of(&row.0, Kind::Api),
        workers: count(&workers, &row.0),
        user_id: row.0,
        username: row.1,
        display_name: row.2,
        email: row.3,
        email_verified: row.4,
        admin: row.5,
        disabled: row.6.is_some(),
        has_password: row.7.is_some(),
        created_unix_ms: row.8,
        locked_until_unix_ms: row.9,
    };
    Ok(rows.into_iter().map(account).collect())
}

impl Operator {
    /// The users with `search` in name or address, by name.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn users(&self, search: &str) -> Result<Vec<UserAccount>, OperatorError> {
        let search = search.to_owned();
        self.ask(move |conn| list(conn, &search, "", i64::MAX, clock::unix_ms()))
            .await
    }

    /// One user, by name or id.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn user(&self, who: &str) -> Result<UserAccount, OperatorError> {
        let wanted = who.to_owned();
        let found = self.ask(move |conn| match resolve(conn, &wanted)? {
            Some(user) => find(conn, &user, clock::unix_ms()),
            None => Ok(None),
        });
        found.await?.ok_or_else(|| missing("user", who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_no_pattern() {
        assert_eq!(pattern("a_b"), r"%a\_b%");
        assert_eq!(pattern("100%"), r"%100\%%");
        assert_eq!(pattern(r"\"), r"%\\%");
    }
}
