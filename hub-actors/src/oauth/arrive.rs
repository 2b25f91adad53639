//! `/oauth/callback`: back from a provider.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use openidconnect::url::form_urlencoded;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    admit::{Admitted, Arrival, Refused, Told},
    depart::ours,
    identity::Unproved,
    page,
    redirect::{safe_target, with_refusal},
    way::Way,
};
use crate::{
    abuse::Network,
    accounts::login::NewLogin,
    asked::Asked,
    clock,
    config::Mode,
    error::{Fault, Refusal},
    http,
    keyring::Place,
    mail::letters,
    notes::Author,
    state::State,
    store::{
        audit::Actor,
        oauth::{self, Journey},
        users::FirstIds,
    },
    telemetry::{self, SignIn},
    token::{Purpose, SecretHash, SecretText},
};

/// What a provider says by way of the browser, and nothing else of it.
const WORDS: [&str; 4] = ["code", "state", "error", "iss"];

/// `POST`, as some providers answer. A browser brings no Lax cookie along with another site's form:
/// it is asked to come again as a navigation, with which it does.
pub(crate) async fn form(payload: web::Payload) -> HttpResponse {
    let Some(body) = http::small_body(payload).await else {
        return page::nowhere("the form cannot be read\n");
    };
    let said = std::str::from_utf8(&body).ok().and_then(super::query);
    let Some(said) = said else {
        return page::nowhere("the form cannot be read\n");
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for word in WORDS {
        if let Some(value) = said.get(word) {
            query.append_pair(word, value);
        }
    }
    HttpResponse::SeeOther()
        .insert_header((
            header::LOCATION,
            format!("/oauth/callback?{}", query.finish()),
        ))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

pub(crate) async fn callback(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let state = state.into_inner();
    if state.config.mode == Mode::Solo {
        return page::nowhere("solo mode has no accounts\n");
    }
    let Some(said) = super::query(request.query_string()) else {
        return refused(&state, "/", Refused::Failed);
    };
    let (hash, journey) = match journey(&request, &state, &said).await {
        Ok(found) => found,
        Err(why) => return refused(&state, "/", why),
    };
    // It was judged when it was stored; judged again, for it costs nothing.
    let target = safe_target(&journey.redirect_to).to_owned();
    match arrive(&request, &state, said, hash, journey).await {
        Ok((Admitted::SignedIn, login)) => {
            telemetry::sign_in(SignIn::Ok);
            let login = http::login_cookie(&request, &state, login.expose().to_owned());
            page::arrive(&state, &target, Some(login))
        }
        Ok((Admitted::Linked, _)) => page::arrive(&state, &target, None),
        Err(why) => refused(&state, &target, why),
    }
}

fn refused(state: &State, target: &str, why: Refused) -> HttpResponse {
    telemetry::sign_in(SignIn::Wrong);
    page::arrive(state, &with_refusal(target, why.word()), None)
}

/// The journey that ends here, if this browser began it. It ends in any case: a state that was
/// shown to somebody else is worth nothing any more. Whoever makes states up does not get as far as
/// the writer's lock.
async fn journey(
    request: &HttpRequest,
    state: &State,
    said: &BTreeMap<String, String>,
) -> Result<(SecretHash, Journey), Refused> {
    let network = Network::from(http::from(request, state).address);
    let limited = state.abuse.request(network);
    limited.map_err(|_| Refused::Limited)?;
    let secret = said.get("state").ok_or(Refused::Expired)?;
    let hash = state.pepper.hash(Purpose::OauthState, secret);
    let is_known = state
        .store
        .run_for_stranger(move |conn| oauth::is_under_way(conn, hash, clock::unix_ms()));
    if !is_known.await.map_err(ours)? {
        return Err(Refused::Expired);
    }
    let ended = state
        .store
        .write(move |conn| oauth::end(conn, hash, clock::unix_ms()).map(Ok::<_, Fault>));
    let ended = ended.await.map_err(ours)?.map_err(ours)?;
    let journey = ended.ok_or(Refused::Expired)?;
    let browser = page::browser(request, state).ok_or(Refused::Expired)?;
    let browser = state.pepper.hash(Purpose::OauthBrowser, &browser);
    if bool::from(browser.as_bytes().ct_eq(journey.browser.as_slice())) {
        Ok((hash, journey))
    } else {
        Err(Refused::Expired)
    }
}

async fn arrive(
    request: &HttpRequest,
    state: &Arc<State>,
    mut said: BTreeMap<String, String>,
    hash: SecretHash,
    journey: Journey,
) -> Result<(Admitted, SecretText), Refused> {
    let id = journey.provider.clone();
    let provider = state.store.run(move |conn| oauth::find_enabled(conn, &id));
    let provider = provider.await.map_err(ours)?.ok_or(Refused::Failed)?;
    // RFC 9207: an answer of another provider than the one that was asked.
    if said
        .get("iss")
        .is_some_and(|issuer| *issuer != provider.issuer)
    {
        return Err(super::unproved(
            &provider,
            &Unproved::IdToken("another issuer answers"),
        ));
    }
    if let Some(error) = said.get("error") {
        return Err(match error.as_str() {
            "access_denied" | "user_cancelled_authorize" => Refused::Denied,
            _ => Refused::Failed,
        });
    }
    let code = said.remove("code").ok_or(Refused::Failed)?;
    let verifier = verifier(state, hash, &journey).map_err(ours)?;
    let host = http::host(request);
    let way = Way::new(provider, &state.keyring, super::here(state, &host)).map_err(ours)?;
    let identity = way.identify(&state.oauth, code, &journey.nonce, &verifier);
    let identity = identity
        .await
        .map_err(|why| super::unproved(&way.provider, &why))?;

    let asked = Asked::new(Arc::clone(state), None, http::from(request, state), None);
    let (login, secret) = NewLogin::of(&asked).map_err(ours)?;
    let arrival = Arrival {
        provider: way.provider,
        identity,
        linker: journey.linker,
        login,
        ids: FirstIds::random().map_err(ours)?,
        keyring: Arc::clone(&state.keyring),
        sign_up: state.config.sign_up,
    };
    let name = arrival.provider.name.clone();
    let (admitted, told) = decide(&asked, arrival).await?;
    if let Some(Told { username, email }) = told {
        let hub = &state.config.public_url;
        state
            .mailer
            .post(letters::linked(hub, email, &username, &name));
    }
    Ok((admitted, secret))
}

fn verifier(
    state: &State,
    hash: SecretHash,
    journey: &Journey,
) -> Result<Zeroizing<String>, Fault> {
    let place = Place::StateVerifier {
        state: hash.as_bytes().to_vec(),
    };
    let verifier = state.keyring.open(&place, &journey.verifier)?;
    let verifier = std::str::from_utf8(&verifier);
    let verifier = verifier.map_err(|_| Fault::Row("oauth_states.sealed_verifier"))?;
    Ok(Zeroizing::new(verifier.to_owned()))
}

/// A refusal leaves nothing behind, so it is carried through as one.
async fn decide(asked: &Asked, arrival: Arrival) -> Result<(Admitted, Option<Told>), Refused> {
    let author = match &arrival.linker {
        Some((user, _)) => Author {
            actor: Actor::User,
            id: user.as_str().to_owned(),
            address: asked.from.address_text(),
        },
        None => asked.author(),
    };
    let why = Arc::new(Mutex::new(Refused::Failed));
    let told = Arc::clone(&why);
    let done = asked.state.order(author, move |conn, notes| {
        Ok(match arrival.admit(conn, notes)? {
            Ok(admitted) => Ok(admitted),
            Err(refused) => {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = refused;
                Err(Refusal::NotFound)
            }
        })
    });
    done.await.map_err(|refusal| {
        if refusal == Refusal::NotFound {
            *why.lock().unwrap_or_else(PoisonError::into_inner)
        } else {
            Refused::Failed
        }
    })
}
