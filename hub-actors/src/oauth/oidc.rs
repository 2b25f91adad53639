//! OpenID Connect: discovery, the code with PKCE, and the ID token, all by the library.

use openidconnect::{
    AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    SignatureVerificationError, TokenResponse as _,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdTokenClaims,
        CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreTokenResponse, CoreUserInfoClaims,
    },
};
use zeroize::Zeroizing;

use super::{
    client::{Client, may_reach},
    identity::{self, Identity, Tokens, Unproved},
    way::Way,
};

/// Signatures of keys that a provider publishes. Neither `none`, nor one under our own client secret.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Ready = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The issuer that answers with a form, and not with a query, where it is asked for a name.
const APPLE: &str = "https://appleid.apple.com";

async fn client(http: &Client, way: &Way) -> Result<Ready, Unproved> {
    match http.described(&way.provider.issuer) {
        Some(described) => ready(way, described),
        None => ready(way, describe(http, way).await?),
    }
}

/// Asks the provider what it is.
async fn describe(http: &Client, way: &Way) -> Result<CoreProviderMetadata, Unproved> {
    let issuer = IssuerUrl::new(way.provider.issuer.clone()).map_err(|_| Unproved::Address)?;
    let send = |request| http.send(&way.provider.issuer, request);
    let described = CoreProviderMetadata::discover_async(issuer, &send).await;
    let described = described.map_err(|_| Unproved::Discovery)?;
    http.remember(&way.provider.issuer, described.clone());
    Ok(described)
}

fn ready(way: &Way, described: CoreProviderMetadata) -> Result<Ready, Unproved> {
    if !may_reach(
        &way.provider.issuer,
        described.authorization_endpoint().as_str(),
    ) {
        return Err(Unproved::Address);
    }
    let methods = described.token_endpoint_auth_methods_supported();
    let only_post = methods.is_some_and(|methods| {
        methods.contains(&CoreClientAuthMethod::ClientSecretPost)
            && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
    });
    let id = ClientId::new(way.provider.client_id.clone());
    let secret = ClientSecret::new(way.secret.as_str().to_owned());
    let back = RedirectUrl::new(way.back.clone()).map_err(|_| Unproved::Address)?;
    let client = CoreClient::from_provider_metadata(described, id, Some(secret));
    let client = client.set_redirect_uri(back);
    Ok(if only_post {
        client.set_auth_type(AuthType::RequestBody)
    } else {
        client
    })
}

/// Where a browser is sent to sign in.
pub(super) async fn authorisation(
    http: &Client,
    way: &Way,
    state: &str,
    nonce: &str,
    verifier: &str,
) -> Result<String, Unproved> {
    let client = client(http, way).await?;
    let (state, nonce) = (state.to_owned(), nonce.to_owned());
    let verifier = PkceCodeVerifier::new(verifier.to_owned());
    let mut request = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            move || Nonce::new(nonce),
        )
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    for scope in way.scopes().filter(|scope| *scope != "openid") {
        request = request.add_scope(Scope::new(scope.to_owned()));
    }
    if way.provider.issuer == APPLE {
        request = request.add_extra_param("response_mode", "form_post");
    }
    let (url, _, _) = request.url();
    Ok(url.into())
}

/// Trades a code for an identity.
pub(super) async fn identify(
    http: &Client,
    way: &Way,
    code: String,
    nonce: &str,
    verifier: &str,
) -> Result<Identity, Unproved> {
    let client = client(http, way).await?;
    let send = |request| http.send(&way.provider.issuer, request);
    let request = client.exchange_code(AuthorizationCode::new(code));
    let request = request.map_err(|_| Unproved::Discovery)?;
    let answer = request
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
        .request_async(&send)
        .await;
    let answer = answer.map_err(|_| Unproved::Code)?;
    let claims = match proved(&client, &answer, nonce) {
        // The provider may have begun to sign with another since it was asked.
        Err(Unproved::Key) => {
            let client = ready(way, describe(http, way).await?)?;
            proved(&client, &answer, nonce)?
        }
        proved => proved?,
    };
    let subject = identity::subject(claims.subject())?;
    let mut about = about(&claims);
    if about.email.is_none() && client.user_info_url().is_some() {
        let asked = client.user_info(
            answer.access_token().clone(),
            Some(claims.subject().clone()),
        );
        let asked = asked.map_err(|_| Unproved::Account)?;
        let told: Result<CoreUserInfoClaims, _> = asked.request_async(&send).await;
        about.add(&told.map_err(|_| Unproved::Account)?);
    }
    Ok(Identity {
        subject,
        email: about.email,
        preferred: about.preferred,
        display_name: about.display_name,
        tokens: tokens(&answer),
    })
}

/// The ID token's claims, when everything about it is right.
fn proved(
    client: &Ready,
    answer: &CoreTokenResponse,
    nonce: &str,
) -> Result<CoreIdTokenClaims, Unproved> {
    let token = answer.id_token().ok_or(Unproved::NoIdToken)?;
    let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
    let claims = token
        .claims(&verifier, &Nonce::new(nonce.to_owned()))
        .map_err(|error| unproved(&error))?;
    if let Some(expected) = claims.access_token_hash() {
        let wrong = Unproved::IdToken("its access token is another");
        let (Ok(algorithm), Ok(key)) = (token.signing_alg(), token.signing_key(&verifier)) else {
            return Err(wrong);
        };
        let found = AccessTokenHash::from_token(answer.access_token(), algorithm, key);
        if found.ok().as_ref() != Some(expected) {
            return Err(wrong);
        }
    }
    Ok(claims.clone())
}

fn unproved(error: &ClaimsVerificationError) -> Unproved {
    let is_unknown_key = matches!(
        error,
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)
    );
    if is_unknown_key {
        Unproved::Key
    } else {
        Unproved::IdToken(why(error))
    }
}

/// The library's texts hold what the provider said.
fn why(error: &ClaimsVerificationError) -> &'static str {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's list is open, and one word does for the rest"
    )]
    match error {
        ClaimsVerificationError::Expired(_) => "it expired",
        ClaimsVerificationError::InvalidAudience(_) => "it is for another client",
        ClaimsVerificationError::InvalidIssuer(_) => "another issuer made it",
        ClaimsVerificationError::InvalidNonce(_) => "it answers another request",
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::DisallowedAlg(_)
            | SignatureVerificationError::UnsupportedAlg(_),
        ) => "it is not signed in an accepted way",
        ClaimsVerificationError::SignatureVerification(_) => "its signature is wrong",
        _ => "it is malformed",
    }
}

/// What is known about somebody beside who they are.
struct About {
    email: Option<identity::Email>,
    preferred: String,
    display_name: String,
}

fn about(claims: &CoreIdTokenClaims) -> About {
    let email = claims
        .email()
        .and_then(|email| identity::email(email, claims.email_verified().unwrap_or(false)));
    let preferred = claims.preferred_username().map(|name| name.as_str());
    let name = claims.name().and_then(|name| name.get(None));
    About {
        email,
        preferred: preferred.unwrap_or_default().to_owned(),
        display_name: name
            .map(|name| name.as_str().to_owned())
            .unwrap_or_default(),
    }
}

impl About {
    fn add(&mut self, told: &CoreUserInfoClaims) {
        self.email = told
            .email()
            .and_then(|email| identity::email(email, told.email_verified().unwrap_or(false)));
        if self.preferred.is_empty()
            && let Some(name) = told.preferred_username()
        {
            name.as_str().clone_into(&mut self.preferred);
        }
        if self.display_name.is_empty()
            && let Some(name) = told.name().and_then(|name| name.get(None))
        {
            name.as_str().clone_into(&mut self.display_name);
        }
    }
}

fn tokens(answer: &CoreTokenResponse) -> Tokens {
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
    let client = client(http, way).await?;
    let send = |request| http.send(&way.provider.issuer, request);
    let token = openidconnect::RefreshToken::new(token.to_owned());
    let request = client.exchange_refresh_token(&token);
    let request = request.map_err(|_| Unproved::Discovery)?;
    let answer = request.request_async(&send).await;
    let answer = answer.map_err(|error| identity::unrefreshed(&error))?;
    Ok(tokens(&answer))
}
