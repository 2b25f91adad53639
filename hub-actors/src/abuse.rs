//! How often somebody who may be anybody may do what costs us, or others, something.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use schema::ids::UserId;

use crate::{
    clock,
    config::Quotas,
    error::{Quota, Refusal},
    limiter::{Limiter, Rate},
    telemetry,
    token::{Pepper, Purpose},
};

/// Where somebody comes from, as far as it costs something to come from elsewhere: an address, or
/// the network of an IPv6 address, of which everybody has 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network(Option<IpAddr>);

impl From<Option<IpAddr>> for Network {
    fn from(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & (u128::MAX << 64);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            address => address,
        }))
    }
}

/// The limits by network.
pub(crate) struct Abuse {
    sign_ins: Mutex<Limiter<Network>>,
    sign_ups: Mutex<Limiter<Network>>,
    departures: Mutex<Limiter<Network>>,
    resets: Mutex<Limiter<Network>>,
    registrations: Mutex<Limiter<Network>>,
    strangers: Mutex<Limiter<Network>>,
    /// By what was typed as a name: a keyed hash.
    right_passwords: Mutex<Limiter<[u8; 32]>>,
    /// By user.
    keys: Mutex<Limiter<UserId>>,
    requests: Mutex<Limiter<UserId>>,
    /// By mailbox, or by user: a keyed hash.
    mails: Mutex<Limiter<[u8; 32]>>,
}

fn within<K: Ord + Clone>(seconds: u64, burst: u32) -> Mutex<Limiter<K>> {
    let burst = burst.max(1);
    let every = Duration::from_secs(seconds) / burst;
    Mutex::new(Limiter::new(Rate { burst, every }))
}

fn per_second<K: Ord + Clone>(average: u32, burst: u32) -> Mutex<Limiter<K>> {
    let every = Duration::from_secs(1) / average.max(1);
    let burst = burst.max(1);
    Mutex::new(Limiter::new(Rate { burst, every }))
}

impl Abuse {
    pub(crate) fn new(quotas: &Quotas) -> Self {
        let strangers = quotas.stranger_requests_per_second;
        Self {
            sign_ins: within(60, quotas.failed_sign_ins_per_minute),
            right_passwords: within(60, quotas.sign_ins_per_minute),
            sign_ups: within(3_600, quotas.sign_ups_per_hour),
            departures: within(60, quotas.oauth_starts_per_minute),
            resets: within(3_600, quotas.password_resets_per_hour),
            registrations: within(3_600, quotas.registrations_per_hour),
            keys: within(3_600, quotas.registrations_per_hour),
            mails: within(3_600, quotas.mails_per_hour),
            strangers: per_second(strangers, quotas.stranger_requests_burst),
            requests: per_second(quotas.requests_per_second, quotas.requests_burst),
        }
    }

    /// Counts a sign-in as a failed one, until [`forgive`](Self::forgive).
    pub(crate) fn sign_in(&self, from: Network) -> Result<(), Refusal> {
        take(&self.sign_ins, &from, Quota::SignIns)
    }

    /// The sign-in did not fail.
    pub(crate) fn forgive(&self, from: Network) {
        lock(&self.sign_ins).give_back(&from);
    }

    /// Counts a right password of a name before it is looked at, until
    /// [`wrong_password`](Self::wrong_password): each costs a thread, and a login its row.
    pub(crate) fn right_password(&self, name: &[u8; 32]) -> Result<(), Refusal> {
        take(&self.right_passwords, name, Quota::SignIns)
    }

    /// It was none.
    pub(crate) fn wrong_password(&self, name: &[u8; 32]) {
        lock(&self.right_passwords).give_back(name);
    }

    /// Counts a way to a provider of sign-in, which costs a row and requests there.
    pub(crate) fn oauth(&self, from: Network) -> Result<(), Refusal> {
        take(&self.departures, &from, Quota::SignIns)
    }

    /// Counts a new account.
    pub(crate) fn sign_up(&self, from: Network) -> Result<(), Refusal> {
        take(&self.sign_ups, &from, Quota::SignUps)
    }

    /// Counts a wish for a link that replaces a forgotten password.
    pub(crate) fn reset(&self, from: Network) -> Result<(), Refusal> {
        take(&self.resets, &from, Quota::Resets)
    }

    /// Counts a mail to a mailbox, or one that a user causes.
    pub(crate) fn mail(&self, pepper: &Pepper, whose: &str) -> Result<(), Refusal> {
        let key = *pepper.hash(Purpose::TypedName, whose).as_bytes();
        take(&self.mails, &key, Quota::Mails)
    }

    /// Counts the registration of a Worker.
    pub(crate) fn registration(&self, from: Network) -> Result<(), Refusal> {
        take(&self.registrations, &from, Quota::Registrations)
    }

    /// Counts a key for a registration.
    pub(crate) fn registration_key(&self, user: &UserId) -> Result<(), Refusal> {
        take(&self.keys, user, Quota::Registrations)
    }

    /// Counts a request as a stranger's, until [`known`](Self::known): before anything is looked up.
    pub(crate) fn request(&self, from: Network) -> Result<(), Refusal> {
        take(&self.strangers, &from, Quota::StrangerRequests)
    }

    /// The request was a Worker's.
    pub(crate) fn known_worker(&self, from: Network) {
        lock(&self.strangers).give_back(&from);
    }

    /// The request was no stranger's, and counts as this user's.
    pub(crate) fn known(&self, from: Network, user: &UserId) -> Result<(), Refusal> {
        lock(&self.strangers).give_back(&from);
        take(&self.requests, user, Quota::Requests)
    }
}

fn take<K: Ord + Clone>(of: &Mutex<Limiter<K>>, key: &K, quota: Quota) -> Result<(), Refusal> {
    lock(of).take(key, clock::now()).map_err(|after| {
        telemetry::quota_refusal(quota);
        Refusal::Quota(quota, after)
    })
}

fn lock<K>(of: &Mutex<Limiter<K>>) -> std::sync::MutexGuard<'_, Limiter<K>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_and_addresses_of_ipv4_are_themselves() {
        let network = |text: &str| Network::from(Some(text.parse().unwrap()));
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::3"), network("2001:db8:1:3::3"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(Network::from(None), network("192.0.2.1"));
    }
}
