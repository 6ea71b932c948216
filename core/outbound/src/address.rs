//! Which addresses are on the public internet.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv6Net};

/// IPv4 that is not, and the parts of IPv6's global unicast space that are not or that lead back into IPv4: IANA's
/// registries of special-purpose addresses, without their exceptions.
const SPECIAL: [&str; 22] = [
    "0.0.0.0/8",       // this network, unspecified
    "10.0.0.0/8",      // private
    "100.64.0.0/10",   // carrier-grade NAT
    "127.0.0.0/8",     // loopback
    "169.254.0.0/16",  // link-local, metadata services of clouds
    "172.16.0.0/12",   // private
    "192.0.0.0/24",    // protocol assignments
    "192.0.2.0/24",    // documentation
    "192.31.196.0/24", // AS112
    "192.52.193.0/24", // AMT
    "192.88.99.0/24",  // 6to4 relays
    "192.168.0.0/16",  // private
    "192.175.48.0/24", // AS112
    "198.18.0.0/15",   // benchmarking
    "198.51.100.0/24", // documentation
    "203.0.113.0/24",  // documentation
    "224.0.0.0/4",     // multicast
    "240.0.0.0/4",     // reserved, broadcast
    "2001::/23",       // protocol assignments: Teredo, ORCHID, benchmarking
    "2001:db8::/32",   // documentation
    "2002::/16",       // 6to4
    "3fff::/20",       // documentation
];

/// Everything else of IPv6 is refused: loopback, unique local, link-local, site-local, multicast, IPv4-mapped,
/// IPv4-compatible, NAT64, discard-only, segment routing, and what nobody has been given yet.
const GLOBAL_UNICAST: &str = "2000::/3";

static SPECIAL_NETS: LazyLock<Vec<IpNet>> =
    LazyLock::new(|| SPECIAL.iter().filter_map(|net| net.parse().ok()).collect());

static GLOBAL_UNICAST_NET: LazyLock<Option<Ipv6Net>> = LazyLock::new(|| GLOBAL_UNICAST.parse().ok());

/// Whether an address is one that anybody on the internet could reach, and no other network than the internet.
pub fn is_public(ip: IpAddr) -> bool {
    let assigned = match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => GLOBAL_UNICAST_NET.is_some_and(|net| net.contains(&ip)),
    };
    assigned && !SPECIAL_NETS.iter().any(|net| net.contains(&ip))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_network_of_the_list_is_one() {
        assert_eq!(SPECIAL_NETS.len(), SPECIAL.len());
        assert!(GLOBAL_UNICAST_NET.is_some());
    }

    #[test]
    fn well_known_addresses() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.215.14",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001:80f::200e",
            "2001:4860:4860::8888",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456:789a::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff02::1",
            "ff0e::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    proptest! {
        /// The standard library's own idea of these kinds, which is written without our table.
        #[test]
        fn nothing_that_std_calls_special_is_public(bits: u32) {
            let ip = Ipv4Addr::from(bits);
            let special = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast()
                || ip.is_broadcast() || ip.is_documentation() || ip.is_unspecified();
            prop_assert!(!(special && is_public(ip.into())), "{}", ip);
        }

        #[test]
        fn most_of_ipv4_is_public(a in 11u8..=99, b: u8, c: u8, d: u8) {
            prop_assert!(is_public(Ipv4Addr::new(a, b, c, d).into()));
        }

        #[test]
        fn inside_and_outside_of_each_private_network(host: u32) {
            for (net, bits) in [([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16), ([100, 64, 0, 0], 10),
                                ([127, 0, 0, 0], 8), ([169, 254, 0, 0], 16), ([198, 18, 0, 0], 15), ([224, 0, 0, 0], 3)] {
                let ip = Ipv4Addr::from(u32::from_be_bytes(net) | (host & (u32::MAX >> bits)));
                prop_assert!(!is_public(ip.into()), "{}", ip);
            }
        }

        /// No IPv4 address can be reached in the clothes of an IPv6 address, public or not.
        #[test]
        fn no_ipv4_inside_ipv6(bits: u32, low: u64) {
            let v4 = Ipv4Addr::from(bits);
            let [a, b, c, d] = v4.octets().map(u16::from);
            let (high, lower) = ((a << 8) | b, (c << 8) | d);
            let embedded = [
                v4.to_ipv6_mapped(),
                v4.to_ipv6_compatible(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, lower),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, lower),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, lower),
                Ipv6Addr::from((0x2002_u128 << 112) | (u128::from(bits) << 80) | u128::from(low)),
                Ipv6Addr::from((0x2001_0000_u128 << 96) | (u128::from(low) << 32) | u128::from(!bits)),
            ];
            for ip in embedded {
                prop_assert!(!is_public(ip.into()), "{}", ip);
            }
        }

        #[test]
        fn ipv6_outside_global_unicast_is_never_public(bits: u128) {
            let ip = Ipv6Addr::from(bits);
            if bits >> 125 != 1 {
                prop_assert!(!is_public(ip.into()), "{}", ip);
            }
            for prefix in [0xfc00_u128 << 112, 0xfe80_u128 << 112, 0xfec0_u128 << 112, 0xff00_u128 << 112] {
                let ip = Ipv6Addr::from(prefix | (bits >> 10));
                prop_assert!(!is_public(ip.into()), "{}", ip);
            }
        }
    }
}
