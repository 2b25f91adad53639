//! TokenService and DelegationService: credentials for programs.
//!
//! | file | holds |
//! |---|---|
//! | `pair` | making a pair, and how long its halves live |
//! | `api_tokens` | families: made, refreshed, listed, revoked |
//! | `authorise` | the command line's login by a browser of the same machine (RFC 8252, RFC 7636) |
//! | `device_login` | and by a browser anywhere (RFC 8628) |
//! | `delegations` | bearers for child processes |

pub(crate) mod api_tokens;
mod authorise;
mod delegations;
mod device_login;
mod pair;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use schema::ids::UserId;

pub(crate) use self::{
    api_tokens::{create_api_token, list_api_tokens, refresh_token, revoke_api_token},
    authorise::{authorise_command_line, exchange_authorisation},
    delegations::{list_delegations, mint_delegation, revoke_delegation},
    device_login::{
        decide_device_login, describe_device_login, poll_device_login, start_device_login,
    },
};
use crate::{
    abuse::Network,
    clock,
    error::{Field, Quota, Refusal},
    limiter::{Limiter, Rate},
    telemetry,
};

/// How often strangers may start a login, and people may try a code that they typed.
pub(crate) struct Tries {
    starts: Mutex<Limiter<Network>>,
    codes: Mutex<Limiter<UserId>>,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            starts: Mutex::new(Limiter::new(STARTS)),
            codes: Mutex::new(Limiter::new(CODES)),
        }
    }
}

/// Logins that one address may start.
const STARTS: Rate = Rate {
    burst: 20,
    every: Duration::from_secs(6),
};
/// Codes that one account may try, right ones included: one of 20^8 is not found so.
const CODES: Rate = Rate {
    burst: 20,
    every: Duration::from_secs(15),
};

impl Tries {
    fn start(&self, from: Network) -> Result<(), Refusal> {
        take(&self.starts, &from, Quota::CommandLineLogins)
    }

    fn code(&self, user: &UserId) -> Result<(), Refusal> {
        take(&self.codes, user, Quota::CodeTries)
    }
}

fn take<K: Ord + Clone>(limiter: &Mutex<Limiter<K>>, key: &K, quota: Quota) -> Result<(), Refusal> {
    let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = limiter.take(key, clock::now());
    taken.map_err(|after| spent(quota, after))
}

/// A quota is used up, which is counted.
fn spent(quota: Quota, after: Duration) -> Refusal {
    telemetry::quota_refusal(quota);
    Refusal::Quota(quota, after)
}

/// What people call a token, or what asked for it calls itself: one line, not too long.
fn label(text: &str, field: Field) -> Result<String, Refusal> {
    let text = text.trim();
    let fits = (1..=LABEL_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or(Refusal::Malformed(field))
}

const LABEL_MAX: usize = 128;
