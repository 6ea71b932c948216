//! Where tenants may send us: checked before a call for what is written, and at the connection for what it means.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::address::is_public;

/// Longest address; also what an index of the database can hold.
const MAX_URL: usize = 2000;

/// Networks that are open besides the public internet, with all their ports: the operator's choice.
#[derive(Debug, Clone, Default)]
pub struct Allowed(Arc<[IpNet]>);

impl Allowed {
    /// From networks as in `10.0.0.0/8`.
    pub fn new(nets: &[IpNet]) -> Self {
        Self(nets.into())
    }

    fn contains(&self, ip: IpAddr) -> bool {
        // An IPv4 address in IPv6's clothes leads to the same machine.
        let ip = ip.to_canonical();
        self.0.iter().any(|net| net.contains(&ip))
    }
}

/// An address that may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub(crate) String);

fn not_public(host: impl std::fmt::Display) -> Refused {
    // Not which address: what names mean inside the operator's network is none of the tenant's business.
    Refused(format!("'{host}' is not on the public internet."))
}

/// Which addresses a connection may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The public internet and what the operator opened: the ports of the web.
    Web,
    /// Only what the operator opened: any port.
    Opened,
}

/// Turns names into addresses.
pub(crate) trait Lookup: Send + Sync + 'static {
    /// All addresses of a name.
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver.
pub(crate) struct System;

impl Lookup for System {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// The rules.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    allowed: Allowed,
}

impl Guard {
    pub(crate) fn new(allowed: Allowed) -> Self {
        Self { allowed }
    }

    /// Reads an address as it is written. Other spellings of numbers (`0x7f.1`, `2130706433`) are read as browsers do,
    /// so they are the same address here as at the connection.
    pub(crate) fn parse(&self, text: &str) -> Result<Url, Refused> {
        let url = Url::parse(text.trim()).map_err(|error| Refused(format!("It is not a URL: {error}.")))?;
        self.check(&url)?;
        Ok(url)
    }

    /// Checks an address as it is written, and tells how far its connection may reach.
    pub(crate) fn check(&self, url: &Url) -> Result<Reach, Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused("Only http and https are called.".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused(
                "A URL with a user name or a password is not called.".into(),
            ));
        }
        if url.as_str().len() > MAX_URL {
            return Err(Refused(format!("It is longer than {MAX_URL} characters.")));
        }
        let reach = match url.port_or_known_default() {
            Some(80 | 443) => Reach::Web,
            _ if self.allowed.0.is_empty() => {
                return Err(Refused("Only the ports 80 and 443 are called.".into()));
            }
            _ => Reach::Opened,
        };
        // Numbers never reach the resolver, so they are checked here.
        match url.host() {
            None => Err(Refused("It has no host.".into())),
            Some(Host::Domain(_)) => Ok(reach),
            Some(Host::Ipv4(ip)) => self.admit(ip.into(), reach, url),
            Some(Host::Ipv6(ip)) => self.admit(ip.into(), reach, url),
        }
    }

    fn admit(&self, ip: IpAddr, reach: Reach, url: &Url) -> Result<Reach, Refused> {
        if self.admits(ip, reach) {
            return Ok(reach);
        }
        if is_public(ip) {
            return Err(Refused("Only the ports 80 and 443 are called.".into()));
        }
        Err(not_public(url.host_str().unwrap_or_default()))
    }

    fn admits(&self, ip: IpAddr, reach: Reach) -> bool {
        self.allowed.contains(ip) || (reach == Reach::Web && is_public(ip))
    }

    /// Where a redirect leads, if it may be followed.
    pub(crate) fn redirect(&self, from: &Url, location: &str) -> Result<Url, Refused> {
        let to = from
            .join(location)
            .map_err(|_| Refused("It redirects to what is not a URL.".into()))?;
        if from.scheme() == "https" && to.scheme() != "https" {
            return Err(Refused("It redirects from https to http.".into()));
        }
        self.check(&to)?;
        Ok(to)
    }
}

/// Resolves names for connections of one reach: once, all addresses checked, and the connection goes to one of those.
pub(crate) struct GuardedResolver {
    pub(crate) guard: Guard,
    pub(crate) reach: Reach,
    pub(crate) lookup: Arc<dyn Lookup>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, reach, lookup) = (self.guard.clone(), self.reach, Arc::clone(&self.lookup));
        Box::pin(async move {
            let found = lookup.lookup(name.as_str().to_owned()).await?;
            // One bad address is enough: a name that also leads inside is not an honest mistake.
            if found.is_empty() || !found.iter().all(|ip| guard.admits(*ip, reach)) {
                tracing::debug!(name = name.as_str(), addresses = ?found, "refused to connect");
                return Err(not_public(name.as_str()).into());
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(nets: &[&str]) -> Guard {
        let nets: Vec<IpNet> = nets.iter().map(|net| net.parse().unwrap()).collect();
        Guard::new(Allowed::new(&nets))
    }

    #[test]
    fn what_is_written_is_refused_in_every_spelling() {
        let guard = guard(&[]);
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://127.0.0.1./",
            "http://１２７.０.０.１/",
            "http://0/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://[fe80::1]/",
            "http://169.254.169.254/latest/meta-data",
            "https://10.0.0.1/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "javascript:alert(1)",
            "http://user@example.com/",
            "http://user:password@example.com/",
            "http://example.com:8080/",
            "http://8.8.8.8:22/",
            "http:///",
            "example.com",
            "",
        ] {
            assert!(guard.parse(url).is_err(), "{url}");
        }
        for url in [
            "http://example.com",
            "https://example.com:443/a?b#c",
            "http://8.8.8.8/",
            "https://[2606:4700::1]/",
        ] {
            assert!(guard.parse(url).is_ok(), "{url}");
        }
        assert!(
            guard
                .parse(&format!("http://example.com/{}", "a".repeat(MAX_URL)))
                .is_err()
        );
    }

    #[test]
    fn an_opened_network_opens_its_ports_and_nothing_else() {
        let guard = guard(&["10.0.0.0/8", "fd00::/8"]);
        for url in [
            "http://10.1.2.3/",
            "http://10.1.2.3:8080/",
            "http://[::ffff:10.1.2.3]:99/",
            "https://[fd00::1]:8443/",
            "http://wiki.intra:8080/",
        ] {
            assert!(guard.parse(url).is_ok(), "{url}");
        }
        for url in ["http://127.0.0.1/", "http://8.8.8.8:8080/", "http://[fc00::1]/"] {
            assert!(guard.parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn redirects_are_checked_and_never_lose_encryption() {
        let guard = guard(&[]);
        let from = Url::parse("https://example.com/a/b").unwrap();
        assert_eq!(
            guard.redirect(&from, "../c").unwrap().as_str(),
            "https://example.com/c"
        );
        assert!(guard.redirect(&from, "//other.example/x").is_ok());
        for to in [
            "http://example.com/",
            "https://127.0.0.1/",
            "file:///etc/passwd",
            "https://a@b/",
            "//localhost:1/",
        ] {
            assert!(guard.redirect(&from, to).is_err(), "{to}");
        }
    }

    struct Fixed(&'static [&'static str]);

    impl Lookup for Fixed {
        fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let found = self.0.iter().map(|ip| ip.parse().unwrap()).collect();
            Box::pin(std::future::ready(Ok(found)))
        }
    }

    async fn resolve(
        guard: &Guard,
        reach: Reach,
        found: &'static [&'static str],
    ) -> Result<Vec<SocketAddr>, String> {
        let resolver = GuardedResolver {
            guard: guard.clone(),
            reach,
            lookup: Arc::new(Fixed(found)),
        };
        match resolver.resolve("name.example".parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn every_address_of_a_name_must_be_good() {
        let guard = guard(&["10.0.0.0/8"]);
        assert!(
            resolve(&guard, Reach::Web, &["8.8.8.8", "2606:4700::1"])
                .await
                .is_ok()
        );
        assert!(
            resolve(&guard, Reach::Web, &["8.8.8.8", "10.0.0.1"])
                .await
                .is_ok()
        );
        assert!(resolve(&guard, Reach::Opened, &["10.0.0.1"]).await.is_ok());
        for (reach, found) in [
            (Reach::Web, &["8.8.8.8", "127.0.0.1"] as &[_]),
            (Reach::Web, &["::1"]),
            (Reach::Web, &[]),
            (Reach::Opened, &["8.8.8.8"]),
            (Reach::Opened, &["10.0.0.1", "8.8.8.8"]),
        ] {
            let refused = resolve(&guard, reach, found).await.unwrap_err();
            assert_eq!(
                refused, "'name.example' is not on the public internet.",
                "{found:?}"
            );
        }
    }
}
