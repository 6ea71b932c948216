//! Values on the command line, each with a refusal that says how it is written.

use std::time::Duration;

use http::HeaderValue;
use insula_parse::sandbox::Limits;
use insula_serving::ModelLimits;
use ipnet::IpNet;
use url::Url;

/// `10s`, `1500ms`, `30d`; never zero.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than nothing".into()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write it as in 10s, 5m or 30d")),
    }
}

pub(super) fn network(text: &str) -> Result<IpNet, String> {
    match text.trim().parse() {
        Ok(network) => Ok(network),
        // One address is a network too.
        Err(_) => match text.trim().parse::<std::net::IpAddr>() {
            Ok(address) => Ok(address.into()),
            Err(_) => Err("is not a network; write it as in 10.0.0.0/8".into()),
        },
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("must be a whole number".into()),
    }
}

pub(super) fn parser_memory(text: &str) -> Result<u64, String> {
    let least = Limits::LEAST_MEMORY / (1024 * 1024);
    match text.parse() {
        Ok(megabytes) if (least..=1_000_000).contains(&megabytes) => Ok(megabytes),
        _ => Err(format!("must be a whole number of MiB, at least {least}")),
    }
}

pub(super) fn model_memory(text: &str) -> Result<u64, String> {
    let least = ModelLimits::LEAST_MEMORY / (1024 * 1024);
    match text.parse() {
        Ok(megabytes) if (least..=10_000_000).contains(&megabytes) => Ok(megabytes),
        _ => Err(format!("must be a whole number of MiB, at least {least}")),
    }
}

pub(super) fn connections(text: &str) -> Result<u32, String> {
    // One is kept by whoever begins, and a request may need a second one before it gives back the first.
    match text.parse() {
        Ok(number @ 2..=10_000) => Ok(number),
        _ => Err("must be a whole number from 2 to 10000".into()),
    }
}

pub(super) fn origin(text: &str) -> Result<HeaderValue, String> {
    let text = text.trim();
    let plain = text == "*"
        || (text
            .split_once("://")
            .is_some_and(|(_, host)| !host.is_empty() && !host.contains('/')));
    match HeaderValue::from_str(text) {
        Ok(value) if plain => Ok(value),
        _ => Err("must be an origin such as https://app.example.com, or *".into()),
    }
}

/// `https://ai.example.com`: pages are at the root, and cookies know no paths.
pub(super) fn site(text: &str) -> Result<Url, String> {
    let refused = "must be an address such as https://ai.example.com, without a path";
    let url = Url::parse(text.trim()).map_err(|_| refused.to_owned())?;
    let plain = ["http", "https"].contains(&url.scheme())
        && url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if plain { Ok(url) } else { Err(refused.to_owned()) }
}

/// A part of a whole.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a number from 0 to 1".into()),
    }
}
