//! Reading a whole request body within its limit.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use insula_core::Error;

use super::ApiError;

/// How long a client may take to send a JSON body. Uploads have no such limit, only one on silence.
const BODY_DEADLINE: Duration = Duration::from_secs(60);

/// Reads the body of `request`, up to the limit of its route.
pub(super) async fn read(request: Request) -> Result<Bytes, Error> {
    refuse_encoding(request.headers())?;
    let read = Bytes::from_request(request, &());
    match tokio::time::timeout(BODY_DEADLINE, read).await {
        Err(_) => Err(bad("The request body did not arrive in time.")),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) => Err(classify(rejection.status())),
    }
}

/// A body as it came, whatever its content type says.
#[derive(Debug)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self(read(request).await?))
    }
}

/// Tells a body above the limit from one that broke off, by the status that axum gives the two.
pub(super) fn classify(status: StatusCode) -> Error {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Error::TooLarge("The request body is larger than this endpoint accepts.".into());
    }
    bad("The request body could not be read to its end.")
}

/// Checks that the body is declared as JSON.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Error> {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase());
    match essence.as_deref() {
        Some(essence)
            if essence == "application/json"
                || (essence.starts_with("application/") && essence.ends_with("+json")) =>
        {
            Ok(())
        }
        _ => Err(bad(
            "Send the request body as JSON, with the header Content-Type: application/json.",
        )),
    }
}

/// Bodies are taken as they are: unpacking them would let a small request grow without bound.
fn refuse_encoding(headers: &HeaderMap) -> Result<(), Error> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Err(bad(
            "Compressed request bodies are not accepted; send it without Content-Encoding.",
        )),
        _ => Ok(()),
    }
}

fn bad(message: &str) -> Error {
    Error::Invalid {
        message: message.into(),
        param: None,
        code: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn json_is_recognised_with_parameters_and_suffixes_and_nothing_else() {
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/vnd.api+json",
        ] {
            assert!(
                require_json(&headers(header::CONTENT_TYPE, good)).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "text/plain",
            "application/jsonx",
            "",
            "multipart/form-data; boundary=json",
        ] {
            assert!(
                require_json(&headers(header::CONTENT_TYPE, bad)).is_err(),
                "{bad}"
            );
        }
        assert!(require_json(&HeaderMap::new()).is_err());
    }

    #[test]
    fn compressed_bodies_are_refused() {
        assert!(refuse_encoding(&headers(header::CONTENT_ENCODING, "gzip")).is_err());
        assert!(refuse_encoding(&headers(header::CONTENT_ENCODING, "identity")).is_ok());
    }
}
