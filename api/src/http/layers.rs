//! What stands around every route: refusals in the API's shape for what never reaches a handler, limits, and
//! headers.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use insula_core::Error;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::caching::CACHE;
use super::error::of_inference;
use super::gate::Gate;
use super::request_id::REQUEST_ID;
use super::{ApiError, OperationId, limits, track};
use crate::config::ServeArgs;
use crate::dashboard;

/// Body limit of JSON routes that name none.
pub const JSON_LIMIT: usize = 2 * 1024 * 1024;
/// Body limit where long inputs are the point: embeddings and chat.
pub const LARGE_JSON_LIMIT: usize = 16 * 1024 * 1024;

/// Puts the layers around `router`. Its fallbacks are set here, so that they are inside.
///
/// `secure`: people reach the site over TLS, and shall never again without.
pub fn wrap<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    args: &ServeArgs,
    secure: bool,
) -> Router<S> {
    let entrance = Arc::new(Entrance {
        gate: Gate::new(args),
        permits: Semaphore::new(args.max_concurrent_requests),
        secure,
    });
    let router = router
        .fallback(unknown_url)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(entrance, enter));
    let router = match cors(&args.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    // Outermost, so that every answer of the layers within has an id and a line in the log.
    router.layer(from_fn(track))
}

/// Who may come in, and how many at once.
struct Entrance {
    gate: Gate,
    permits: Semaphore,
    secure: bool,
}

/// Gives a route group a deadline up to the head of its answer. A stream that has begun is not cut.
pub async fn deadline(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::TimedOut.into_response(),
    }
}

/// Ids of operations, by method and path.
pub type Operations = Arc<HashMap<(Method, String), OperationId>>;

/// Tells handlers which operation a request is of, where somebody may look in whose looks are logged: those have a session, and
/// no key.
pub async fn name_operation(
    State(operations): State<Operations>,
    mut request: Request,
    next: Next,
) -> Response {
    if !request.headers().contains_key(header::AUTHORIZATION) {
        let path = request.extensions().get::<MatchedPath>();
        let key = path.map(|path| (request.method().clone(), path.as_str().to_owned()));
        if let Some(id) = key.and_then(|key| operations.get(&key)) {
            request.extensions_mut().insert(id.clone());
        }
    }
    next.run(request).await
}

async fn unknown_url(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    match dashboard::page(&method, &uri, &headers) {
        Some(page) => page,
        None => ApiError::UnknownUrl(method, uri.path().to_owned()).into_response(),
    }
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::MethodNotAllowed(method, uri.path().to_owned())
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    ApiError::of_panic(&*panic).into_response()
}

const API_CSP: &str = "default-src 'none'; frame-ancestors 'none'";
/// Swagger UI is served whole from this origin; it injects styles, hence `unsafe-inline` for those only.
const DOCS_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; \
    base-uri 'none'; form-action 'none'";

/// What every request passes: who sends too many is told so, who comes when the server is full is told "later" rather than
/// queued without bound, and browsers are kept from guessing, framing and caching. Probes pass: a busy server is alive.
///
/// One layer, because each costs every request a box and a move.
async fn enter(State(entrance): State<Arc<Entrance>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let docs = path.starts_with("/docs");
    let probe = path.starts_with("/health/") || path.starts_with("/v2/health/");
    let inference = path == "/v2" || path.starts_with("/v2/");
    let mut response = if probe {
        next.run(request).await
    } else if let Err(refused) = entrance.gate.admit(&mut request) {
        refused.into_response()
    } else if let Ok(_permit) = entrance.permits.try_acquire() {
        next.run(request).await
    } else {
        full().into_response()
    };
    if inference {
        response = of_inference(response);
    }
    let headers = response.headers_mut();
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, header::X_FRAME_OPTIONS, "DENY");
    set(headers, header::REFERRER_POLICY, "no-referrer");
    if entrance.secure {
        set(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    set(
        headers,
        header::CONTENT_SECURITY_POLICY,
        if docs { DOCS_CSP } else { API_CSP },
    );
    set(
        headers,
        header::CACHE_CONTROL,
        if docs { "max-age=3600" } else { "no-store" },
    );
    response
}

fn full() -> ApiError {
    ApiError::from(Error::Overloaded {
        message: "The server is at its limit of concurrent requests.".into(),
        retry_after: Duration::from_secs(1),
    })
}

/// Sets a header unless the handler has.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

/// SDKs in browsers send `x-stainless-*` headers whose names change with their versions: whatever is asked for
/// is allowed. Keys travel in a header, never in cookies, so no credentials.
fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    let origins = match origins {
        [] => return None,
        [all] if all == "*" => AllowOrigin::any(),
        some => AllowOrigin::list(some.iter().cloned()),
    };
    let exposed: Vec<HeaderName> = [
        REQUEST_ID,
        header::RETRY_AFTER,
        HeaderName::from_static("openai-processing-ms"),
        HeaderName::from_static("openai-poll-after-ms"),
    ]
    .into_iter()
    .chain(limits::names())
    .chain([CACHE])
    .collect();
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        .max_age(Duration::from_secs(600));
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::routing::{get, post};
    use tower::ServiceExt;

    fn app(max_concurrent_requests: usize, cors_origins: &[&str]) -> Router {
        let router = Router::new()
            .route("/health/live", get(|| async {}))
            .route(
                "/echo",
                post(|body: super::super::Json<serde_json::Value>| async { body }),
            )
            .route(
                "/panic",
                get(|| async {
                    if true {
                        panic!("boom secret")
                    }
                }),
            )
            .route(
                "/slow",
                get(std::future::pending::<()>)
                    .layer(from_fn_with_state(Duration::from_millis(20), deadline)),
            );
        let router = router.layer(axum::extract::DefaultBodyLimit::max(JSON_LIMIT));
        let cors_origins = cors_origins
            .iter()
            .map(|origin| origin.parse().unwrap())
            .collect();
        wrap(
            router,
            &ServeArgs {
                max_concurrent_requests,
                cors_origins,
                ..ServeArgs::default()
            },
            false,
        )
    }

    async fn call(
        app: &Router,
        request: http::request::Builder,
        body: Body,
    ) -> (Response<()>, serde_json::Value) {
        let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        (Response::from_parts(parts, ()), json)
    }

    fn request(method: &str, uri: &str) -> http::request::Builder {
        http::Request::builder().method(method).uri(uri)
    }

    #[tokio::test]
    async fn whatever_no_handler_answers_speaks_the_error_shape_and_has_an_id() {
        let app = app(8, &[]);
        let json = || request("POST", "/echo").header("content-type", "application/json");
        for (request, body, status, code) in [
            (request("GET", "/nope"), Body::empty(), 404, Some("unknown_url")),
            (
                request("DELETE", "/echo"),
                Body::empty(),
                405,
                Some("method_not_allowed"),
            ),
            (request("GET", "/panic"), Body::empty(), 500, None),
            (request("GET", "/slow"), Body::empty(), 503, None),
            (json(), Body::from(" ".repeat(JSON_LIMIT + 1)), 413, None),
            (
                json().header("content-encoding", "gzip"),
                Body::from("{}"),
                400,
                None,
            ),
            (request("POST", "/echo"), Body::from("{}"), 400, None),
        ] {
            let what = format!("{request:?}");
            let (head, body) = call(&app, request, body).await;
            assert_eq!(head.status(), status, "{what}");
            assert_eq!(body["error"]["code"].as_str(), code, "{what}");
            for key in ["message", "type", "param", "code"] {
                assert!(body["error"].get(key).is_some(), "{what}: {key}");
            }
            assert!(
                head.headers()["x-request-id"]
                    .to_str()
                    .unwrap()
                    .starts_with("req_"),
                "{what}"
            );
            assert_eq!(head.headers()["x-content-type-options"], "nosniff");
            assert!(!body.to_string().contains("secret"), "{body}");
        }
    }

    #[tokio::test]
    async fn a_405_still_says_what_is_allowed() {
        let (head, _) = call(&app(8, &[]), request("DELETE", "/echo"), Body::empty()).await;
        assert_eq!(head.headers()["allow"], "POST");
    }

    #[tokio::test]
    async fn above_the_limit_requests_are_shed_but_probes_pass() {
        let app = app(0, &[]);
        let (head, body) = call(&app, request("GET", "/nope"), Body::empty()).await;
        assert_eq!(
            (head.status().as_u16(), body["error"]["type"].as_str()),
            (503, Some("server_error"))
        );
        assert!(head.headers().contains_key("retry-after"));
        assert_eq!(
            call(&app, request("GET", "/health/live"), Body::empty())
                .await
                .0
                .status(),
            200
        );
    }

    #[tokio::test]
    async fn preflights_allow_the_headers_that_are_asked_for_from_listed_origins_only() {
        let app = app(8, &["https://a.example"]);
        let preflight = |origin: &str| {
            request("OPTIONS", "/echo")
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,x-stainless-new")
        };
        let (head, _) = call(&app, preflight("https://a.example"), Body::empty()).await;
        assert_eq!(head.status(), 200);
        assert_eq!(
            head.headers()["access-control-allow-headers"],
            "authorization,x-stainless-new"
        );
        let (head, _) = call(&app, preflight("https://b.example"), Body::empty()).await;
        assert!(!head.headers().contains_key("access-control-allow-origin"));
    }
}
