//! `GET /oauth/start/{provider}?redirect=/path`: off to a provider.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    admit::Refused,
    identity::Unproved,
    page,
    redirect::{safe_target, with_refusal},
    way::Way,
};
use crate::{
    abuse::Network,
    caller::Kind,
    clock,
    config::Mode,
    error::Fault,
    http,
    keyring::Place,
    state::State,
    store::oauth::{self, Journey},
    token::{Purpose, SecretText},
};

/// Journeys at a time, of everybody: each costs a row until it ends or expires. The oldest make room:
/// whoever begins many, from wherever, keeps nobody from beginning another.
const JOURNEYS_MAX: i64 = 10_000;

pub(crate) async fn start(
    request: HttpRequest,
    id: web::Path<String>,
    state: web::Data<State>,
) -> HttpResponse {
    let query = super::query(request.query_string()).unwrap_or_default();
    let target = safe_target(query.get("redirect").map_or("/", String::as_str)).to_owned();
    match set_out(&request, &state, id.into_inner(), &target).await {
        Ok(Some(departed)) => departed,
        Ok(None) => page::nowhere("there is no such provider\n"),
        Err(refused) => page::arrive(&state, &with_refusal(&target, refused.word()), None),
    }
}

async fn set_out(
    request: &HttpRequest,
    state: &State,
    id: String,
    target: &str,
) -> Result<Option<HttpResponse>, Refused> {
    if state.config.mode == Mode::Solo {
        return Ok(None);
    }
    let network = Network::from(http::from(request, state).address);
    let limited = state.abuse.oauth(network);
    limited.map_err(|_| Refused::Limited)?;
    let found = state
        .store
        .run_for_stranger(move |conn| oauth::find_enabled(conn, &id));
    let Some(provider) = found.await.map_err(ours)? else {
        return Ok(None);
    };
    let caller = state.caller(http::presented(request, state)).await;
    let linker = caller.map_err(ours)?;
    let linker = linker.filter(|caller| caller.kind == Kind::Login);
    let linker = linker.map(|caller| (caller.user, caller.credential));

    let host = http::host(request);
    let way = Way::new(provider, &state.keyring, super::here(state, &host)).map_err(ours)?;
    let secrets = Secrets::random().map_err(ours)?;
    let url = way
        .authorisation(
            &state.oauth,
            secrets.state.expose(),
            secrets.nonce.expose(),
            secrets.verifier.expose(),
        )
        .await
        .map_err(|why| super::unproved(&way.provider, &why))?;
    let begun = secrets.begin(state, way.provider.id, target.to_owned(), linker);
    begun.await.map_err(ours)?;
    Ok(Some(page::depart(state, &url, &secrets.browser)))
}

/// Logged, and told to nobody.
pub(super) fn ours(fault: Fault) -> Refused {
    let _logged = super::log(&Unproved::Fault(fault));
    Refused::Failed
}

/// What only this browser, or only this journey, knows.
struct Secrets {
    state: SecretText,
    browser: SecretText,
    nonce: SecretText,
    verifier: SecretText,
}

impl Secrets {
    fn random() -> Result<Self, Fault> {
        let random = |purpose| Ok::<_, Fault>(SecretText::from_random(purpose, clock::random()?));
        Ok(Self {
            state: random(Purpose::OauthState)?,
            browser: random(Purpose::OauthBrowser)?,
            // Neither has a hash: one comes back inside the ID token, one is sealed.
            nonce: random(Purpose::OauthState)?,
            verifier: random(Purpose::OauthState)?,
        })
    }

    /// Writes the journey down.
    async fn begin(
        &self,
        state: &State,
        provider: String,
        target: String,
        linker: Option<(schema::ids::UserId, schema::ids::CredentialId)>,
    ) -> Result<(), Fault> {
        let hash = state.pepper.hash(Purpose::OauthState, self.state.expose());
        let browser = state
            .pepper
            .hash(Purpose::OauthBrowser, self.browser.expose());
        let (nonce, verifier) = (self.nonce.clone(), self.verifier.clone());
        let keyring = std::sync::Arc::clone(&state.keyring);
        let begun = state.store.write(move |conn| {
            let now_ms = clock::unix_ms();
            oauth::forget_expired(conn, now_ms)?;
            oauth::make_room(conn, JOURNEYS_MAX - 1)?;
            let place = Place::StateVerifier {
                state: hash.as_bytes().to_vec(),
            };
            let journey = Journey {
                provider: provider.clone(),
                browser: browser.as_bytes().to_vec(),
                nonce: nonce.expose().to_owned(),
                verifier: keyring.seal(&place, verifier.expose().as_bytes())?,
                redirect_to: target.clone(),
                linker: linker.clone(),
            };
            oauth::begin(conn, hash, &journey, now_ms + page::AWAY_SECONDS * 1_000)?;
            Ok(Ok::<_, Fault>(()))
        });
        begun.await?
    }
}
