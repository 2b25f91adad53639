//! Whom a provider says that somebody is, and why it may not be believed.

use oauth2::{RequestTokenError, basic::BasicErrorResponse};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::Fault;

/// Somebody, as a provider vouches for them.
pub(crate) struct Identity {
    /// The provider's own id for them, which never becomes another's.
    pub(crate) subject: String,
    pub(crate) email: Option<Email>,
    /// What they would like to be called here.
    pub(crate) preferred: String,
    pub(crate) display_name: String,
    pub(crate) tokens: Tokens,
}

/// An address, and whether the provider says that it is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email {
    /// In lower case.
    pub(crate) address: String,
    pub(crate) verified: bool,
}

/// What a provider gives for later. Sealed at rest.
pub(crate) struct Tokens {
    pub(crate) access: Zeroizing<String>,
    pub(crate) refresh: Option<Zeroizing<String>>,
    pub(crate) expires_ms: Option<i64>,
}

/// Why nobody came back from a provider. A closed list: what a provider says stands in no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unproved {
    /// It could not be reached, or its description could not be read.
    #[error("the provider's description cannot be had")]
    Discovery,
    /// It names an address that must not be asked.
    #[error("the provider names an address that is not https")]
    Address,
    /// It did not take the code, or could not be asked.
    #[error("the provider did not take the code")]
    Code,
    /// It says that a refresh token is good no more.
    #[error("the provider has taken its tokens back")]
    TakenBack,
    /// It could not be asked for new tokens, or did not say whether it gives any.
    #[error("the provider did not refresh its tokens")]
    Unrefreshed,
    /// It gave no ID token.
    #[error("the provider gave no ID token")]
    NoIdToken,
    /// It signed with a key that it did not describe.
    #[error("the ID token is signed with an unknown key")]
    Key,
    /// The ID token is not one for us, now.
    #[error("the ID token is refused: {0}")]
    IdToken(&'static str),
    /// The account could not be read.
    #[error("the provider did not tell about the account")]
    Account,
    /// Ours.
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// What a provider says of a refresh token that is good no more: the standard's word (RFC 6749, 5.2),
/// and GitHub's.
const TAKEN_BACK: [&str; 2] = ["invalid_grant", "bad_refresh_token"];

/// Why there are no new tokens. Only the provider's own word about the token ends it: not a network
/// that fails, nor a client secret that the operator mistyped.
pub(super) fn unrefreshed<E: std::error::Error>(
    error: &RequestTokenError<E, BasicErrorResponse>,
) -> Unproved {
    let is_taken_back = match error {
        RequestTokenError::ServerResponse(said) => TAKEN_BACK.contains(&said.error().as_ref()),
        // GitHub refuses with a status that says that all is well.
        RequestTokenError::Parse(_, body) => serde_json::from_slice::<Refused>(body)
            .is_ok_and(|said| TAKEN_BACK.contains(&said.error.as_str())),
        RequestTokenError::Request(_) | RequestTokenError::Other(_) => false,
    };
    if is_taken_back {
        Unproved::TakenBack
    } else {
        Unproved::Unrefreshed
    }
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// A subject as it is kept: not empty, and no longer than OpenID Connect allows.
pub(super) fn subject(text: &str) -> Result<String, Unproved> {
    let fits = (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned()).ok_or(Unproved::Account)
}

/// An address as it is kept; one that is none here is none.
pub(super) fn email(address: &str, verified: bool) -> Option<Email> {
    let address = crate::accounts::fields::email(address).ok()??;
    Some(Email { address, verified })
}

#[cfg(test)]
mod tests {
    use oauth2::{ClientId, RefreshToken, TokenUrl, basic::BasicClient};
    use openidconnect::{HttpRequest, HttpResponse};

    use super::*;

    /// What becomes of a refresh that is answered so; `None` is no answer.
    async fn refresh(answer: Option<(u16, &'static str)>) -> Unproved {
        let address = TokenUrl::new("https://id.example/token".to_owned()).unwrap();
        let client = BasicClient::new(ClientId::new("client".to_owned())).set_token_uri(address);
        let send = move |_: HttpRequest| async move {
            let (status, body) = answer.ok_or(std::fmt::Error)?;
            let said: HttpResponse = http::Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(body.as_bytes().to_vec())
                .unwrap();
            Ok::<_, std::fmt::Error>(said)
        };
        let token = RefreshToken::new("refresh".to_owned());
        let request = client.exchange_refresh_token(&token);
        unrefreshed(&request.request_async(&send).await.unwrap_err())
    }

    #[tokio::test]
    async fn only_the_providers_own_word_takes_tokens_back() {
        for said in [
            (400, r#"{"error":"invalid_grant"}"#),
            (
                200,
                r#"{"error":"bad_refresh_token","error_description":"no"}"#,
            ),
        ] {
            let refused = refresh(Some(said)).await;
            assert!(matches!(refused, Unproved::TakenBack), "{said:?}");
        }
        for hiccup in [
            None,
            Some((400, r#"{"error":"invalid_client"}"#)),
            Some((503, r#"{"error":"temporarily_unavailable"}"#)),
            Some((502, "<html>bad gateway</html>")),
            Some((200, "<html>sign in to the network</html>")),
        ] {
            let failed = refresh(hiccup).await;
            assert!(matches!(failed, Unproved::Unrefreshed), "{hiccup:?}");
        }
    }
}
