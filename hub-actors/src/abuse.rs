//! How often somebody who may be anybody may do what costs us, or others, something.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    clock,
    config::Quotas,
    error::{Quota, Refusal},
    limiter::{Limiter, Rate},
    telemetry,
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
}

impl Abuse {
    pub(crate) fn new(quotas: &Quotas) -> Self {
        let within = |seconds: u64, burst: u32| {
            let burst = burst.max(1);
            let every = Duration::from_secs(seconds) / burst;
            Mutex::new(Limiter::new(Rate { burst, every }))
        };
        Self {
            sign_ins: within(60, quotas.failed_sign_ins_per_minute),
            sign_ups: within(3_600, quotas.sign_ups_per_hour),
            departures: within(60, quotas.oauth_starts_per_minute),
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

    /// Counts a way to a provider of sign-in, which costs a row and requests there.
    pub(crate) fn oauth(&self, from: Network) -> Result<(), Refusal> {
        take(&self.departures, &from, Quota::SignIns)
    }

    /// Counts a new account.
    pub(crate) fn sign_up(&self, from: Network) -> Result<(), Refusal> {
        take(&self.sign_ups, &from, Quota::SignUps)
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
