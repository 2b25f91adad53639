//! BRAIN: which Host and Origin headers may come in.
//!
//! Solo has no sign-in, so a page of another site must not reach it: neither under a name that
//! was rebound to our address, nor by a cross-site request, nor by a cross-site WebSocket. A
//! browser cannot lie in any of the three headers.

use std::net::{IpAddr, SocketAddr};

/// Why a request may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stranger {
    /// `Host` is missing or not ours: DNS rebinding, or a wrong `public_url`.
    #[error("this Hub is not known under that Host name; set public_url to the URL in use")]
    Host,
    /// `Origin` is another site's.
    #[error("requests from that Origin are refused")]
    Origin,
    /// `Sec-Fetch-Site` says that another site's page made the request.
    #[error("cross-site requests are refused")]
    CrossSite,
}

/// The three headers that a browser sets by itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Provenance<'a> {
    /// `Host`, or `:authority`.
    pub(crate) host: Option<&'a str>,
    /// `Origin`
    pub(crate) origin: Option<&'a str>,
    /// `Sec-Fetch-Site`
    pub(crate) fetch_site: Option<&'a str>,
    /// `Sec-Fetch-Mode`
    pub(crate) fetch_mode: Option<&'a str>,
}

/// What kind of access is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading the page: no state, no secret.
    Page,
    /// An RPC or a WebSocket upgrade.
    Action,
    /// A browser that comes back from a provider of sign-in, by link or by form: another site's
    /// navigation, and what it says is good for one journey of one browser.
    Return,
}

/// The names under which a Hub is known.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// Scheme and authority of the public URL, lower case.
    public: Option<(String, String)>,
    door: Door,
    any_host: bool,
}

#[derive(Debug, Clone, Copy)]
enum Door {
    Tcp(SocketAddr),
    Socket,
}

impl Names {
    /// `any_host`: the Hub asks everybody for a credential and was told no public URL.
    pub(crate) fn new(public_url: &str, bound: Option<SocketAddr>, any_host: bool) -> Self {
        let public = split_url(public_url);
        let any_host = any_host && public.is_none();
        Self {
            public,
            door: bound.map_or(Door::Socket, Door::Tcp),
            any_host,
        }
    }

    /// Whether the Hub is reached over TLS, so that cookies may insist on it.
    pub(crate) fn is_https(&self) -> bool {
        self.public
            .as_ref()
            .is_some_and(|(scheme, _)| scheme == "https")
    }

    /// Scheme and authority for whoever came by this `Host`, which was judged.
    pub(crate) fn base(&self, host: &str) -> String {
        match &self.public {
            Some((scheme, authority)) => format!("{scheme}://{authority}"),
            None => format!("http://{host}"),
        }
    }

    /// Lets a request in, or names what is strange about it.
    pub(crate) fn judge(&self, from: Provenance<'_>, access: Access) -> Result<(), Stranger> {
        let host = from
            .host
            .map(str::to_ascii_lowercase)
            .ok_or(Stranger::Host)?;
        if !self.knows(&host) {
            return Err(Stranger::Host);
        }
        self.judge_site(from, access)?;
        match (access, from.origin) {
            (Access::Page | Access::Return, _) | (Access::Action, None) => Ok(()),
            (Access::Action, Some(origin)) if self.is_own(origin, &host) => Ok(()),
            (Access::Action, Some(_)) => Err(Stranger::Origin),
        }
    }

    /// A link on another site may lead to the page; nothing else of another site may come in.
    fn judge_site(&self, from: Provenance<'_>, access: Access) -> Result<(), Stranger> {
        let follows_link = access != Access::Action && from.fetch_mode == Some("navigate");
        match from.fetch_site {
            None | Some("same-origin" | "none") => Ok(()),
            Some(_) if follows_link => Ok(()),
            Some(_) => Err(Stranger::CrossSite),
        }
    }

    fn knows(&self, host: &str) -> bool {
        if self.any_host
            || self
                .public
                .as_ref()
                .is_some_and(|(_, public)| public == host)
        {
            return true;
        }
        match self.door {
            Door::Socket => split_port(host).0 == "localhost",
            Door::Tcp(bound) => is_at(host, bound),
        }
    }

    fn is_own(&self, origin: &str, host: &str) -> bool {
        let Some((scheme, authority)) = split_url(origin) else {
            return false;
        };
        let is_public = |(public_scheme, public): &(String, String)| {
            *public_scheme == scheme && *public == authority
        };
        if self.public.as_ref().is_some_and(is_public) {
            return true;
        }
        // Without TLS of our own, only a public URL can make us an https origin.
        scheme == "http" && authority == host
    }
}

/// Whether the admin door is meant: any address, or a loopback name. Another name may be an
/// attacker's that was rebound to us; scrapers and probes go by address.
pub(crate) fn is_admin_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let (name, _) = split_port(&host);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok()
}

/// Loopback names, and addresses that are not loopback where the door is not: an address cannot
/// be rebound, a name can.
fn is_at(host: &str, bound: SocketAddr) -> bool {
    let (name, port) = split_port(host);
    if port.unwrap_or(80) != bound.port() {
        return false;
    }
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    match address {
        Ok(address) => address.is_loopback() || !bound.ip().is_loopback(),
        Err(_) => name == "localhost",
    }
}

/// `host:port`, `[v6]:port`, or either without a port.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    let end_of_name = authority.rfind(']').map_or(0, |at| at + 1);
    let after = authority.get(end_of_name..).unwrap_or_default();
    match after.rfind(':') {
        None => (authority, None),
        Some(at) => {
            let (name, port) = authority.split_at(end_of_name + at);
            // A port that is none makes the whole a name that nobody knows.
            // `parse` would take a sign too.
            port.get(1..)
                .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|port| port.parse().ok())
                .map_or((authority, Some(0)), |port| (name, Some(port)))
        }
    }
}

/// Scheme and authority, lower case, without the scheme's own port.
fn split_url(url: &str) -> Option<(String, String)> {
    let url = url.to_ascii_lowercase();
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest
        .split(['/', '?', '#'])
        .next()
        .filter(|authority| !authority.is_empty())?;
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let authority = authority.strip_suffix(own_port).unwrap_or(authority);
    Some((scheme.to_owned(), authority.to_owned()))
}

/// The host of a public URL, without its port.
pub(crate) fn host(url: &str) -> Option<String> {
    let (_, authority) = split_url(url)?;
    let host = split_port(&authority).0.trim_matches(['[', ']']);
    (!host.is_empty()).then(|| host.to_owned())
}

/// A configured public URL as it is put in front of paths: without a slash at its end. None where it
/// is no scheme and host: the page knows no other place than the root.
pub(crate) fn public_url(text: &str) -> Option<String> {
    let url = text.strip_suffix('/').unwrap_or(text);
    let is_plain = |(_, authority): (String, String)| {
        let after = url.split_once("://").map_or("", |(_, after)| after);
        !authority.contains('@') && !after.contains(['/', '?', '#'])
    };
    let is_good = text.is_empty() || split_url(url).is_some_and(is_plain);
    is_good.then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solo() -> Names {
        Names::new("", Some("127.0.0.1:4327".parse().unwrap()), false)
    }

    fn host(host: &str) -> Provenance<'_> {
        Provenance {
            host: Some(host),
            ..Provenance::default()
        }
    }

    fn from<'a>(at: &'a str, origin: &'a str) -> Provenance<'a> {
        Provenance {
            origin: Some(origin),
            ..host(at)
        }
    }

    #[test]
    fn loopback_names_with_the_right_port_are_known() {
        for name in [
            "127.0.0.1:4327",
            "localhost:4327",
            "LOCALHOST:4327",
            "[::1]:4327",
            "127.9.9.9:4327",
        ] {
            assert_eq!(solo().judge(host(name), Access::Action), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_rebound_name_is_refused_even_for_the_page() {
        let strange = [
            "evil.example:4327",
            "localhost",
            "localhost:80",
            "127.0.0.1",
            "localhost:4327.evil",
            "localhost.evil.example:4327",
            "10.0.0.1:4327",
            "",
            ":4327",
            "[::1",
            "localhost:",
            "localhost:+4327",
        ];
        for name in strange {
            assert_eq!(
                solo().judge(host(name), Access::Page),
                Err(Stranger::Host),
                "{name}"
            );
        }
        assert_eq!(
            solo().judge(Provenance::default(), Access::Page),
            Err(Stranger::Host)
        );
    }

    #[test]
    fn only_the_exact_origin_may_act() {
        let at = "localhost:4327";
        assert_eq!(
            solo().judge(from(at, "http://localhost:4327"), Access::Action),
            Ok(())
        );
        for origin in [
            "http://localhost:4328",
            "https://localhost:4327",
            "http://localhost",
            "null",
            "http://127.0.0.1:4327",
            "http://localhost:4327.evil.example",
            "",
            "http://",
            "http://localhost:4327@evil.example",
        ] {
            let judged = solo().judge(from(at, origin), Access::Action);
            assert_eq!(judged, Err(Stranger::Origin), "{origin}");
        }
    }

    #[test]
    fn a_link_elsewhere_may_lead_here_but_may_not_act() {
        let link = Provenance {
            fetch_site: Some("cross-site"),
            fetch_mode: Some("navigate"),
            ..host("localhost:4327")
        };
        assert_eq!(solo().judge(link, Access::Page), Ok(()));
        assert_eq!(solo().judge(link, Access::Action), Err(Stranger::CrossSite));
        let image = Provenance {
            fetch_mode: Some("no-cors"),
            ..link
        };
        assert_eq!(solo().judge(image, Access::Page), Err(Stranger::CrossSite));
        let neighbour = Provenance {
            fetch_site: Some("same-site"),
            ..link
        };
        assert_eq!(
            solo().judge(neighbour, Access::Action),
            Err(Stranger::CrossSite)
        );
    }

    #[test]
    fn another_site_may_send_a_browser_back_and_nothing_else() {
        let sent = Provenance {
            fetch_site: Some("cross-site"),
            fetch_mode: Some("navigate"),
            ..from("localhost:4327", "https://id.example")
        };
        assert_eq!(solo().judge(sent, Access::Return), Ok(()));
        let fetched = Provenance {
            fetch_mode: Some("cors"),
            ..sent
        };
        assert_eq!(
            solo().judge(fetched, Access::Return),
            Err(Stranger::CrossSite)
        );
        let rebound = Provenance {
            host: Some("evil.example:4327"),
            ..sent
        };
        assert_eq!(solo().judge(rebound, Access::Return), Err(Stranger::Host));
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_host_and_ends_without_a_slash() {
        for (text, url) in [
            ("", ""),
            ("https://hub.example", "https://hub.example"),
            ("https://hub.example/", "https://hub.example"),
            ("http://[::1]:4327/", "http://[::1]:4327"),
        ] {
            assert_eq!(public_url(text).as_deref(), Some(url), "{text}");
        }
        for bad in [
            "/",
            "hub.example",
            "https://",
            "https:///",
            "https://hub.example//",
            "https://hub.example/leapmux",
            "https://hub.example/?a",
            "https://hub.example?a",
            "https://hub.example#a",
            "https://me@hub.example",
            "ftp://hub.example",
        ] {
            assert_eq!(public_url(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_public_url_is_known_beside_the_loopback_names() {
        let names = Names::new(
            "https://Hub.example/",
            Some("127.0.0.1:4327".parse().unwrap()),
            true,
        );
        assert!(names.is_https());
        let judged = names.judge(from("hub.example", "https://hub.example"), Access::Action);
        assert_eq!(judged, Ok(()));
        assert_eq!(
            names.judge(host("other.example"), Access::Page),
            Err(Stranger::Host)
        );
        let judged = names.judge(from("hub.example", "http://other.example"), Access::Action);
        assert_eq!(judged, Err(Stranger::Origin));
    }

    #[test]
    fn a_door_to_the_network_is_known_by_its_addresses_but_by_no_name() {
        let names = Names::new("", Some("0.0.0.0:4327".parse().unwrap()), false);
        assert_eq!(
            names.judge(host("192.168.1.5:4327"), Access::Action),
            Ok(())
        );
        assert_eq!(
            names.judge(host("evil.example:4327"), Access::Action),
            Err(Stranger::Host)
        );
    }

    #[test]
    fn a_socket_file_is_known_as_localhost() {
        let names = Names::new("", None, false);
        assert_eq!(names.judge(host("localhost"), Access::Action), Ok(()));
        assert_eq!(
            names.judge(host("evil.example"), Access::Action),
            Err(Stranger::Host)
        );
    }

    #[test]
    fn the_admin_door_is_known_by_addresses_and_loopback_names() {
        for host in ["127.0.0.1:4328", "LocalHost:1", "[::1]:4328", "10.1.2.3"] {
            assert!(is_admin_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example:4328",
            "localhost.evil.example",
            "127.0.0.1.evil",
            ":1",
        ] {
            assert!(!is_admin_host(host), "{host}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(host in ".{0,40}", origin in ".{0,40}") {
            let _judged = solo().judge(from(&host, &origin), Access::Action);
        }
    }
}
