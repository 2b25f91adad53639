//! `GET /oauth/start/{provider}?redirect=/path`: off to a provider, to sign in; with `link=1` to link
//! an account there, where the login was let to begin that.

use actix_web::{HttpRequest, HttpResponse, web};
use schema::ids::{CredentialId, UserId};

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
    let wish = Wish {
        provider: id.into_inner(),
        target: safe_target(query.get("redirect").map_or("/", String::as_str)).to_owned(),
        links: query.get("link").is_some_and(|link| link == "1"),
    };
    match set_out(&request, &state, &wish).await {
        Ok(Some(departed)) => departed,
        Ok(None) => page::nowhere("there is no such provider\n"),
        Err(refused) => page::arrive(&state, &with_refusal(&wish.target, refused.word()), None),
    }
}

/// Where somebody wants to go, and where to come back to.
struct Wish {
    provider: String,
    target: String,
    /// Whether to link an account, and not to sign in.
    links: bool,
}

async fn set_out(
    request: &HttpRequest,
    state: &State,
    wish: &Wish,
) -> Result<Option<HttpResponse>, Refused> {
    let id = wish.provider.clone();
    // No text of PostgreSQL's holds a NUL.
    if state.config.mode == Mode::Solo || id.contains('\0') {
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
    let linker = if wish.links {
        Some(linker(request, state).await?)
    } else {
        None
    };

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
    let begun = secrets.begin(state, way.provider.id, wish.target.clone(), linker);
    if !begun.await.map_err(ours)? {
        return Err(Refused::Expired);
    }
    Ok(Some(page::depart(state, &url, &secrets.browser)))
}

/// Whose login it is that wants to link an account.
async fn linker(request: &HttpRequest, state: &State) -> Result<(UserId, CredentialId), Refused> {
    let caller = state.caller(http::presented(request, state)).await;
    let login = caller.map_err(ours)?;
    let login = login.filter(|caller| caller.kind == Kind::Login);
    let login = login.map(|caller| (caller.user, caller.credential));
    login.ok_or(Refused::Expired)
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

    /// Writes the journey down; `false` where the login may not link an account.
    async fn begin(
        &self,
        state: &State,
        provider: String,
        target: String,
        linker: Option<(UserId, CredentialId)>,
    ) -> Result<bool, Fault> {
        let hash = state.pepper.hash(Purpose::OauthState, self.state.expose());
        let browser = state
            .pepper
            .hash(Purpose::OauthBrowser, self.browser.expose());
        let (nonce, verifier) = (self.nonce.clone(), self.verifier.clone());
        let keyring = std::sync::Arc::clone(&state.keyring);
        let begun = state.store.write(move |conn| {
            let now_ms = clock::unix_ms();
            if let Some((_, login)) = &linker
                && !oauth::take_link(conn, login, now_ms)?
            {
                return Ok(Ok::<_, Fault>(false));
            }
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
            Ok(Ok(true))
        });
        begun.await?
    }
}
