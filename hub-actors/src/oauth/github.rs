//! GitHub, which has no ID token: its API says who somebody is.

use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _, TokenUrl,
    basic::{BasicClient, BasicTokenResponse},
};
use serde::{Deserialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{
    client::Client,
    identity::{self, Identity, Tokens, Unproved},
    way::Way,
};

/// The public one; every other address is an Enterprise server, which has its API below itself.
pub(crate) const PUBLIC: &str = "https://github.com";
const PUBLIC_API: &str = "https://api.github.com";

type Ready = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

fn client(way: &Way) -> Result<Ready, Unproved> {
    let base = way.provider.issuer.trim_end_matches('/');
    let address = |_| Unproved::Address;
    let authorise = AuthUrl::new(format!("{base}/login/oauth/authorize")).map_err(address)?;
    let token = TokenUrl::new(format!("{base}/login/oauth/access_token")).map_err(address)?;
    let back = RedirectUrl::new(way.back.clone()).map_err(address)?;
    let client = BasicClient::new(ClientId::new(way.provider.client_id.clone()))
        .set_client_secret(ClientSecret::new(way.secret.as_str().to_owned()))
        .set_auth_uri(authorise)
        .set_token_uri(token)
        .set_redirect_uri(back);
    Ok(client)
}

/// Where a browser is sent to sign in.
pub(super) fn authorisation(way: &Way, state: &str, verifier: &str) -> Result<String, Unproved> {
    let state = state.to_owned();
    let verifier = PkceCodeVerifier::new(verifier.to_owned());
    let client = client(way)?;
    let mut request = client
        .authorize_url(move || CsrfToken::new(state))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    for scope in way.scopes() {
        request = request.add_scope(Scope::new(scope.to_owned()));
    }
    Ok(request.url().0.into())
}

/// Trades a code for an identity.
pub(super) async fn identify(
    http: &Client,
    way: &Way,
    code: String,
    verifier: &str,
) -> Result<Identity, Unproved> {
    let send = |request| http.send(&way.provider.issuer, request);
    let answer = client(way)?
        .exchange_code(AuthorizationCode::new(code))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
        .request_async(&send)
        .await;
    let tokens = tokens(&answer.map_err(|_| Unproved::Code)?);
    let account: Account = ask(http, way, "/user", &tokens).await?;
    let emails: Vec<Address> = ask(http, way, "/user/emails", &tokens).await?;
    let email = emails.into_iter().find(|one| one.primary && one.verified);
    Ok(Identity {
        subject: identity::subject(&account.id.to_string())?,
        email: email.and_then(|one| identity::email(&one.email, true)),
        preferred: account.login,
        display_name: account.name.unwrap_or_default(),
        tokens,
    })
}

/// The number stays when the name changes hands.
#[derive(Deserialize)]
struct Account {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

async fn ask<T: DeserializeOwned>(
    http: &Client,
    way: &Way,
    path: &str,
    tokens: &Tokens,
) -> Result<T, Unproved> {
    let base = way.provider.issuer.trim_end_matches('/');
    let api = match base {
        PUBLIC => PUBLIC_API.to_owned(),
        enterprise => format!("{enterprise}/api/v3"),
    };
    let bearer = Zeroizing::new(format!("Bearer {}", tokens.access.as_str()));
    let request = http::Request::get(format!("{api}{path}"))
        .header("authorization", bearer.as_str())
        .header("accept", "application/vnd.github+json")
        .body(Vec::new())
        .map_err(|_| Unproved::Account)?;
    let answer = http.send(&way.provider.issuer, request).await;
    let answer = answer.map_err(|_| Unproved::Account)?;
    if !answer.status().is_success() {
        return Err(Unproved::Account);
    }
    serde_json::from_slice(answer.body()).map_err(|_| Unproved::Account)
}

fn tokens(answer: &BasicTokenResponse) -> Tokens {
    Tokens {
        access: Zeroizing::new(answer.access_token().secret().clone()),
        refresh: answer
            .refresh_token()
            .map(|token| Zeroizing::new(token.secret().clone())),
        expires_ms: answer.expires_in().map(super::tokens::at),
    }
}

/// Trades a refresh token for new tokens.
pub(super) async fn refresh(http: &Client, way: &Way, token: &str) -> Result<Tokens, Unproved> {
    let send = |request| http.send(&way.provider.issuer, request);
    let token = oauth2::RefreshToken::new(token.to_owned());
    let client = client(way)?;
    let answer = client
        .exchange_refresh_token(&token)
        .request_async(&send)
        .await;
    let answer = answer.map_err(|error| identity::unrefreshed(&error))?;
    Ok(tokens(&answer))
}
