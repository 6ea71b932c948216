//! Addresses of mail and of machines.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{Finding, Kind, Pattern, context, pattern, stands_alone};

/// Of any script, because mail is. A domain has a dot and ends in letters.
static EMAIL: Pattern = Pattern::new(|| {
    pattern(
        r"[\p{L}\p{M}\p{N}.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,62})\.){1,8}\p{L}[\p{L}\p{M}\p{N}-]{1,62}",
    )
});

static IPV4: Pattern = Pattern::new(|| pattern(r"\d{1,3}(?:\.\d{1,3}){3}"));

static IPV6: Pattern = Pattern::new(|| pattern(r"(?i)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}"));

pub(super) fn emails(text: &str, found: &mut Vec<Finding>) {
    if !text.contains('@') {
        return;
    }
    for address in EMAIL.find_iter(text) {
        let kind = Kind::Email;
        // A sentence may end behind it, and begin with punctuation before it.
        let inside = address.as_str();
        let start = address.start() + (inside.len() - inside.trim_start_matches(is_punctuation).len());
        let end = address.start() + inside.trim_end_matches(['-', '.']).len();
        if !text[start..end].starts_with('@') {
            found.push(Finding {
                kind,
                range: start..end,
            });
        }
    }
}

fn is_punctuation(c: char) -> bool {
    matches!(
        c,
        '.' | '/' | '=' | '\'' | '`' | '!' | '#' | '?' | '{' | '|' | '*'
    )
}

pub(super) fn ips(text: &str, found: &mut Vec<Finding>) {
    let mut push = |range: Range<usize>| {
        found.push(Finding {
            kind: Kind::IpAddress,
            range,
        });
    };
    for address in IPV4.find_iter(text) {
        let meant = address
            .as_str()
            .parse()
            .is_ok_and(|ip: Ipv4Addr| !ip.is_loopback() && !ip.is_unspecified());
        let longer = text[address.end()..].starts_with('.')
            && text[address.end() + 1..].starts_with(|c: char| c.is_ascii_digit());
        if meant
            && !longer
            && stands_alone(text, &address.range())
            && !context::names_a_version(text, address.start())
        {
            push(address.range());
        }
    }
    if !text.contains(':') {
        return;
    }
    for address in IPV6.find_iter(text) {
        // `::` alone, and times of day, are none.
        let groups = address
            .as_str()
            .split(':')
            .filter(|group| !group.is_empty())
            .count();
        let meant = groups >= 3
            && address.as_str().bytes().any(|b| b.is_ascii_digit())
            && address.as_str().parse::<Ipv6Addr>().is_ok();
        if meant && stands_alone(text, &address.range()) {
            push(address.range());
        }
    }
}
