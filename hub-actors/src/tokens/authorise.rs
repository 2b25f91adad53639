//! The command line's login by a browser of the same machine (RFC 8252), with a proof that whoever
//! brings the code is whoever asked for it (RFC 7636, S256 only).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schema::wire::{
    AuthoriseCommandLineRequest, AuthoriseCommandLineResponse, ExchangeAuthorisationRequest,
    TokenPair,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    api_tokens::{as_user, insert, new_family},
    label,
    pair::after,
    spent,
};
use crate::{
    asked::Asked,
    clock,
    error::{Field, Quota, Refusal},
    scope::Scopes,
    store::{
        api_tokens::NewFamily,
        audit::Object,
        command_line::{self, Authorisation},
        users,
    },
    token::{Purpose, SecretText},
};

/// Codes of one user that may wait to be traded.
const WAITING_MAX: i64 = 16;

/// Gives a code for the caller's own account, by way of the caller's browser.
pub(crate) async fn authorise_command_line(
    asked: &Asked,
    request: AuthoriseCommandLineRequest,
) -> Result<AuthoriseCommandLineResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?);
    let client = label(&request.client, Field::Client)?;
    check(is_challenge(&request.challenge), Field::Challenge)?;
    check(is_loopback(&request.redirect_uri), Field::RedirectUri)?;
    check(is_state(&request.state), Field::State)?;
    let code = SecretText::from_random(Purpose::Authorisation, clock::random()?);
    let hash = state.pepper.hash(Purpose::Authorisation, code.expose());
    let now_ms = clock::unix_ms();
    let redirect_to = format!(
        "{}?code={}&state={}",
        request.redirect_uri,
        code.expose(),
        request.state
    );
    let given = Authorisation {
        challenge: request.challenge,
        redirect_uri: request.redirect_uri,
        user: caller.user.clone(),
        credential: caller.credential.clone(),
        client,
        expires_ms: after(now_ms, state.config.timeouts.authorisation_ms),
    };
    let order = state.order(asked.author(), move |conn, notes| {
        if command_line::authorised(conn, &given.user, now_ms)? >= WAITING_MAX {
            return Ok(Err(spent(
                Quota::CommandLineLogins,
                Duration::from_secs(60),
            )));
        }
        command_line::authorise(conn, hash, &given, now_ms)?;
        notes.audit("command_line.authorised", Object::User, given.user.as_str());
        Ok(Ok(()))
    });
    order.await?;
    Ok(AuthoriseCommandLineResponse { redirect_to })
}

/// Trades a code, exactly once: also a trade with a wrong verifier uses it up.
pub(crate) async fn exchange_authorisation(
    asked: &Asked,
    request: ExchangeAuthorisationRequest,
) -> Result<TokenPair, Refusal> {
    let state = &asked.state;
    check(is_verifier(&request.verifier), Field::Verifier)?;
    if request.code.len() > 256 {
        return Err(Refusal::WrongCode);
    }
    let hash = state.pepper.hash(Purpose::Authorisation, &request.code);
    let user = state
        .store
        .run_for_stranger(move |conn| command_line::authoriser(conn, hash));
    let user = user.await?.ok_or(Refusal::WrongCode)?;
    let now_ms = clock::unix_ms();
    let author = as_user(asked, &user);
    let (family, pair) = new_family(asked, user, String::new(), Scopes::ALL, now_ms)?;
    let (new, stored) = (family.clone(), pair.stored.clone());
    let quota = i64::from(state.config.quotas.api_tokens_per_user);
    let order = state.order(author, move |conn, notes| {
        let taken = command_line::take_authorisation(conn, hash, now_ms)?;
        let user = users::find_enabled(conn, &new.user)?;
        // The code is gone, whatever becomes of whoever brought it.
        let Some((taken, user)) = taken.filter(|taken| is_for(taken, &request)).zip(user) else {
            return Ok(Ok(Err(Refusal::WrongCode)));
        };
        let new = NewFamily {
            label: taken.client,
            ..new.clone()
        };
        let inserted = insert(conn, notes, (&new, &stored), quota, now_ms)?;
        Ok(inserted.map(|()| Ok(user.username)))
    });
    let username = order.await??;
    Ok(pair.hand_over(&family.id, Scopes::ALL, username))
}

/// Whether whoever brings a code is whoever asked for it.
fn is_for(taken: &Authorisation, request: &ExchangeAuthorisationRequest) -> bool {
    let same = challenge_of(&request.verifier)
        .as_bytes()
        .ct_eq(taken.challenge.as_bytes());
    bool::from(same) && request.redirect_uri == taken.redirect_uri
}

fn check(fits: bool, field: Field) -> Result<(), Refusal> {
    fits.then_some(()).ok_or(Refusal::Malformed(field))
}

/// RFC 7636, 4.2: S256.
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// SHA-256 in base64url.
fn is_challenge(text: &str) -> bool {
    text.len() == 43
        && URL_SAFE_NO_PAD
            .decode(text)
            .is_ok_and(|hash| hash.len() == 32)
}

/// RFC 7636, 4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)
}

fn is_state(text: &str) -> bool {
    text.len() <= 256 && text.bytes().all(is_unreserved)
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// A port of the machine that the browser runs on, by address: a name may lead elsewhere.
fn is_loopback(uri: &str) -> bool {
    let rest = ["http://127.0.0.1:", "http://[::1]:"]
        .into_iter()
        .find_map(|origin| uri.strip_prefix(origin));
    let Some((port, path)) = rest.and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    is_port && path.len() <= 128 && path.bytes().all(|byte| byte == b'/' || is_unreserved(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_that_of_the_standards_example() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(is_verifier(verifier) && is_challenge(challenge));
        assert_eq!(challenge_of(verifier), challenge);
        for short in ["", "E9Melhoa", &challenge[1..], &format!("{challenge}=")] {
            assert!(!is_challenge(short), "{short}");
        }
    }

    #[test]
    fn a_code_goes_to_this_machine_and_nowhere_else() {
        for good in [
            "http://127.0.0.1:1/",
            "http://127.0.0.1:65535/callback",
            "http://[::1]:4000/a/b-c",
        ] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "http://127.0.0.1/",
            "http://127.0.0.1:80",
            "http://127.0.0.1:0/",
            "http://127.0.0.1:65536/",
            "http://127.0.0.1:80@evil.example/",
            "http://127.0.0.1:80/?x=1",
            "http://127.0.0.1:80/#x",
            "http://127.0.0.1:80/\\evil",
            "http://localhost:80/",
            "https://127.0.0.1:80/",
            "http://127.0.0.1.evil.example:80/",
            "http://evil.example:80/",
            "javascript:alert(1)",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
