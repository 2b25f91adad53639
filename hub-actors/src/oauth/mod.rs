//! Sign-in by providers: GitHub and whatever speaks OpenID Connect.
//!
//! | file | holds |
//! |---|---|
//! | `depart`, `arrive` | the two doors: off to a provider, and back |
//! | `admit` | who is let in, linked, made an account or refused |
//! | `redirect` | where somebody may be sent at the end: a brain |
//! | `way`, `oidc`, `github` | what is said to a provider |
//! | `client` | how: within a time, a size and a number, over TLS |
//! | `tokens` | a provider's tokens, sealed and refreshed |
//! | `links` | the methods of AccountService |
//!
//! A journey is a row under the hash of its `state`, tied by a cookie to the browser that began it. It
//! is taken out when somebody comes back with the state, whoever it is, so nobody comes back twice.

use std::collections::BTreeMap;

use openidconnect::url::form_urlencoded;

use crate::{state::State, store::oauth::Provider};

mod admit;
mod arrive;
mod client;
mod depart;
mod github;
mod identity;
mod links;
mod oidc;
mod page;
mod redirect;
mod tokens;
mod way;

use admit::Refused;
pub(crate) use arrive::{callback, form};
pub(crate) use client::{Client, is_issuer};
pub(crate) use depart::start;
pub(crate) use github::PUBLIC as GITHUB;
use identity::Unproved;
pub(crate) use links::{begin_link, list_linked_accounts, list_providers, unlink_account};
pub(crate) use tokens::keep_fresh;

/// Longer queries are nobody's.
const QUERY_MAX: usize = 8 * 1024;

/// A query or form; none where a name stands twice, for then two readers may read two things.
fn query(text: &str) -> Option<BTreeMap<String, String>> {
    if text.len() > QUERY_MAX {
        return None;
    }
    let mut read = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if read.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    Some(read)
}

/// Where a provider sends browsers back to.
fn here(state: &State, host: &str) -> String {
    format!("{}/oauth/callback", state.names.base(host))
}

/// Says in the log why a provider's word was not good, and to the page that it was not.
fn unproved(provider: &Provider, why: &Unproved) -> Refused {
    tracing::warn!(
        provider = provider.id,
        error = why as &dyn std::error::Error,
        "a sign-in by a provider failed"
    );
    Refused::Failed
}

/// A fault of ours.
fn log(why: &Unproved) -> Refused {
    tracing::error!(
        error = why as &dyn std::error::Error,
        "a sign-in by a provider failed"
    );
    Refused::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_makes_a_query_unreadable() {
        let read = query("code=a%2Bb&state=c+d").unwrap();
        assert_eq!(read.get("code").map(String::as_str), Some("a+b"));
        assert_eq!(read.get("state").map(String::as_str), Some("c d"));
        assert!(query("state=a&state=b").is_none());
        assert!(query(&"a".repeat(10_000)).is_none());
    }
}
