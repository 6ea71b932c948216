//! The dashboard's pages, which are in the binary.
//!
//! They are files that the frontend's build has made: `index.html`, which is the answer to every page's address, and what it
//! loads, whose names change with their content, so that they may be kept for ever. Beside each text lies the same compressed.

use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use rust_embed::{Embed, EmbeddedFile};

use crate::app::App;
use crate::http::ApiError;

#[derive(Embed)]
#[folder = "../frontend/dist"]
#[allow_missing = true]
struct Pages;

/// Styles come with the components that need them, hence `unsafe-inline` for those only; scripts are files of ours.
const CSP: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
    connect-src 'self'; font-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Insula</title>\
    <p>This binary was built without its dashboard: run <code>make dashboard</code>, then build it again. The API is \
    described at <a href=\"/docs/\">/docs/</a>.";
/// Paths that are no pages': what is unknown below them is an error of the API.
const NOT_PAGES: [&str; 6] = ["/v1", "/v2", "/docs", "/health", "/mcp", "/openapi.json"];

/// What pages load.
pub(crate) fn router() -> Router<App> {
    Router::new().route(
        "/assets/{*path}",
        get(|uri: Uri, headers: HeaderMap| async move {
            // Their names are plain: nothing is to be decoded.
            let found = file(uri.path().trim_start_matches('/'), &headers, FOR_EVER);
            found.unwrap_or_else(|| ApiError::UnknownUrl(Method::GET, uri.path().to_owned()).into_response())
        }),
    )
}

/// The page at an address that nothing else is at, for whoever asks for a page.
pub(crate) fn page(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    let path = uri.path();
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let is_page = (*method == Method::GET || *method == Method::HEAD)
        && accepts.is_some_and(|accept| accept.contains("text/html"))
        && !NOT_PAGES.iter().any(|other| {
            path.strip_prefix(other)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    if !is_page {
        // Icons and the like, which browsers ask for by themselves.
        let name = path
            .strip_prefix('/')
            .filter(|name| !name.is_empty() && !name.contains('/'))?;
        return (*method == Method::GET).then(|| file(name, headers, "max-age=3600"))?;
    }
    let page = file("index.html", headers, "no-cache");
    Some(page.unwrap_or_else(|| ([(header::CONTENT_SECURITY_POLICY, CSP)], Html(NOT_BUILT)).into_response()))
}

/// A file in the best encoding that the browser takes.
fn file(name: &str, headers: &HeaderMap, cache: &'static str) -> Option<Response> {
    let plain = Pages::get(name)?;
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let accepts = |encoding: &str| {
        let mut encodings = accepted.unwrap_or_default().split(',');
        encodings.any(|offered| {
            offered
                .split(';')
                .next()
                .is_some_and(|name| name.trim() == encoding)
        })
    };
    let packed = [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(encoding, _)| accepts(encoding))
        .find_map(|(encoding, extension)| Some((encoding, Pages::get(&format!("{name}.{extension}"))?)));
    let tag = entity_tag(&plain);
    let mut response = if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| *known == tag)
    {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = HeaderValue::try_from(plain.metadata.mimetype()).ok()?;
        let (encoding, body) = match packed {
            Some((encoding, packed)) => (Some(encoding), packed.data),
            None => (None, plain.data),
        };
        let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
        if let Some(encoding) = encoding {
            insert(&mut response, header::CONTENT_ENCODING, encoding);
        }
        response
    };
    insert(&mut response, header::VARY, "accept-encoding");
    insert(&mut response, header::CACHE_CONTROL, cache);
    insert(&mut response, header::CONTENT_SECURITY_POLICY, CSP);
    response.headers_mut().insert(header::ETAG, tag);
    Some(response)
}

fn insert(response: &mut Response, name: HeaderName, value: &'static str) {
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
}

/// Weak, because the same tag is for all encodings.
fn entity_tag(file: &EmbeddedFile) -> HeaderValue {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("W/\"{hex}\"")).unwrap_or(HeaderValue::from_static("W/\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, path: &str, accept: &str) -> Option<u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        let found = page(&method, &path.parse().unwrap(), &headers);
        found.map(|response| {
            assert_eq!(response.headers()["content-security-policy"], CSP);
            response.status().as_u16()
        })
    }

    #[test]
    fn pages_are_for_browsers_and_leave_the_api_alone() {
        let browser = "text/html,application/xhtml+xml";
        for path in ["/", "/usage", "/operator/tenants/proj_1", "/v10"] {
            assert_eq!(ask(Method::GET, path, browser), Some(200), "{path}");
            assert_eq!(ask(Method::POST, path, browser), None, "{path}");
        }
        assert_eq!(ask(Method::GET, "/usage", "application/json"), None);
        for path in [
            "/v1",
            "/v1/nothing",
            "/docs/x",
            "/health/x",
            "/mcp",
            "/openapi.json",
        ] {
            assert_eq!(ask(Method::GET, path, browser), None, "{path}");
        }
        for path in ["/../Cargo.toml", "/..%2fCargo.toml", "/nothing.svg"] {
            assert_eq!(ask(Method::GET, path, "image/*"), None, "{path}");
        }
    }
}
