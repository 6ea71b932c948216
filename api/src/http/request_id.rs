//! One id, one span and one access line per request.

use std::convert::Infallible;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::{Instrument, field};
use uuid::Uuid;

/// Header that carries our id of a request, on every answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");

/// Our id of the request, `req_<32 hex digits>`; in the request's extensions.
///
/// A client's own `X-Request-Id` is logged beside it, never taken over: it could repeat, or imitate another's.
#[derive(Debug, Clone)]
pub struct RequestId {
    id: Uuid,
    header: HeaderValue,
}

impl RequestId {
    fn new() -> Self {
        Self::of(Uuid::now_v7())
    }

    /// The id of a request that does not come over HTTP.
    pub(crate) fn of(id: Uuid) -> Self {
        // Hexadecimal digits are always a valid header value.
        let header = HeaderValue::try_from(format!("req_{}", id.simple()))
            .unwrap_or_else(|_| HeaderValue::from_static("req_"));
        Self { id, header }
    }

    /// The id itself: what the request does is in the ledger under it.
    pub fn uuid(&self) -> Uuid {
        self.id
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.header.to_str().unwrap_or_default()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let given = parts.extensions.get::<Self>().cloned();
        Ok(given.unwrap_or_else(Self::new))
    }
}

/// Middleware: gives the request its id and span, stamps the answer, and logs one line about it.
pub async fn track(mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = RequestId::new();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        request_id = id.as_str(),
        method = %request.method(),
        // The template, not the path: paths hold ids, and labels must stay few.
        route = route.as_deref().unwrap_or("-"),
        tenant = field::Empty,
        client_request_id = client_request_id(request.headers()),
    );
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(span.clone()).await;

    let elapsed = start.elapsed();
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.header);
    headers.insert(
        PROCESSING_MS,
        HeaderValue::from(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)),
    );
    let (status, latency_us) = (response.status().as_u16(), elapsed.as_micros());
    // For a stream this is the time to the head of the answer.
    span.in_scope(|| tracing::info!(status, latency_us, "answered"));
    response
}

/// What the client calls its request, if it is short and printable.
fn client_request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (!id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic())).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    #[tokio::test]
    async fn answers_carry_our_id_and_never_the_clients() {
        let app = Router::new()
            .route("/", get(|| async {}))
            .layer(axum::middleware::from_fn(track));
        let request = || {
            http::Request::builder()
                .uri("/")
                .header("x-request-id", "mine")
                .body(Body::empty())
                .unwrap()
        };
        let first = app.clone().oneshot(request()).await.unwrap();
        let second = app.oneshot(request()).await.unwrap();
        let id = |response: &Response| response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(id(&first).starts_with("req_") && id(&first).len() == 36);
        assert_ne!(id(&first), id(&second));
        assert!(first.headers().contains_key("openai-processing-ms"));
    }

    #[test]
    fn a_clients_id_is_logged_only_if_short_and_printable() {
        let with = |value: &str| HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(value).unwrap())]);
        assert_eq!(client_request_id(&with("abc-1")), Some("abc-1"));
        assert_eq!(client_request_id(&with(&"x".repeat(129))), None);
        assert_eq!(client_request_id(&with("a b")), None);
        assert_eq!(client_request_id(&HeaderMap::new()), None);
    }
}
