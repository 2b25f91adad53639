//! Where a Hub is: `http://HOST:PORT`, `https://HOST`, or `unix:PATH`.

use std::{net::Ipv6Addr, path::PathBuf};

use anyhow::{Context as _, bail};

/// A Hub's door, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// TCP, in TLS or not.
    Tcp {
        /// Whether TLS is spoken: `https`.
        tls: bool,
        /// Name or address, without brackets.
        host: String,
        /// Default 80, or 443 in TLS.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Parses what `--hub` takes.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                bail!("--hub unix: needs the socket's path, like unix:/run/leapmux.sock");
            }
            return Ok(Self::Unix(path.into()));
        }
        let uri: http::Uri = text.parse().context(HOW)?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => bail!(HOW),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || text.contains('@') {
            bail!("--hub takes no path, query or user name: {HOW}");
        }
        let authority = uri.authority().context(HOW)?;
        let host = bare(authority.host()).context(HOW)?.to_owned();
        let port = match authority.port_u16() {
            Some(port) => port,
            // What stands where a port stands and is none.
            None if authority.as_str() != authority.host() => bail!(HOW),
            None if tls => 443,
            None => 80,
        };
        Ok(Self::Tcp { tls, host, port })
    }

    /// The value of a request's `Host` header.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".into(),
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }

    /// One text for one Hub, to file credentials under.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Unix(path) => format!("unix:{}", path.display()),
            Self::Tcp { tls: true, .. } => format!("https://{}", self.authority()),
            Self::Tcp { tls: false, .. } => format!("http://{}", self.authority()),
        }
    }
}

/// A name or an address. Brackets are those of an IPv6 address, one pair.
fn bare(host: &str) -> Option<&str> {
    match host.strip_prefix('[') {
        None => (!host.is_empty() && !host.contains(['[', ']'])).then_some(host),
        Some(rest) => rest
            .strip_suffix(']')
            .filter(|address| address.parse::<Ipv6Addr>().is_ok()),
    }
}

const HOW: &str = "--hub takes http://HOST:PORT, https://HOST or unix:PATH";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_their_usual_defaults() {
        let address = Address::parse("https://hub.example.com").expect("an address");
        assert_eq!(address.key(), "https://hub.example.com:443");
        let address = Address::parse("http://[::1]:4327/").expect("an address");
        assert_eq!(address.authority(), "[::1]:4327");
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "",
            "hub",
            "ftp://hub",
            "unix:",
            "http://",
            "http://a/b",
            "http://u:p@h",
            "http://h:",
            "http://h:99999",
            "http://[h]:80",
            "http://[;[2:437]",
            "http://[[::1]]:80",
        ] {
            let error = Address::parse(text).expect_err(text).to_string();
            assert!(error.contains("unix:"), "{text}: {error}");
        }
    }
}
