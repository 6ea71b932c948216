//! The site that pages are served from: its address, the cookie of sessions, and what keeps other pages from using it.

use http::header::{COOKIE, HOST, HeaderName, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};
use insula_tenancy::{AccessError, session};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Over TLS, with the prefix that has browsers refuse a cookie that was set by anything but this very host.
const SECURE_COOKIE: &str = "__Host-insula-session";
const PLAIN_COOKIE: &str = "insula-session";

/// Where the pages are.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// As people reach it; `None`: only on this machine, or by address.
    public: Option<Url>,
}

impl Site {
    /// The site at this address, as people reach it.
    pub fn new(public: Option<Url>) -> Self {
        Self { public }
    }

    /// Whether people reach it over TLS.
    pub fn is_secure(&self) -> bool {
        self.public.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    /// The beginning of links to pages, without a slash at its end. Absent a configured address: as this request came.
    pub fn root(&self, parts: &Parts) -> String {
        match &self.public {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", host(parts).unwrap_or("localhost")),
        }
    }

    /// Refuses names that are not this site's: a page elsewhere may have its own name lead here (DNS rebinding).
    ///
    /// # Errors
    /// [`AccessError::WrongHost`].
    pub fn check_host(&self, parts: &Parts) -> Result<(), AccessError> {
        let host = host(parts).ok_or(AccessError::WrongHost)?;
        let asked = Url::parse(&format!("http://{host}")).map_err(|_| AccessError::WrongHost)?;
        let known = match (&self.public, asked.host()) {
            (Some(public), name) => public.host() == name || is_this_machine(name.as_ref()),
            // Without a configured name only addresses are sure to mean this server.
            (None, Some(Host::Ipv4(_) | Host::Ipv6(_))) => true,
            (None, name) => is_this_machine(name.as_ref()),
        };
        if known {
            Ok(())
        } else {
            Err(AccessError::WrongHost)
        }
    }

    /// Refuses what another page has the browser send along with our cookie. Browsers say where a request comes from, in one
    /// of two headers that no page can set; who says nothing is refused.
    ///
    /// # Errors
    /// [`AccessError::CrossOrigin`].
    pub fn check_origin(&self, parts: &Parts) -> Result<(), AccessError> {
        if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let same = match parts.headers.get(SEC_FETCH_SITE) {
            Some(site) => site == "same-origin",
            None => parts.headers.get(ORIGIN).is_some_and(|origin| {
                let origin = origin.to_str().unwrap_or_default();
                let (_, from) = origin.split_once("://").unwrap_or_default();
                host(parts).is_some_and(|host| host.eq_ignore_ascii_case(from))
            }),
        };
        if same {
            Ok(())
        } else {
            Err(AccessError::CrossOrigin)
        }
    }

    /// The session's token that a browser presents.
    pub fn presented<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let pairs = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        let mut found = pairs.filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == self.cookie()).then_some(value)
        });
        found.next().filter(|value| !value.is_empty())
    }

    /// What gives a browser the session.
    pub fn give(&self, token: &SecretString) -> HeaderValue {
        self.set_cookie(token.expose_secret(), session::LIFETIME.as_secs())
    }

    /// What takes it away.
    pub fn take_away(&self) -> HeaderValue {
        self.set_cookie("", 0)
    }

    fn cookie(&self) -> &'static str {
        if self.is_secure() {
            SECURE_COOKIE
        } else {
            PLAIN_COOKIE
        }
    }

    /// Strict: the pages are static, so that a link from elsewhere needs no cookie to open one.
    fn set_cookie(&self, value: &str, seconds: u64) -> HeaderValue {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let name = self.cookie();
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

/// The host that a request names, with its port.
fn host(parts: &Parts) -> Option<&str> {
    match parts.headers.get(HOST) {
        Some(host) => host.to_str().ok(),
        // HTTP/2 has it in the address.
        None => parts.uri.authority().map(http::uri::Authority::as_str),
    }
}

fn is_this_machine(host: Option<&Host<&str>>) -> bool {
    match host {
        Some(Host::Domain(name)) => *name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: Method, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri("/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn site(url: &str) -> Site {
        Site::new(Some(url.parse().unwrap()))
    }

    #[test]
    fn only_the_sites_own_names_lead_to_it() {
        let at = |site: &Site, host: &str| site.check_host(&parts(Method::GET, &[("host", host)])).is_ok();
        let local = Site::default();
        for good in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "localhost",
            "insula.localhost:1",
            "192.0.2.1",
        ] {
            assert!(at(&local, good), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "",
            "127.0.0.1.evil.example:8080",
        ] {
            assert!(!at(&local, bad), "{bad}");
        }
        let public = site("https://ai.example");
        assert!(at(&public, "ai.example") && at(&public, "AI.example:443") && at(&public, "127.0.0.1:8080"));
        assert!(!at(&public, "evil.example") && !at(&public, "192.0.2.1"));
    }

    #[test]
    fn other_pages_cannot_have_the_browser_act() {
        let may = |method: Method, headers: &[(&str, &str)]| {
            let host = [("host", "ai.example")];
            let headers: Vec<_> = host.iter().chain(headers).copied().collect();
            Site::default().check_origin(&parts(method, &headers)).is_ok()
        };
        assert!(may(Method::GET, &[("origin", "https://evil.example")]));
        assert!(may(Method::POST, &[("sec-fetch-site", "same-origin")]));
        assert!(may(Method::POST, &[("origin", "https://ai.example")]));
        for headers in [
            &[][..],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://ai.example")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(!may(Method::DELETE, headers), "{headers:?}");
        }
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let token = SecretString::from("ist_x");
        let given = |site: &Site| site.give(&token).to_str().unwrap().to_owned();
        let plain = given(&Site::default());
        assert!(plain.starts_with("insula-session=ist_x; Path=/; ") && !plain.contains("Secure"));
        assert!(plain.contains("; HttpOnly; SameSite=Strict"));
        let secure = site("https://ai.example");
        assert!(given(&secure).starts_with("__Host-insula-session=") && given(&secure).ends_with("; Secure"));
        let headers = parts(
            Method::GET,
            &[("cookie", "a=b; __Host-insula-session=ist_y; c=d")],
        )
        .headers;
        assert_eq!(secure.presented(&headers), Some("ist_y"));
        assert_eq!(Site::default().presented(&headers), None);
        assert!(
            secure
                .take_away()
                .to_str()
                .unwrap()
                .contains("session=; Path=/; Max-Age=0")
        );
    }
}
