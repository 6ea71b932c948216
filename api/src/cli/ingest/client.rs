//! Requests to the server: with the key, and again when that may help.

use std::time::Duration;

use http::Method;
use http::header::{HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// The header of a request that is to be carried out once, however often it arrives.
pub(super) const ONCE: &str = "idempotency-key";
/// How often a request is tried while files are under way: over a minute, so that a server may start again.
pub(super) const TRIES: u32 = 10;
/// How often the first request is tried. Somebody waits, and the address may be wrong.
pub(super) const FIRST_TRIES: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The longest pause that a server may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);
/// How long a request may take that says nothing else.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server and the key to it.
#[derive(Debug)]
pub(super) struct Api {
    http: reqwest::Client,
    root: String,
    key: SecretString,
}

impl Api {
    /// `root` is the address with or without `/v1`.
    pub(super) fn new(root: &str, key: SecretString) -> anyhow::Result<Self> {
        let root = root.trim_end_matches('/');
        Ok(Self {
            http: insula_inference::http::client(Default::default())?,
            root: root.strip_suffix("/v1").unwrap_or(root).to_owned(),
            key,
        })
    }

    /// A request with the key, to be completed with a body or more headers.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.root))
            .timeout(TIMEOUT)
            .bearer_auth(self.key.expose_secret())
    }

    /// Sends a request until there is an answer that is worth having. Every try is a request of its own.
    ///
    /// # Errors
    /// With the last refusal, or the cause that there was no answer.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        tries: u32,
        request: impl AsyncFn() -> std::io::Result<RequestBuilder>,
    ) -> Result<T, ApiError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let request = request().await.map_err(ApiError::Disk)?;
            let (error, asked) = match self.attempt(request).await {
                Ok(answer) => {
                    return serde_json::from_slice(&answer)
                        .map_err(|_| ApiError::NotInsula(self.root.clone()));
                }
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::ForNow(error, asked)) => (error, asked),
            };
            if tried >= tries {
                return Err(error);
            }
            tracing::debug!(%error, tried, "trying again");
            tokio::time::sleep(pause(tried, asked, rand::random())).await;
        }
    }

    async fn attempt(&self, request: RequestBuilder) -> Result<bytes::Bytes, Failed> {
        let lost = |error| Failed::ForNow(ApiError::unreachable(&self.root, error), None);
        let response = request.send().await.map_err(lost)?;
        if response.status().is_success() {
            return response.bytes().await.map_err(lost);
        }
        let (again, asked) = (may_try_again(&response), retry_after(response.headers()));
        let error = ApiError::refused(response).await;
        Err(if again {
            Failed::ForNow(error, asked)
        } else {
            Failed::ForGood(error)
        })
    }
}

/// Why there is no answer yet.
enum Failed {
    /// It would not help to try again.
    ForGood(ApiError),
    /// It may, after the time that the server asked for.
    ForNow(ApiError, Option<Duration>),
}

fn may_try_again(response: &Response) -> bool {
    if let Some(advice) = response.headers().get("x-should-retry") {
        return advice == "true";
    }
    matches!(response.status().as_u16(), 408 | 429 | 500..)
}

/// What the server asked for: milliseconds if it says so, otherwise seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let milliseconds = number("retry-after-ms").map(Duration::from_millis);
    milliseconds.or_else(|| number(RETRY_AFTER.as_str()).map(Duration::from_secs))
}

/// How long to wait after so many tries: as long as the server asked for, otherwise twice as long each time; and up to a
/// quarter longer, `jitter` being from 0 to 1, so that many do not come back at once.
fn pause(tried: u32, asked: Option<Duration>, jitter: f64) -> Duration {
    let grown = FIRST_PAUSE
        .saturating_mul(1 << tried.saturating_sub(1).min(16))
        .min(LONGEST_PAUSE);
    let pause = asked.map_or(grown, |asked| asked.min(LONGEST_RETRY_AFTER));
    pause.mul_f64(1.0 + jitter / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_with_or_without_the_version() {
        for address in ["http://a:1", "http://a:1/", "http://a:1/v1", "http://a:1/v1/"] {
            assert_eq!(Api::new(address, "k".into()).unwrap().root, "http://a:1");
        }
    }

    #[test]
    fn pauses_grow_to_a_limit_and_the_server_has_the_word() {
        let pauses: Vec<f64> = (1..=7)
            .map(|tried| pause(tried, None, 0.0).as_secs_f64())
            .collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]);
        let asked = |seconds| pause(1, Some(Duration::from_secs(seconds)), 0.0).as_secs();
        assert_eq!((asked(0), asked(7), asked(3600)), (0, 7, 120));
        assert_eq!(pause(3, None, 1.0), Duration::from_millis(2500));
        assert_eq!(pause(u32::MAX, None, 0.0), LONGEST_PAUSE);
    }

    #[test]
    fn the_servers_wish_is_read_in_both_forms() {
        let wish = |headers: &[(&'static str, &str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
            retry_after(&headers.collect())
        };
        assert_eq!(
            wish(&[("retry-after", "2"), ("retry-after-ms", "1200")]),
            Some(Duration::from_millis(1200))
        );
        assert_eq!(wish(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(wish(&[("retry-after", "Fri, 01 Jan 2027 00:00:00 GMT")]), None);
    }
}
