//! `Idempotency-Key`: creations that a client may safely repeat.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use insula_core::Error;
use insula_core::idempotency::Repeatable;
use insula_tenancy::{Actor, TenantContext, TenantTx};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::{ApiError, ApiResult, body, json};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The header, for the documentation of creations.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the header; OnceKey reads it")]
pub struct IdempotencyHeader {
    /// Any string of up to 255 characters. A repetition within a day gets the first answer, makes nothing and costs nothing;
    /// while the first request is still being answered it is refused with 409, to be tried again.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}

/// The key of a request whose body is not JSON: what makes the body what it is has to be added with
/// [`OnceKey::over`].
#[derive(Debug)]
pub struct OnceKey {
    key: Option<String>,
    digest: Sha256,
}

impl OnceKey {
    fn read(headers: &HeaderMap, method: &str, path: &str) -> Result<Self, Error> {
        let mut values = headers.get_all(&KEY).iter();
        let key = values.next().map(|value| {
            let text = value.to_str().unwrap_or_default();
            if text.is_empty() || text.len() > 255 || values.next().is_some() {
                return Err(Error::Invalid {
                    message: "Send one Idempotency-Key of 1 to 255 visible ASCII characters.".into(),
                    param: None,
                    code: Some("invalid_value"),
                });
            }
            Ok(text.to_owned())
        });
        let (key, mut digest) = (key.transpose()?, Sha256::new());
        // Most requests have no key, and need no digest.
        if key.is_some() {
            for part in [method, path] {
                digest.update(part);
                digest.update([0]);
            }
        }
        Ok(Self { key, digest })
    }

    /// Completes the fingerprint. Each part is set apart from the next.
    pub fn over(self, parts: &[impl AsRef<[u8]>]) -> Once {
        let Self { key, mut digest } = self;
        Once(key.map(|key| {
            add(&mut digest, parts);
            Repeatable {
                key,
                fingerprint: digest.finalize().into(),
            }
        }))
    }
}

fn add(digest: &mut Sha256, parts: &[impl AsRef<[u8]>]) {
    for part in parts.iter().map(AsRef::as_ref) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OnceKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self::read(
            &parts.headers,
            parts.method.as_str(),
            parts.uri.path(),
        )?)
    }
}

/// Makes at most one object per key, in three steps inside one transaction:
///
/// ```ignore
/// let mut tx = app.services.db.tenant(&caller).await?;
/// if let Some(earlier) = once.earlier(&mut tx).await? {
///     return Ok(earlier);
/// }
/// let made = widget::create(&mut tx, new).await?;
/// once.answer(tx, &WidgetObject::from(made)).await
/// ```
#[derive(Debug)]
pub struct Once(Option<Repeatable>);

impl Once {
    /// The key with a fingerprint that is this caller's: what one may see, another bearer of the same key may not.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub(super) fn of(self, cx: &TenantContext) -> Result<Option<Repeatable>, Error> {
        let Some(Repeatable { key, fingerprint }) = self.0 else {
            return Ok(None);
        };
        let mut digest = Sha256::new();
        let caller = match cx.actor() {
            Actor::Key(id) => id.to_string(),
            Actor::Job(id) => id.to_string(),
            Actor::Operator => "operator".to_owned(),
            Actor::Member { person, .. } | Actor::Guest { person, .. } => person.to_string(),
        };
        let bounds = serde_json::to_vec(&cx.narrowing()).map_err(Error::internal)?;
        add(&mut digest, &[fingerprint.as_slice(), caller.as_bytes(), &bounds]);
        Ok(Some(Repeatable {
            key,
            fingerprint: digest.finalize().into(),
        }))
    }

    /// The answer to an earlier request with this key, if there was one.
    ///
    /// # Errors
    /// 400 when that was another request.
    pub async fn earlier(&self, tx: &mut TenantTx) -> ApiResult<Option<Response>> {
        let Some(repeatable) = &self.0 else {
            return Ok(None);
        };
        let earlier = repeatable.earlier(tx).await?;
        Ok(earlier.map(|json| {
            let mut response = json_response(json);
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
            response
        }))
    }

    /// Keeps the answer under the key, commits, and gives it.
    ///
    /// # Errors
    /// When the database is away; nothing was made then, as far as the client was told.
    pub async fn answer<T: Serialize>(self, tx: TenantTx, object: &T) -> ApiResult<Response> {
        let json = serde_json::to_string(object).map_err(Error::internal)?;
        self.keep(tx, &json).await?;
        Ok(json_response(json))
    }

    /// As [`Once::answer`], for an object with a secret that is shown once: what is kept for repetitions is what `redact`
    /// leaves of it.
    ///
    /// # Errors
    /// As for [`Once::answer`].
    pub async fn answer_with_secret<T: Serialize>(
        self,
        tx: TenantTx,
        mut object: T,
        redact: impl FnOnce(&mut T),
    ) -> ApiResult<Response> {
        let json = serde_json::to_string(&object).map_err(Error::internal)?;
        redact(&mut object);
        let kept = serde_json::to_string(&object).map_err(Error::internal)?;
        self.keep(tx, &kept).await?;
        Ok(json_response(json))
    }

    async fn keep(self, mut tx: TenantTx, json: &str) -> ApiResult<()> {
        if let Some(repeatable) = &self.0 {
            repeatable.record(&mut tx, json).await?;
        }
        Ok(tx.commit().await.map_err(Error::from)?)
    }
}

pub(super) fn json_response(json: String) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], json).into_response()
}

/// A JSON body as [`super::Json`] reads it, with the [`Once`] of its request.
#[derive(Debug)]
pub struct OnceJson<T>(pub Once, pub T);

impl<T, S> FromRequest<S> for OnceJson<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        body::require_json(request.headers())?;
        let key = OnceKey::read(request.headers(), request.method().as_str(), request.uri().path())?;
        let bytes = body::read(request).await?;
        let value = json::parse(&bytes)?;
        Ok(Self(key.over(&[&bytes]), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(method: &str, path: &str, key: &str, parts: &[&[u8]]) -> Option<Repeatable> {
        let headers = [(KEY, HeaderValue::from_str(key).unwrap())].into_iter().collect();
        OnceKey::read(&headers, method, path).unwrap().over(parts).0
    }

    #[test]
    fn the_fingerprint_is_of_the_whole_request() {
        let first = once("POST", "/v1/files", "k", &[b"ab", b"c"]).unwrap();
        assert_eq!(first, once("POST", "/v1/files", "k", &[b"ab", b"c"]).unwrap());
        for other in [
            once("POST", "/v1/files", "k", &[b"a", b"bc"]),
            once("POST", "/v1/file", "k", &[b"ab", b"c"]),
            once("PUT", "/v1/files", "k", &[b"ab", b"c"]),
        ] {
            assert_ne!(first.fingerprint, other.unwrap().fingerprint);
        }
    }

    #[test]
    fn a_key_has_a_length_and_comes_once() {
        assert!(
            OnceKey::read(&HeaderMap::new(), "POST", "/")
                .unwrap()
                .key
                .is_none()
        );
        for bad in ["", &"x".repeat(256)] {
            let headers = [(KEY, HeaderValue::from_str(bad).unwrap())].into_iter().collect();
            assert!(OnceKey::read(&headers, "POST", "/").is_err());
        }
        let mut twice = HeaderMap::new();
        twice.append(KEY, HeaderValue::from_static("a"));
        twice.append(KEY, HeaderValue::from_static("b"));
        assert!(OnceKey::read(&twice, "POST", "/").is_err());
    }
}
