//! API tokens that an operator makes for somebody, like an account of a program.

use serde::Serialize;

use super::{Operator, OperatorError, missing, users};
use crate::{
    clock,
    error::{Field, Refusal},
    scope::Scopes,
    tokens::api_tokens,
};

/// A token that was made. Its two secrets are shown this once.
#[derive(Serialize)]
pub struct Issued {
    /// Names it in lists.
    pub token_id: String,
    /// What a program presents.
    pub access_token: String,
    /// In milliseconds since 1970.
    pub access_expires_unix_ms: i64,
    /// What it trades for the next pair.
    pub refresh_token: String,
    /// In milliseconds since 1970.
    pub refresh_expires_unix_ms: i64,
}

impl Operator {
    /// Makes an API token for a user, by name or id, which is good for these scopes: their words.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn issue_api_token(
        &self,
        who: &str,
        label: &str,
        scopes: &[String],
    ) -> Result<Issued, OperatorError> {
        let scopes = Scopes::parse(scopes.iter().map(String::as_str))
            .filter(|scopes| !scopes.is_empty())
            .ok_or(Refusal::Malformed(Field::Scopes))?;
        let wanted = who.to_owned();
        let user = self.ask(move |conn| users::resolve(conn, &wanted)).await?;
        let user = user.ok_or_else(|| missing("user", who))?;
        let (pepper, now_ms) = (self.pepper().await?, clock::unix_ms());
        let secrets = (&pepper, &self.config.timeouts);
        let (family, pair, made) = api_tokens::for_user(secrets, user, label, scopes, now_ms)?;
        let quota = i64::from(self.config.quotas.api_tokens_per_user);
        self.order(move |conn, notes| {
            api_tokens::insert(conn, notes, (&family, &pair), quota, now_ms)
        })
        .await?;
        Ok(Issued {
            token_id: made.token_id,
            access_token: made.access_token,
            access_expires_unix_ms: made.access_expires_unix_ms,
            refresh_token: made.refresh_token,
            refresh_expires_unix_ms: made.refresh_expires_unix_ms,
        })
    }
}
