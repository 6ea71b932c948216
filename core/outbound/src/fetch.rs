//! Core's `Fetcher`: one polite, conditional, bounded request per address.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{
    ACCEPT, CONTENT_TYPE, ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
    RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue};
use insula_core::source::{Ask, Fetched, FetchedPage, Fetcher, PageKind, Visit};
use reqwest::Method;
use robotxt::Robots;
use url::Url;

use crate::Outbound;
use crate::client::{Answer, Client, Failed, Request, gunzip};
use crate::links::{self, Directions};
use crate::polite::Sites;
use crate::{robots, sitemap, spelling};

const TIMEOUT: Duration = Duration::from_secs(20);
/// Largest document of the web.
const PAGE: usize = 20 * 1024 * 1024;
/// Largest sitemap, as its protocol says.
const SITEMAP: usize = 50 * 1024 * 1024;
/// Longest validator that is remembered.
const VALIDATOR: usize = 512;

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

impl Fetcher for Outbound {
    fn canonical(&self, url: &str) -> Result<String, String> {
        let url = self
            .client
            .guard
            .parse(url)
            .map_err(|refused| refused.to_string())?;
        Ok(spelling::canonical(url).into())
    }

    fn visit(&self) -> Box<dyn Visit> {
        Box::new(WebVisit {
            client: Arc::clone(&self.client),
            sites: self.sites.clone(),
            robots: HashMap::new(),
        })
    }
}

struct WebVisit {
    client: Arc<Client>,
    sites: Sites,
    robots: HashMap<String, Robots>,
}

#[async_trait]
impl Visit for WebVisit {
    async fn get(&mut self, ask: Ask<'_>) -> Fetched {
        // The rules may have changed since the address was written down.
        let url = match self.client.guard.parse(ask.url) {
            Ok(url) => url,
            Err(refused) => return failed(refused.to_string(), false),
        };
        let origin = url.origin().ascii_serialization();
        let turn = match self.sites.turn(&origin).await {
            Ok(turn) => turn,
            Err(wait) => return Fetched::NotYet(wait),
        };
        if !self.robots.contains_key(&origin) {
            match robots::fetch(&self.client, &url).await {
                Ok(rules) => _ = self.robots.insert(origin.clone(), rules),
                Err(error) => {
                    turn.end(None);
                    return match error {
                        Some(error) => unanswered(&error),
                        None => failed(
                            "Its robots.txt cannot be read, so nothing of the site may be.".into(),
                            true,
                        ),
                    };
                }
            }
        }
        let rules = self.robots.get(&origin);
        if rules.is_some_and(|rules| !rules.is_url_allowed(&url)) {
            return Fetched::Skipped {
                reason: "The site's robots.txt does not allow it.".into(),
                links: Vec::new(),
            };
        }
        let limit = match ask.kind {
            PageKind::Page => PAGE,
            PageKind::Sitemap => SITEMAP,
        };
        let answer = self
            .client
            .send(request(&url, Method::GET, headers(ask), limit))
            .await;
        turn.end(rules.and_then(Robots::crawl_delay));
        match answer {
            Ok(answer) => self.read(&url, ask, answer).await,
            Err(error) => unanswered(&error),
        }
    }
}

impl WebVisit {
    async fn read(&self, url: &Url, ask: Ask<'_>, answer: Answer) -> Fetched {
        match answer.status.as_u16() {
            200 | 203 if answer.cut => failed("It is too large, or damaged.".into(), false),
            200 | 203 => {
                let (url, kind) = (url.clone(), ask.kind);
                let reading = move || match kind {
                    PageKind::Page => page(&url, answer),
                    PageKind::Sitemap => list(&url, answer),
                };
                tokio::task::spawn_blocking(reading)
                    .await
                    .unwrap_or_else(|_| failed("It cannot be read.".into(), false))
            }
            304 if ask.etag.is_some() || ask.last_modified.is_some() => Fetched::Unchanged,
            301 | 302 | 303 | 307 | 308 => {
                let location = text(&answer.headers, &LOCATION).unwrap_or_default();
                match self.client.guard.redirect(url, &location) {
                    Ok(to) => {
                        let same_site = to.origin() == url.origin();
                        Fetched::Redirect {
                            to: spelling::canonical(to).into(),
                            same_site,
                        }
                    }
                    Err(refused) => failed(refused.to_string(), false),
                }
            }
            404 | 410 => Fetched::Gone,
            429 | 503 => Fetched::Busy(retry_after(&answer.headers)),
            status => failed(format!("It answered {status}."), status >= 500 || status == 408),
        }
    }
}

fn request(url: &Url, method: Method, headers: HeaderMap, limit: usize) -> Request<'_> {
    Request {
        method,
        url,
        headers,
        body: Bytes::new(),
        timeout: TIMEOUT,
        limit,
    }
}

fn headers(ask: Ask<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("text/html, application/xhtml+xml, */*;q=0.8"),
    );
    for (name, value) in [(IF_NONE_MATCH, ask.etag), (IF_MODIFIED_SINCE, ask.last_modified)] {
        if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
            headers.insert(name, value);
        }
    }
    headers
}

fn page(url: &Url, answer: Answer) -> Fetched {
    let kind = text(&answer.headers, &CONTENT_TYPE).unwrap_or_default();
    let Some(ending) = spelling::ending(&kind) else {
        let kind: String = kind.chars().filter(|c| !c.is_control()).take(100).collect();
        return skipped(format!("There is nothing to be read in '{kind}'."), Vec::new());
    };
    let mut directions = match ending {
        "html" => links::read(url, &answer.body),
        _ => Directions::default(),
    };
    for value in answer.headers.get_all(X_ROBOTS_TAG) {
        let value = value.to_str().unwrap_or_default();
        // `otherbot: noindex` is for another crawler.
        match value.split_once(':') {
            Some((agent, rest)) if agent.trim().eq_ignore_ascii_case("insula") => directions.obey(rest),
            Some(_) => {}
            None => directions.obey(value),
        }
    }
    if directions.noindex {
        return skipped(
            "The page asks not to be stored (noindex).".into(),
            directions.links,
        );
    }
    if answer.body.is_empty() {
        return skipped("It is empty.".into(), Vec::new());
    }
    let validator = |name| text(&answer.headers, name).filter(|value| value.len() <= VALIDATOR);
    Fetched::Page(FetchedPage {
        filename: spelling::filename(url, ending),
        links: directions.links,
        etag: validator(&ETAG),
        last_modified: validator(&LAST_MODIFIED),
        body: answer.body,
    })
}

fn list(url: &Url, answer: Answer) -> Fetched {
    let mut body = answer.body;
    // `sitemap.xml.gz`, which is a file and not an encoding.
    if body.starts_with(&[0x1f, 0x8b]) {
        let (text, cut) = gunzip(&body, SITEMAP);
        if cut {
            return failed("It is too large, or damaged.".into(), false);
        }
        body = text;
    }
    match sitemap::read(url, &body) {
        Ok(listed) => Fetched::Sitemap {
            pages: listed.pages,
            sitemaps: listed.sitemaps,
        },
        Err(reason) => failed(reason.into(), false),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let at = httpdate::parse_http_date(&value).ok()?;
            at.duration_since(SystemTime::now()).ok()
        }
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers
        .get(name)?
        .to_str()
        .ok()
        .map(|value| value.trim().to_owned())
}

fn unanswered(error: &Failed) -> Fetched {
    let passing = !matches!(error, Failed::Refused(_) | Failed::Certificate);
    failed(error.to_string(), passing)
}

fn failed(reason: String, passing: bool) -> Fetched {
    Fetched::Failed { reason, passing }
}

fn skipped(reason: String, links: Vec<String>) -> Fetched {
    Fetched::Skipped { reason, links }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        let soon = SystemTime::now() + Duration::from_secs(100);
        let left = read(&httpdate::fmt_http_date(soon)).unwrap().as_secs();
        assert!((95..=100).contains(&left), "{left}");
        assert_eq!(read("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(read("soon"), None);
    }
}
