//! BRAIN: where a request comes from when proxies stand in between.
//!
//! A header is a claim. It counts only from a peer that the operator named as a proxy, and only
//! back to the first hop that the operator did not name: whatever stands before that hop, the
//! client may have written.

use std::{net::IpAddr, str::FromStr};

/// What was named as a proxy and is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address, a network like 10.0.0.0/8, or unix")]
pub struct BadProxy(pub(crate) String);

/// One network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Net {
    address: IpAddr,
    prefix: u32,
}

/// The proxies that are believed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    nets: Vec<Net>,
    /// Whoever reaches the Unix socket.
    unix: bool,
}

impl Proxies {
    /// From the configuration's words.
    pub(crate) fn parse(words: &[String]) -> Result<Self, BadProxy> {
        let mut proxies = Self::default();
        for word in words {
            if word == "unix" {
                proxies.unix = true;
            } else {
                let net = word.parse().map_err(|()| BadProxy(word.clone()))?;
                proxies.nets.push(net);
            }
        }
        Ok(proxies)
    }

    /// Whether what this peer says about others is believed.
    fn believes(&self, peer: Option<IpAddr>) -> bool {
        peer.map_or(self.unix, |peer| self.names(peer))
    }

    fn names(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.nets.iter().any(|net| net.holds(address))
    }

    /// The client: the peer, or the last hop of `X-Forwarded-For` that is no proxy of ours.
    pub(crate) fn client<'a>(
        &self,
        peer: Option<IpAddr>,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> Option<IpAddr> {
        let peer = peer.map(|peer| peer.to_canonical());
        if !self.believes(peer) {
            return peer;
        }
        let mut client = peer;
        for hop in forwarded_for.rev().flat_map(|line| line.rsplit(',')) {
            let Some(hop) = address(hop) else {
                return client;
            };
            client = Some(hop);
            if !self.names(hop) {
                return client;
            }
        }
        client
    }

    /// Whether the client spoke TLS to the proxy that is our peer.
    pub(crate) fn is_https(&self, peer: Option<IpAddr>, forwarded_proto: Option<&str>) -> bool {
        let said = forwarded_proto.and_then(|line| line.rsplit(',').next());
        self.believes(peer) && said.is_some_and(|said| said.trim().eq_ignore_ascii_case("https"))
    }
}

/// An address as proxies write it: bare, or with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.parse::<IpAddr>().ok();
    let bare = bare.or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|at| at.ip()));
    let bare = bare.or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
    bare.map(|address| address.to_canonical())
}

impl FromStr for Net {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address = address.parse::<IpAddr>().map_err(|_| ())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| ())?;
        let fits = prefix <= bits;
        fits.then_some(Self { address, prefix }).ok_or(())
    }
}

impl Net {
    fn holds(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let differ = u32::from(net) ^ u32::from(address);
                differ.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let differ = u128::from(net) ^ u128::from(address);
                differ.leading_zeros() >= self.prefix
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(words: &[&str]) -> Proxies {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Proxies::parse(&words).unwrap()
    }

    fn client(words: &[&str], peer: &str, lines: &[&str]) -> String {
        let peer = peer.parse().ok();
        let client = proxies(words).client(peer, lines.iter().copied());
        client.map_or_else(String::new, |client| client.to_string())
    }

    #[test]
    fn nobody_is_believed_who_was_not_named() {
        assert_eq!(client(&[], "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(
            client(&["10.0.0.0/8"], "192.0.2.1", &["203.0.113.9"]),
            "192.0.2.1"
        );
        assert_eq!(client(&["10.0.0.0/8"], "", &["203.0.113.9"]), "");
        assert_eq!(client(&["10.0.0.0/8"], "10.9.9.9", &[]), "10.9.9.9");
    }

    #[test]
    fn the_last_hop_that_is_no_proxy_is_the_client() {
        let ours = ["10.0.0.0/8", "2001:db8::/32"];
        for (lines, wanted) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            // What the client wrote itself stands before.
            (&["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            (&["1.1.1.1", "203.0.113.9, 10.0.0.7"], "203.0.113.9"),
            (&["203.0.113.9:4711, 10.0.0.7"], "203.0.113.9"),
            (&["[2001:db9::1]:80"], "2001:db9::1"),
            (&["[2001:db9::1]"], "2001:db9::1"),
            (&["203.0.113.9, [2001:db8::1]:80"], "203.0.113.9"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            // All are ours: the farthest.
            (&["10.0.0.8, 10.0.0.7"], "10.0.0.8"),
            // Nonsense ends the belief at the hop before it.
            (&["203.0.113.9, unknown, 10.0.0.7"], "10.0.0.7"),
            (&["unknown"], "10.0.0.1"),
            (&[""], "10.0.0.1"),
        ] {
            assert_eq!(client(&ours, "10.0.0.1", lines), wanted, "{lines:?}");
        }
    }

    #[test]
    fn a_unix_socket_is_a_proxy_where_it_is_named_one() {
        assert_eq!(client(&["unix"], "", &["203.0.113.9"]), "203.0.113.9");
        assert!(proxies(&["unix"]).is_https(None, Some("https")));
    }

    #[test]
    fn tls_is_what_a_proxy_says_and_nobody_else() {
        let peer = |text: &str| text.parse().ok();
        let ours = proxies(&["10.0.0.1"]);
        assert!(ours.is_https(peer("10.0.0.1"), Some("HTTPS")));
        assert!(ours.is_https(peer("::ffff:10.0.0.1"), Some("http, https")));
        assert!(!ours.is_https(peer("10.0.0.1"), Some("https, http")));
        assert!(!ours.is_https(peer("10.0.0.1"), None));
        assert!(!ours.is_https(peer("10.0.0.2"), Some("https")));
    }

    #[test]
    fn networks_are_read_and_nonsense_is_named() {
        for good in ["0.0.0.0/0", "::/0", "192.0.2.1", "2001:db8::1/128", "unix"] {
            assert!(Proxies::parse(&[good.to_owned()]).is_ok(), "{good}");
        }
        for bad in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/x",
            "proxy.example",
            "10.0.0.0/-1",
        ] {
            let refused = Proxies::parse(&[bad.to_owned()]);
            assert_eq!(refused.unwrap_err(), BadProxy(bad.to_owned()));
        }
    }
}
