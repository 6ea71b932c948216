//! Uploads.

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use insula_core::Error;
use insula_core::blob::storage_error;

use super::{ApiError, body};

/// Longest value of a field that is not a file.
const MAX_FIELD_BYTES: usize = 64 * 1024;

/// A `multipart/form-data` body, read field by field as it arrives.
#[derive(Debug)]
pub struct Multipart(axum::extract::Multipart);

impl<S: Send + Sync> FromRequest<S> for Multipart {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Multipart::from_request(request, state).await {
            Ok(multipart) => Ok(Self(multipart)),
            Err(_) => Err(ApiError::from(Error::Invalid {
                message: "Send the request body as multipart/form-data.".into(),
                param: None,
                code: None,
            })),
        }
    }
}

impl Multipart {
    /// The next field, in the order in which the client sent them.
    pub async fn next(&mut self) -> Result<Option<Field<'_>>, Error> {
        self.0.next_field().await.map_err(|error| refusal(&error))
    }
}

/// How many bytes the file in a multipart body surely has, as far as the request's head tells. `None` where that must not
/// be judged before the body is read: the repetition of a creation is answered, whatever there is no room for by now.
pub fn least_payload(headers: &HeaderMap) -> Option<i64> {
    /// More than boundaries, heads of parts and short fields take.
    const FRAMING: i64 = 64 * 1024;
    if headers.contains_key("idempotency-key") {
        return None;
    }
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    Some(length.parse::<i64>().ok()?.saturating_sub(FRAMING).max(0))
}

/// The value of a short text field.
pub async fn text(name: &str, field: Field<'_>) -> Result<String, Error> {
    text_up_to(name, field, MAX_FIELD_BYTES).await
}

/// The value of a text field of at most so many bytes.
pub async fn text_up_to(name: &str, field: Field<'_>, most: usize) -> Result<String, Error> {
    let bytes = bytes_up_to(name, field, most).await?;
    String::from_utf8(bytes)
        .map_err(|_| Error::invalid(name, format!("The field '{name}' is not UTF-8 text.")))
}

/// The bytes of a field, at most so many.
pub async fn bytes_up_to(name: &str, mut field: Field<'_>, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| refusal(&error))? {
        if bytes.len() + chunk.len() > most {
            return Err(Error::TooLarge(format!("The field '{name}' is too long.")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// What broke a body: its size, its form, or the connection.
pub fn refusal(error: &MultipartError) -> Error {
    body::classify(error.status())
}

/// The same, where the error has travelled through a reader.
pub fn reader_refusal(error: std::io::Error) -> Error {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<MultipartError>())
    {
        Some(upload) => refusal(upload),
        None => storage_error(error),
    }
}
