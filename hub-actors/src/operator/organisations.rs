//! The organisations of a Hub.

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _, dsl::count_star};
use serde::Serialize;

use super::{
    Operator, OperatorError,
    counts::{count, in_pieces},
};
use crate::{
    error::Fault,
    store::{
        Connection,
        tables::{memberships, organisations, workers, workspaces},
    },
};

/// An organisation, as an admin sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrganisationAccount {
    /// Its id.
    pub organisation_id: String,
    /// Its name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Whether it is one user's own.
    pub personal: bool,
    /// How many belong to it.
    pub members: u32,
    /// How many Workers.
    pub workers: u32,
    /// How many workspaces.
    pub workspaces: u32,
    /// Quota of members; none is the Hub's default.
    pub max_members: Option<i32>,
    /// Quota of Workers.
    pub max_workers: Option<i32>,
    /// Quota of open channels.
    pub max_channels: Option<i32>,
    /// Quota of relayed bytes a second.
    pub max_bytes_per_second: Option<i64>,
}

type Row = (
    String,
    String,
    String,
    Option<String>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i64>,
);

/// At most `limit` organisations whose slugs come behind `after`.
pub(crate) fn list(
    conn: &mut Connection,
    after: &str,
    limit: i64,
) -> Result<Vec<OrganisationAccount>, Fault> {
    let rows = organisations::table
        .filter(organisations::slug.gt(after))
        .order(organisations::slug.asc())
        .limit(limit)
        .select((
            organisations::id,
            organisations::slug,
            organisations::name,
            organisations::personal_user_id,
            organisations::max_members,
            organisations::max_workers,
            organisations::max_channels,
            organisations::max_bytes_per_second,
        ))
        .load::<Row>(conn)?;
    let ids: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    let members = in_pieces(&ids, |some| {
        memberships::table
            .filter(memberships::organisation_id.eq_any(some))
            .group_by(memberships::organisation_id)
            .select((memberships::organisation_id, count_star()))
            .load::<(String, i64)>(conn)
    })?;
    let workers = in_pieces(&ids, |some| {
        workers::table
            .filter(workers::organisation_id.eq_any(some))
            .group_by(workers::organisation_id)
            .select((workers::organisation_id, count_star()))
            .load::<(String, i64)>(conn)
    })?;
    let workspaces = in_pieces(&ids, |some| {
        workspaces::table
            .filter(workspaces::organisation_id.eq_any(some))
            .group_by(workspaces::organisation_id)
            .select((workspaces::organisation_id, count_star()))
            .load::<(String, i64)>(conn)
    })?;
    let account = |row: Row| OrganisationAccount {
        members: count(&members, &row.0),
        workers: count(&workers, &row.0),
        workspaces: count(&workspaces, &row.0),
        organisation_id: row.0,
        slug: row.1,
        name: row.2,
        personal: row.3.is_some(),
        max_members: row.4,
        max_workers: row.5,
        max_channels: row.6,
        max_bytes_per_second: row.7,
    };
    Ok(rows.into_iter().map(account).collect())
}

impl Operator {
    /// Every organisation, by slug.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn organisations(&self) -> Result<Vec<OrganisationAccount>, OperatorError> {
        self.ask(|conn| list(conn, "", i64::MAX)).await
    }
}
