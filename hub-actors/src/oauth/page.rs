//! What a browser is answered on its way.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration as Lifetime},
    http::header,
};

use crate::{state::State, token::SecretText};

/// So long may somebody be away.
pub(super) const AWAY_SECONDS: i64 = 600;

/// `__Host-` makes a browser insist on https, on this very host, and on the whole of it.
const fn cookie_name(is_https: bool) -> &'static str {
    if is_https {
        "__Host-leapmux-oauth"
    } else {
        "leapmux-oauth"
    }
}

/// What a browser got on its way out.
pub(super) fn browser(request: &HttpRequest, state: &State) -> Option<String> {
    let cookie = request.cookie(cookie_name(state.names.is_https()))?;
    Some(cookie.value().to_owned())
}

/// Lax, for a browser that comes back from another site has to bring it along.
fn cookie(state: &State, value: String, seconds: i64) -> Cookie<'static> {
    let is_https = state.names.is_https();
    Cookie::build(cookie_name(is_https), value)
        .path("/")
        .http_only(true)
        .secure(is_https)
        .same_site(SameSite::Lax)
        .max_age(Lifetime::seconds(seconds))
        .finish()
}

/// Off to the provider.
pub(super) fn depart(state: &State, url: &str, browser: &SecretText) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, url))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .cookie(cookie(state, browser.expose().to_owned(), AWAY_SECONDS))
        .finish()
}

/// Back on the page. Not a redirect: the login's cookie is Strict, and a browser takes what follows
/// upon a redirect from another site for that site's doing. A page of our own that leads on is ours.
pub(super) fn arrive(state: &State, target: &str, login: Option<Cookie<'static>>) -> HttpResponse {
    let target = escaped(target);
    let mut answer = HttpResponse::Ok();
    answer
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .cookie(cookie(state, String::new(), 0));
    if let Some(login) = login {
        answer.cookie(login);
    }
    answer.body(format!(
        "<!doctype html><html lang=\"en\"><head><title>LeapMux</title>\
         <meta http-equiv=\"refresh\" content=\"0;url={target}\"></head>\
         <body><p><a href=\"{target}\">Go on</a></p></body></html>\n"
    ))
}

/// A plain answer for who is not on any way.
pub(super) fn nowhere(text: &'static str) -> HttpResponse {
    HttpResponse::NotFound()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text)
}

/// A target has none of these but the first.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}
