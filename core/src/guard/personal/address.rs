//! Addresses of mail and of machines.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{Finding, Kind, Pattern, context, pattern, stands_alone};

static IPV4: Pattern = Pattern::new(|| pattern(r"\d{1,3}(?:\.\d{1,3}){3}"));

static IPV6: Pattern = Pattern::new(|| pattern(r"(?i)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}"));

/// Longest part before the `@`, and longest domain, in characters.
const LONGEST: (usize, usize) = (64, 253);

pub(super) fn emails(text: &str, found: &mut Vec<Finding>) {
    let mut from = 0;
    for (at, _) in text.match_indices('@') {
        let local: usize = text[from..at]
            .chars()
            .rev()
            .take(LONGEST.0)
            .take_while(|c| is_local(*c))
            .map(char::len_utf8)
            .sum();
        let start = at - local;
        let start = start + (local - text[start..at].trim_start_matches(is_punctuation).len());
        let domain: usize = text[at + 1..]
            .chars()
            .take(LONGEST.1)
            .take_while(|c| c.is_alphanumeric() || is_mark(*c) || matches!(c, '-' | '.'))
            .map(char::len_utf8)
            .sum();
        // A sentence may end behind it.
        let domain = text[at + 1..at + 1 + domain].trim_end_matches(['-', '.']);
        if start < at && is_domain(domain) {
            from = at + 1 + domain.len();
            found.push(Finding {
                kind: Kind::Email,
                range: start..from,
            });
        }
    }
}

/// Of any script, because mail is. A domain has a dot and ends in letters.
fn is_domain(domain: &str) -> bool {
    let labels = || domain.split('.');
    let whole = labels().count() >= 2 && labels().all(|label| !label.is_empty() && !label.starts_with('-'));
    let last = labels().next_back().unwrap_or_default();
    whole && last.chars().count() >= 2 && last.starts_with(char::is_alphabetic)
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric()
        || is_mark(c)
        || is_punctuation(c)
        || matches!(c, '$' | '%' | '&' | '+' | '^' | '_' | '}' | '~' | '-')
}

/// What a part before the `@` may have, but does not begin with.
fn is_punctuation(c: char) -> bool {
    matches!(
        c,
        '.' | '/' | '=' | '\'' | '`' | '!' | '#' | '?' | '{' | '|' | '*'
    )
}

fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
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
