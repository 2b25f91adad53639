//! Every column that holds something sealed at rest, and walking over all of them.

use std::collections::BTreeMap;

use diesel::{
    ExpressionMethods as _, NullableExpressionMethods as _, QueryDsl as _, RunQueryDsl as _,
    dsl::sql,
    sql_types::{Binary, Bool, Nullable},
};

use super::{
    Connection,
    tables::{oauth_links, oauth_providers, oauth_states},
};
use crate::{
    error::Fault,
    keyring::{Place, Sealed},
};

/// The columns. A new one belongs here, in [`references`], [`behind`] and [`replace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// `oauth_providers.sealed_client_secret`
    ClientSecrets,
    /// `oauth_links.sealed_tokens`
    LinkTokens,
    /// `oauth_states.sealed_verifier`
    StateVerifiers,
}

impl Column {
    /// Every one.
    pub(crate) const ALL: [Self; 3] = [Self::ClientSecrets, Self::LinkTokens, Self::StateVerifiers];

    const fn name(self) -> &'static str {
        match self {
            Self::ClientSecrets => "sealed_client_secret",
            Self::LinkTokens => "sealed_tokens",
            Self::StateVerifiers => "sealed_verifier",
        }
    }
}

/// How many rows were sealed with which version.
pub(crate) fn references(conn: &mut Connection) -> Result<BTreeMap<u32, u64>, Fault> {
    let mut counted = BTreeMap::new();
    for column in Column::ALL {
        // The version is the first four bytes; SQLite and PostgreSQL cut them off alike.
        let version = sql::<Nullable<Binary>>(&format!("substr({}, 1, 4)", column.name()));
        let versions = match column {
            Column::ClientSecrets => oauth_providers::table
                .select(version)
                .load::<Option<Vec<u8>>>(conn)?,
            Column::LinkTokens => oauth_links::table.select(version).load(conn)?,
            Column::StateVerifiers => oauth_states::table.select(version).load(conn)?,
        };
        for version in versions.into_iter().flatten() {
            let version = <[u8; 4]>::try_from(version.as_slice());
            let version = version.map_err(|_| Fault::Row(column.name()))?;
            *counted.entry(u32::from_be_bytes(version)).or_insert(0) += 1;
        }
    }
    Ok(counted)
}

/// Some of those that were sealed with another version than this one.
pub(crate) fn behind(
    conn: &mut Connection,
    column: Column,
    version: u32,
    limit: i64,
) -> Result<Vec<(Place, Sealed)>, Fault> {
    let other = || {
        sql::<Bool>(&format!("substr({}, 1, 4) <> ", column.name()))
            .bind::<Binary, _>(version.to_be_bytes().to_vec())
    };
    Ok(match column {
        Column::ClientSecrets => oauth_providers::table
            .filter(other())
            .select((oauth_providers::id, oauth_providers::sealed_client_secret))
            .limit(limit)
            .load::<(String, Vec<u8>)>(conn)?
            .into_iter()
            .map(|(provider, sealed)| (Place::ClientSecret { provider }, Sealed::stored(sealed)))
            .collect(),
        Column::LinkTokens => oauth_links::table
            .filter(oauth_links::sealed_tokens.is_not_null())
            .filter(other())
            .select((
                oauth_links::provider_id,
                oauth_links::subject,
                oauth_links::sealed_tokens.assume_not_null(),
            ))
            .limit(limit)
            .load::<(String, String, Vec<u8>)>(conn)?
            .into_iter()
            .map(|(provider, subject, sealed)| {
                let place = Place::LinkTokens { provider, subject };
                (place, Sealed::stored(sealed))
            })
            .collect(),
        Column::StateVerifiers => oauth_states::table
            .filter(other())
            .select((oauth_states::secret_hash, oauth_states::sealed_verifier))
            .limit(limit)
            .load::<(Vec<u8>, Vec<u8>)>(conn)?
            .into_iter()
            .map(|(state, sealed)| (Place::StateVerifier { state }, Sealed::stored(sealed)))
            .collect(),
    })
}

/// Puts the same secret, sealed anew, in the place of the old one.
pub(crate) fn replace(conn: &mut Connection, place: &Place, new: &Sealed) -> Result<(), Fault> {
    match place {
        Place::ClientSecret { provider } => diesel::update(oauth_providers::table.find(provider))
            .set(oauth_providers::sealed_client_secret.eq(new.as_bytes()))
            .execute(conn)?,
        Place::LinkTokens { provider, subject } => {
            diesel::update(oauth_links::table.find((provider, subject)))
                .set(oauth_links::sealed_tokens.eq(new.as_bytes()))
                .execute(conn)?
        }
        Place::StateVerifier { state } => diesel::update(oauth_states::table.find(state))
            .set(oauth_states::sealed_verifier.eq(new.as_bytes()))
            .execute(conn)?,
        // Each version has a check of its own.
        Place::KeyCheck => 0,
    };
    Ok(())
}
