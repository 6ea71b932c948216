//! From where a request comes.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address: the peer's, unless that is a trusted proxy. Proxies append whom they were called by, so what
/// counts is the last address of `X-Forwarded-For` that is not a trusted proxy itself; anything before it may be made up.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(&client) {
        return client;
    }
    let lines = headers.get_all(&FORWARDED_FOR);
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(address) = parse(hop) else {
            break;
        };
        client = address;
        if !is_trusted(&client) {
            break;
        }
    }
    client
}

/// `192.0.2.1`, `2001:db8::1`, and both with a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let address = hop
        .parse::<IpAddr>()
        .or_else(|_| hop.parse::<std::net::SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Whom limits are for: an IPv4 address, or the IPv6 network of 64 bits that one customer of a provider has.
pub(super) fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let headers = forwarded
            .iter()
            .map(|line| (FORWARDED_FOR, http::HeaderValue::from_static(line)))
            .collect();
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_header_counts_only_from_a_trusted_proxy() {
        assert_eq!(of("192.0.2.9", &["198.51.100.1"], &[]), "192.0.2.9");
        assert_eq!(of("192.0.2.9", &["198.51.100.1"], &["10.0.0.0/8"]), "192.0.2.9");
        assert_eq!(of("10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(
            of("::ffff:10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]),
            "198.51.100.1"
        );
    }

    #[test]
    fn what_the_client_made_up_does_not_count() {
        let trusted = ["10.0.0.0/8"];
        let made_up = "1.1.1.1, 198.51.100.1:4711, 10.0.0.7";
        assert_eq!(of("10.0.0.1", &[made_up], &trusted), "198.51.100.1");
        assert_eq!(
            of("10.0.0.1", &["1.1.1.1", "198.51.100.1"], &trusted),
            "198.51.100.1"
        );
        assert_eq!(
            of("10.0.0.1", &["1.1.1.1, nonsense, 10.0.0.7"], &trusted),
            "10.0.0.7"
        );
        assert_eq!(of("10.0.0.1", &[], &trusted), "10.0.0.1");
    }

    #[test]
    fn an_ipv6_network_is_one_household() {
        let household = |text: &str| household(text.parse().unwrap());
        assert_eq!(household("2001:db8:1:2::3"), household("2001:db8:1:2:ffff::1"));
        assert_ne!(household("2001:db8:1:2::3"), household("2001:db8:1:3::3"));
        assert_ne!(household("192.0.2.1"), household("192.0.2.2"));
    }
}
