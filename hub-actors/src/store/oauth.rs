//! Providers of sign-in, accounts that are linked there, and those who are on their way.

use diesel::{
    ExpressionMethods as _, NullableExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    QueryResult, Queryable, RunQueryDsl as _,
};
use schema::ids::{CredentialId, UserId};

use super::{
    Connection,
    tables::{link_intents, oauth_links, oauth_providers, oauth_states, users},
    unless_taken,
};
use crate::{error::Fault, keyring::Sealed, token::SecretHash};

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// OpenID Connect.
    Oidc = 1,
    /// GitHub's own way.
    Github = 2,
}

impl Kind {
    /// The word in answers.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Github => "github",
        }
    }

    fn read(number: i16) -> Result<Self, Fault> {
        [Self::Oidc, Self::Github]
            .into_iter()
            .find(|one| *one as i16 == number)
            .ok_or(Fault::Row("oauth_providers.kind"))
    }
}

/// Somebody whom the Hub believes who people are.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// The issuer, or GitHub's address.
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) secret: Sealed,
    /// With spaces between.
    pub(crate) scopes: String,
    /// Whether an address that it calls verified is believed to be.
    pub(crate) trusted_email: bool,
    pub(crate) enabled: bool,
    pub(crate) created_ms: i64,
}

#[derive(Queryable)]
struct ProviderRow {
    id: String,
    kind: i16,
    name: String,
    issuer: String,
    client_id: String,
    secret: Vec<u8>,
    scopes: String,
    trusted_email: bool,
    enabled: bool,
    created_ms: i64,
}

fn provider(row: ProviderRow) -> Result<Provider, Fault> {
    Ok(Provider {
        id: row.id,
        kind: Kind::read(row.kind)?,
        name: row.name,
        issuer: row.issuer,
        client_id: row.client_id,
        secret: Sealed::stored(row.secret),
        scopes: row.scopes,
        trusted_email: row.trusted_email,
        enabled: row.enabled,
        created_ms: row.created_ms,
    })
}

/// All providers, by name.
pub(crate) fn providers(conn: &mut Connection) -> Result<Vec<Provider>, Fault> {
    let rows = oauth_providers::table.order(oauth_providers::name.asc());
    rows.load::<ProviderRow>(conn)?
        .into_iter()
        .map(provider)
        .collect()
}

/// One that is switched on.
pub(crate) fn find_enabled(conn: &mut Connection, id: &str) -> Result<Option<Provider>, Fault> {
    let row = oauth_providers::table
        .find(id)
        .filter(oauth_providers::enabled.eq(true))
        .first::<ProviderRow>(conn)
        .optional()?;
    row.map(provider).transpose()
}

/// Stores one; `false` where the name is taken.
pub(crate) fn insert_provider(conn: &mut Connection, new: &Provider) -> QueryResult<bool> {
    unless_taken(conn, |conn| {
        diesel::insert_into(oauth_providers::table)
            .values((
                oauth_providers::id.eq(&new.id),
                oauth_providers::kind.eq(new.kind as i16),
                oauth_providers::name.eq(&new.name),
                oauth_providers::issuer.eq(&new.issuer),
                oauth_providers::client_id.eq(&new.client_id),
                oauth_providers::sealed_client_secret.eq(new.secret.as_bytes()),
                oauth_providers::scopes.eq(&new.scopes),
                oauth_providers::trusted_email.eq(new.trusted_email),
                oauth_providers::enabled.eq(new.enabled),
                oauth_providers::created_ms.eq(new.created_ms),
            ))
            .execute(conn)
    })
}

/// The id of the provider of this name.
pub(crate) fn named(conn: &mut Connection, name: &str) -> Result<Option<String>, Fault> {
    let row = oauth_providers::table.filter(oauth_providers::name.eq(name));
    Ok(row.select(oauth_providers::id).first(conn).optional()?)
}

/// Switches one on or off.
pub(crate) fn enable(conn: &mut Connection, id: &str, enabled: bool) -> Result<(), Fault> {
    diesel::update(oauth_providers::table.find(id))
        .set(oauth_providers::enabled.eq(enabled))
        .execute(conn)?;
    Ok(())
}

/// Forgets one, and all links to it.
pub(crate) fn remove_provider(conn: &mut Connection, id: &str) -> Result<(), Fault> {
    diesel::delete(oauth_providers::table.find(id)).execute(conn)?;
    Ok(())
}

/// How many users get in by this provider and in no other way.
pub(crate) fn stranded_without(conn: &mut Connection, id: &str) -> Result<u64, Fault> {
    let linked = oauth_links::table
        .filter(oauth_links::provider_id.eq(id))
        .select(oauth_links::user_id)
        .distinct()
        .load::<String>(conn)?;
    let mut stranded = 0;
    for user in linked {
        let user = UserId::parse(&user).map_err(|_| Fault::Row("oauth_links.user_id"))?;
        let others = links_of(conn, &user)?.into_iter();
        let others = others.filter(|link| link.enabled && link.provider != id);
        if others.count() == 0 && !has_password(conn, &user)? {
            stranded += 1;
        }
    }
    Ok(stranded)
}

/// Whether there is a password to get in with.
pub(crate) fn has_password(conn: &mut Connection, user: &UserId) -> Result<bool, Fault> {
    let row = users::table
        .find(user.as_str())
        .filter(users::password_hash.is_not_null())
        .select(users::id)
        .first::<String>(conn);
    Ok(row.optional()?.is_some())
}

/// Somebody who is on the way to a provider and back.
pub(crate) struct Journey {
    pub(crate) provider: String,
    /// Hash of the browser's cookie.
    pub(crate) browser: Vec<u8>,
    pub(crate) nonce: String,
    pub(crate) verifier: Sealed,
    /// Where to go at the end.
    pub(crate) redirect_to: String,
    /// Who links an account, and by which login, if somebody does.
    pub(crate) linker: Option<(UserId, CredentialId)>,
}

/// Forgets the journeys beyond the `kept` that end last.
pub(crate) fn make_room(conn: &mut Connection, kept: i64) -> Result<(), Fault> {
    let journeys: i64 = oauth_states::table.count().get_result(conn)?;
    if journeys <= kept {
        return Ok(());
    }
    let oldest = oauth_states::table
        .order(oauth_states::expires_ms.asc())
        .limit(journeys - kept)
        .select(oauth_states::secret_hash)
        .load::<Vec<u8>>(conn)?;
    let oldest = oauth_states::table.filter(oauth_states::secret_hash.eq_any(oldest));
    diesel::delete(oldest).execute(conn)?;
    Ok(())
}

/// Stores one. Those that took too long are forgotten.
pub(crate) fn begin(
    conn: &mut Connection,
    state: SecretHash,
    new: &Journey,
    expires_ms: i64,
) -> Result<(), Fault> {
    let linker = new.linker.as_ref();
    diesel::insert_into(oauth_states::table)
        .values((
            oauth_states::secret_hash.eq(state.as_bytes().as_slice()),
            oauth_states::provider_id.eq(&new.provider),
            oauth_states::browser_hash.eq(&new.browser),
            oauth_states::nonce.eq(&new.nonce),
            oauth_states::sealed_verifier.eq(new.verifier.as_bytes()),
            oauth_states::redirect_to.eq(&new.redirect_to),
            oauth_states::user_id.eq(linker.map(|(user, _)| user.as_str())),
            oauth_states::credential_id.eq(linker.map(|(_, login)| login.as_str())),
            oauth_states::expires_ms.eq(expires_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Lets a login link one account elsewhere, for a time.
pub(crate) fn allow_link(
    conn: &mut Connection,
    login: &CredentialId,
    expires_ms: i64,
) -> Result<(), Fault> {
    diesel::delete(link_intents::table.find(login.as_str())).execute(conn)?;
    diesel::insert_into(link_intents::table)
        .values((
            link_intents::credential_id.eq(login.as_str()),
            link_intents::expires_ms.eq(expires_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Whether the login may; it may no more.
pub(crate) fn take_link(
    conn: &mut Connection,
    login: &CredentialId,
    now_ms: i64,
) -> Result<bool, Fault> {
    let expires_ms = diesel::delete(link_intents::table.find(login.as_str()))
        .returning(link_intents::expires_ms)
        .get_result::<i64>(conn)
        .optional()?;
    Ok(expires_ms.is_some_and(|expires_ms| expires_ms > now_ms))
}

/// Forgets those that took too long.
pub(crate) fn forget_expired(conn: &mut Connection, now_ms: i64) -> Result<(), Fault> {
    let expired = oauth_states::table.filter(oauth_states::expires_ms.le(now_ms));
    diesel::delete(expired).execute(conn)?;
    Ok(())
}

/// Whether a journey with this state was begun and has not ended.
pub(crate) fn is_under_way(
    conn: &mut Connection,
    state: SecretHash,
    now_ms: i64,
) -> Result<bool, Fault> {
    let found = oauth_states::table
        .find(state.as_bytes().as_slice())
        .filter(oauth_states::expires_ms.gt(now_ms));
    Ok(diesel::select(diesel::dsl::exists(found)).get_result(conn)?)
}

/// Takes one out: nobody comes back twice.
pub(crate) fn end(
    conn: &mut Connection,
    state: SecretHash,
    now_ms: i64,
) -> Result<Option<Journey>, Fault> {
    type Row = (
        String,
        Vec<u8>,
        String,
        Vec<u8>,
        String,
        Option<String>,
        Option<String>,
        i64,
    );
    let row = diesel::delete(oauth_states::table.find(state.as_bytes().as_slice()))
        .returning((
            oauth_states::provider_id,
            oauth_states::browser_hash,
            oauth_states::nonce,
            oauth_states::sealed_verifier,
            oauth_states::redirect_to,
            oauth_states::user_id,
            oauth_states::credential_id,
            oauth_states::expires_ms,
        ))
        .get_result::<Row>(conn)
        .optional()?;
    let Some((provider, browser, nonce, verifier, redirect_to, user, login, expires_ms)) = row
    else {
        return Ok(None);
    };
    let linker = match (user, login) {
        (Some(user), Some(login)) => Some((
            UserId::parse(&user).map_err(|_| Fault::Row("oauth_states.user_id"))?,
            CredentialId::parse(&login).map_err(|_| Fault::Row("oauth_states.credential_id"))?,
        )),
        _ => None,
    };
    let journey = Journey {
        provider,
        browser,
        nonce,
        verifier: Sealed::stored(verifier),
        redirect_to,
        linker,
    };
    Ok((expires_ms > now_ms).then_some(journey))
}

/// An account elsewhere that lets a user in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) provider: String,
    pub(crate) provider_name: String,
    /// Whether the provider is switched on.
    pub(crate) enabled: bool,
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    pub(crate) created_ms: i64,
}

/// All links of a user, oldest first.
pub(crate) fn links_of(conn: &mut Connection, user: &UserId) -> Result<Vec<Link>, Fault> {
    type Row = (String, String, bool, String, Option<String>, i64);
    let rows = oauth_links::table
        .inner_join(oauth_providers::table)
        .filter(oauth_links::user_id.eq(user.as_str()))
        .order((oauth_links::created_ms.asc(), oauth_links::subject.asc()))
        .select((
            oauth_links::provider_id,
            oauth_providers::name,
            oauth_providers::enabled,
            oauth_links::subject,
            oauth_links::email,
            oauth_links::created_ms,
        ))
        .load::<Row>(conn)?;
    let link = |(provider, provider_name, enabled, subject, email, created_ms): Row| Link {
        provider,
        provider_name,
        enabled,
        subject,
        email,
        created_ms,
    };
    Ok(rows.into_iter().map(link).collect())
}

/// Whom an account elsewhere lets in.
pub(crate) fn linked(
    conn: &mut Connection,
    provider: &str,
    subject: &str,
) -> Result<Option<UserId>, Fault> {
    let row = oauth_links::table
        .find((provider, subject))
        .select(oauth_links::user_id)
        .first::<String>(conn)
        .optional()?;
    row.map(|user| UserId::parse(&user).map_err(|_| Fault::Row("oauth_links.user_id")))
        .transpose()
}

/// Links an account elsewhere.
pub(crate) fn link(
    conn: &mut Connection,
    provider: &str,
    subject: &str,
    user: &UserId,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::insert_into(oauth_links::table)
        .values((
            oauth_links::provider_id.eq(provider),
            oauth_links::subject.eq(subject),
            oauth_links::user_id.eq(user.as_str()),
            oauth_links::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Remembers the address that the account elsewhere has now.
pub(crate) fn note_email(
    conn: &mut Connection,
    provider: &str,
    subject: &str,
    email: Option<&str>,
) -> Result<(), Fault> {
    diesel::update(oauth_links::table.find((provider, subject)))
        .set(oauth_links::email.eq(email))
        .execute(conn)?;
    Ok(())
}

/// Takes a link away; `false` where it is not this user's.
pub(crate) fn unlink(
    conn: &mut Connection,
    provider: &str,
    subject: &str,
    user: &UserId,
) -> Result<bool, Fault> {
    let own = oauth_links::table
        .find((provider, subject))
        .filter(oauth_links::user_id.eq(user.as_str()));
    Ok(diesel::delete(own).execute(conn)? > 0)
}

/// Keeps a provider's tokens; `due_ms` is when they want to be refreshed, if they can be.
pub(crate) fn keep_tokens(
    conn: &mut Connection,
    provider: &str,
    subject: &str,
    tokens: &Sealed,
    due_ms: Option<i64>,
) -> Result<(), Fault> {
    diesel::update(oauth_links::table.find((provider, subject)))
        .set((
            oauth_links::sealed_tokens.eq(tokens.as_bytes()),
            oauth_links::tokens_expire_ms.eq(due_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Keeps what became of tokens that were due, where they are still the ones that are kept.
pub(crate) fn replace_tokens(
    conn: &mut Connection,
    old: &Due,
    tokens: Option<&Sealed>,
    due_ms: Option<i64>,
) -> Result<(), Fault> {
    diesel::update(oauth_links::table.find((&old.provider, &old.subject)))
        .filter(oauth_links::sealed_tokens.eq(old.tokens.as_bytes()))
        .set((
            oauth_links::sealed_tokens.eq(tokens.map(Sealed::as_bytes)),
            oauth_links::tokens_expire_ms.eq(due_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Puts a refresh off, under the same condition.
pub(crate) fn put_off(conn: &mut Connection, old: &Due, due_ms: i64) -> Result<(), Fault> {
    diesel::update(oauth_links::table.find((&old.provider, &old.subject)))
        .filter(oauth_links::sealed_tokens.eq(old.tokens.as_bytes()))
        .set(oauth_links::tokens_expire_ms.eq(due_ms))
        .execute(conn)?;
    Ok(())
}

/// Tokens that want to be refreshed.
pub(crate) struct Due {
    pub(crate) provider: String,
    pub(crate) subject: String,
    pub(crate) tokens: Sealed,
}

/// Some of those, the most urgent first.
pub(crate) fn due(conn: &mut Connection, by_ms: i64, limit: i64) -> Result<Vec<Due>, Fault> {
    let rows = oauth_links::table
        .filter(oauth_links::tokens_expire_ms.le(by_ms))
        .filter(oauth_links::sealed_tokens.is_not_null())
        .order(oauth_links::tokens_expire_ms.asc())
        .limit(limit)
        .select((
            oauth_links::provider_id,
            oauth_links::subject,
            oauth_links::sealed_tokens.assume_not_null(),
        ))
        .load::<(String, String, Vec<u8>)>(conn)?;
    let due = |(provider, subject, tokens)| Due {
        provider,
        subject,
        tokens: Sealed::stored(tokens),
    };
    Ok(rows.into_iter().map(due).collect())
}

/// Whose verified address this is.
pub(crate) fn owner_of_verified(
    conn: &mut Connection,
    email: &str,
) -> Result<Option<UserId>, Fault> {
    let row = users::table
        .filter(users::email.eq(email))
        .filter(users::email_verified.eq(true))
        .select(users::id)
        .first::<String>(conn)
        .optional()?;
    row.map(|user| UserId::parse(&user).map_err(|_| Fault::Row("users.id")))
        .transpose()
}

#[cfg(test)]
#[path = "oauth_tests.rs"]
mod tests;
