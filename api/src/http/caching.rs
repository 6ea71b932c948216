//! `x-insula-cache`: whether an answer may be one that was given before, and whether it is.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use insula_core::Error;
use insula_core::chat::CacheStatus;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// The header, of requests and of answers.
pub(super) const CACHE: HeaderName = HeaderName::from_static("x-insula-cache");

/// The header, for the documentation.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the header; wanted reads it")]
pub struct CacheHeader {
    /// `ttl=60`: an answer that was given to the same call within the last 60 seconds may be given again, and this one may.
    /// `no-store`: the answer must be new. The answer's own `x-insula-cache` says `hit` or `miss`.
    #[param(rename = "x-insula-cache")]
    cache: Option<String>,
}

/// Whether an answer may be one that was given before, in the body.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[schema(as = ResponseCacheParam)]
pub struct CacheParam {
    /// How old it may be, in seconds; 0: it must be new.
    pub ttl_seconds: u32,
}

/// What the header of a request says.
#[derive(Debug)]
pub struct Asked(Option<HeaderValue>);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get(CACHE).cloned()))
    }
}

/// How old an answer may be, if the call says so: in the header, or in the body.
///
/// # Errors
/// [`Error::Invalid`] for a header that says something else.
pub fn wanted(header: &Asked, body: Option<CacheParam>) -> Result<Option<Duration>, Error> {
    let Some(value) = &header.0 else {
        return Ok(from_body(body));
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "no-store" {
        return Ok(Some(Duration::ZERO));
    }
    let seconds = text
        .strip_prefix("ttl=")
        .and_then(|seconds| seconds.parse::<u32>().ok());
    match seconds {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds.into()))),
        None => Err(Error::invalid(
            CACHE.as_str(),
            "Invalid header 'x-insula-cache': expected 'ttl=SECONDS' or 'no-store'.",
        )),
    }
}

/// How old an answer may be, if the body says so.
pub fn from_body(body: Option<CacheParam>) -> Option<Duration> {
    body.map(|body| Duration::from_secs(body.ttl_seconds.into()))
}

/// An answer that says whether it came from the cache.
pub struct Cached<R>(pub Option<CacheStatus>, pub R);

impl<R: IntoResponse> IntoResponse for Cached<R> {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        if let Some(status) = self.0 {
            let status = match status {
                CacheStatus::Hit => "hit",
                CacheStatus::Miss => "miss",
            };
            response
                .headers_mut()
                .insert(CACHE, HeaderValue::from_static(status));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_goes_before_the_body() {
        let headers = |text| Asked(Some(HeaderValue::from_static(text)));
        let body = Some(CacheParam { ttl_seconds: 5 });
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(wanted(&Asked(None), None).unwrap(), None);
        assert_eq!(wanted(&Asked(None), body).unwrap(), seconds(5));
        assert_eq!(wanted(&headers("ttl=60"), body).unwrap(), seconds(60));
        assert_eq!(wanted(&headers("no-store"), body).unwrap(), seconds(0));
        for bad in ["", "ttl=", "ttl=-1", "60", "ttl=x"] {
            assert!(wanted(&headers(bad), None).is_err(), "{bad}");
        }
    }
}
