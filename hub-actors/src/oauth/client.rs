//! How the Hub speaks to providers: within a time, a size and a number, and over TLS.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use openidconnect::{HttpRequest, HttpResponse, core::CoreProviderMetadata, url::Url};
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;

use crate::clock;

/// For a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// For a request and its whole answer.
const WHOLE: Duration = Duration::from_secs(10);
/// Largest answer: some ten times that of a provider with many keys.
const ANSWER_MAX: usize = 256 * 1024;
/// Requests at once, and those that wait.
const AT_ONCE: usize = 16;
/// What a provider says of itself, its keys included, is believed for so long.
const DESCRIBED_FOR: Duration = Duration::from_secs(300);
/// Descriptions that are remembered: an operator names few providers.
const DESCRIBED_MAX: usize = 64;

/// Why a provider was not reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreached {
    /// An address that is not https.
    #[error("the address is not https")]
    Address,
    /// Not understood as a request, not connected, or no answer in time.
    #[error("no answer")]
    Silent(#[source] reqwest::Error),
    /// More than was asked for.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer has a head that is none.
    #[error("the answer cannot be read")]
    Malformed,
    /// Too many at once.
    #[error("too many requests to providers at once")]
    Crowded,
}

/// A client of our own: it follows no redirect, and trusts what browsers trust.
pub(crate) struct Client {
    http: reqwest::Client,
    turns: Semaphore,
    /// By issuer, and when they were heard.
    described: Mutex<BTreeMap<String, (Instant, CoreProviderMetadata)>>,
}

impl Client {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .redirect(Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(1)
            .user_agent(concat!("leapmux/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let turns = Semaphore::new(AT_ONCE);
        Ok(Self {
            http,
            turns,
            described: Mutex::default(),
        })
    }

    /// What an issuer said of itself a moment ago.
    pub(super) fn described(&self, issuer: &str) -> Option<CoreProviderMetadata> {
        let described = self.descriptions();
        let (heard, said) = described.get(issuer)?;
        let is_fresh = clock::now().saturating_duration_since(*heard) < DESCRIBED_FOR;
        is_fresh.then(|| said.clone())
    }

    /// Remembers it.
    pub(super) fn remember(&self, issuer: &str, said: CoreProviderMetadata) {
        let mut described = self.descriptions();
        if described.len() >= DESCRIBED_MAX && !described.contains_key(issuer) {
            described.clear();
        }
        described.insert(issuer.to_owned(), (clock::now(), said));
    }

    fn descriptions(&self) -> MutexGuard<'_, BTreeMap<String, (Instant, CoreProviderMetadata)>> {
        self.described
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// One exchange with a provider that is at `issuer`.
    pub(crate) async fn send(
        &self,
        issuer: &str,
        request: HttpRequest,
    ) -> Result<HttpResponse, Unreached> {
        if !may_reach(issuer, &request.uri().to_string()) {
            return Err(Unreached::Address);
        }
        let turn = tokio::time::timeout(WHOLE, self.turns.acquire()).await;
        let _turn = turn
            .map_err(|_| Unreached::Crowded)?
            .map_err(|_| Unreached::Crowded)?;
        // Texts of errors hold addresses, and those hold codes.
        let silent = |error: reqwest::Error| Unreached::Silent(error.without_url());
        let request = reqwest::Request::try_from(request).map_err(silent)?;
        let mut answer = self.http.execute(request).await.map_err(silent)?;
        let mut head = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            head = head.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(silent)? {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(Unreached::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        head.body(body).map_err(|_| Unreached::Malformed)
    }
}

/// Whether an address may be asked, or a browser be sent there: https, and without TLS only on this
/// machine, where the provider itself is on it too, as in tests.
pub(crate) fn may_reach(issuer: &str, address: &str) -> bool {
    let Ok(address) = Url::parse(address) else {
        return false;
    };
    if !address.username().is_empty() || address.password().is_some() {
        return false;
    }
    match address.scheme() {
        "https" => true,
        "http" => is_loopback(&address) && Url::parse(issuer).is_ok_and(|url| is_loopback(&url)),
        _ => false,
    }
}

/// Whether the operator may name this as a provider's address.
pub(crate) fn is_issuer(text: &str) -> bool {
    text.len() <= 512
        && may_reach(text, text)
        && Url::parse(text).is_ok_and(|url| url.query().is_none() && url.fragment().is_none())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_only_a_provider_on_this_machine_is_asked() {
        let far = "https://id.example";
        assert!(may_reach(far, "https://id.example/token"));
        assert!(may_reach(far, "https://elsewhere.example/token"));
        for address in [
            "http://id.example/token",
            "http://127.0.0.1/token",
            "file:///etc/passwd",
            "https://user@id.example/",
            "",
        ] {
            assert!(!may_reach(far, address), "{address}");
        }
        let near = "http://127.0.0.1:9";
        assert!(may_reach(near, "http://127.0.0.1:9/token"));
        assert!(may_reach(near, "http://[::1]:9/token"));
        assert!(!may_reach(near, "http://127.0.0.1.example/token"));
        assert!(!may_reach(near, "http://10.0.0.1/token"));
    }

    #[test]
    fn an_issuer_is_an_address_and_nothing_more() {
        assert!(is_issuer("https://id.example/realm"));
        assert!(is_issuer("http://localhost:9"));
        for bad in [
            "http://id.example",
            "https://id.example/?a",
            "https://id.example/#a",
            "id.example",
        ] {
            assert!(!is_issuer(bad), "{bad}");
        }
    }
}
