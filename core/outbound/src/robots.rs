//! robots.txt, as RFC 9309 reads it.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::LOCATION;
use reqwest::Method;
use robotxt::{AccessResult, BYTE_LIMIT, Robots};
use url::Url;

use crate::client::{Client, Failed, Request};

/// How robots.txt calls us.
const AGENT: &str = "Insula";
const TIMEOUT: Duration = Duration::from_secs(10);
const REDIRECTS: usize = 3;

/// The rules of a site.
///
/// # Errors
/// If the site cannot say: nothing may be asked until it can. `None`: it answered, but with a failure of its own.
pub(crate) async fn fetch(client: &Client, site: &Url) -> Result<Robots, Option<Failed>> {
    let mut url = site.join("/robots.txt").map_err(|_| None)?;
    for _ in 0..=REDIRECTS {
        let request = Request {
            method: Method::GET,
            url: &url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: TIMEOUT,
            limit: BYTE_LIMIT,
        };
        let answer = client.send(request).await.map_err(Some)?;
        match answer.status.as_u16() {
            200..300 => return Ok(Robots::from_access(AccessResult::Successful(&answer.body), AGENT)),
            300..400 => {
                let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok());
                match client.guard.redirect(&url, to.unwrap_or_default()) {
                    Ok(to) => url = to,
                    // Nowhere that we would look: as if there were none.
                    Err(_) => break,
                }
            }
            429 | 500.. => return Err(None),
            _ => break,
        }
    }
    Ok(Robots::from_access(AccessResult::Unavailable, AGENT))
}
