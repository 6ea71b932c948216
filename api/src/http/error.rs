//! From the domain's error to a status, headers and OpenAI's error object. The only place that knows how.

use std::any::Any;
use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName};
use http::{HeaderValue, Method, StatusCode};
use insula_core::Error;
use insula_core::batch::Wait;
use insula_tenancy::AccessError;
use insula_tenancy::meter::{LimitKind, Standings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::limits;

/// `Result` of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorObject,
}

/// OpenAI's error object. All four keys are always present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorObject {
    /// For the developer who reads it.
    pub message: String,
    /// The class of error, for example `invalid_request_error`.
    #[serde(rename = "type")]
    #[schema(example = "invalid_request_error")]
    pub kind: Cow<'static, str>,
    /// JSON path of the offending field, for example `messages[0].role`.
    #[schema(required)]
    pub param: Option<String>,
    /// A machine-readable reason, for example `invalid_api_key`.
    #[schema(required)]
    pub code: Option<Cow<'static, str>>,
}

/// Why a request was not answered: the domain's reason, or one that only HTTP knows.
#[derive(Debug)]
pub enum ApiError {
    /// The domain refused or failed.
    Domain(Error),
    /// No route has this path.
    UnknownUrl(Method, String),
    /// The path exists, but not with this method.
    MethodNotAllowed(Method, String),
    /// The request took longer than its route may.
    TimedOut,
    /// An earlier request with the same idempotency key is still being answered.
    UnderWay,
    /// A handler panicked; the text is for the log.
    Panicked(String),
}

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self::Domain(error.into())
    }
}

/// Everything of the answer but its bytes.
struct Answer {
    status: StatusCode,
    body: ErrorObject,
    retry_after: Option<Duration>,
    /// SDKs retry 409 and 429 on their own; `false` tells them that it would not help.
    should_retry: Option<bool>,
}

impl Answer {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        let body = ErrorObject {
            message: message.into(),
            kind: kind.into(),
            param: None,
            code: None,
        };
        Self {
            status,
            body,
            retry_after: None,
            should_retry: None,
        }
    }

    fn param(mut self, param: Option<&str>) -> Self {
        self.body.param = param.map(str::to_owned);
        self
    }

    fn code(mut self, code: impl Into<Option<&'static str>>) -> Self {
        self.body.code = code.into().map(Cow::Borrowed);
        self
    }

    fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    fn never_retry(mut self) -> Self {
        self.should_retry = Some(false);
        self
    }
}

const INVALID_REQUEST: &str = "invalid_request_error";
const PERMISSION: &str = "permission_error";
const SERVER: &str = "server_error";
const OUR_FAULT: &str = "The server had an error while processing your request. Try again; if it happens \
    again, tell the operator of this server the value of the x-request-id header of this answer.";

impl ApiError {
    /// The error of a handler that panicked.
    pub fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let what = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Self::Panicked(what.unwrap_or("something that is no text").to_owned())
    }

    /// The object to send inside an already started stream; logs the error like an answer would.
    pub fn into_body(self) -> ErrorBody {
        self.log();
        ErrorBody {
            error: self.answer().body,
        }
    }

    /// Whether the same call may be answered later, for callers that have time.
    pub fn wait(&self) -> Option<Wait> {
        match self {
            Self::Domain(Error::LimitReached { is_beyond: true, .. }) => None,
            Self::Domain(Error::LimitReached {
                kind: LimitKind::Concurrency,
                ..
            }) => Some(Wait::Full),
            Self::Domain(Error::LimitReached { retry_after, .. }) => Some(Wait::Limit(*retry_after)),
            Self::Domain(Error::Upstream { .. } | Error::Overloaded { .. }) => {
                Some(Wait::Busy(self.answer().retry_after.unwrap_or_default()))
            }
            // A budget that is used up does not come back by waiting; what is wrong, or takes too long, does not get better.
            Self::Domain(_)
            | Self::TimedOut
            | Self::UnknownUrl(..)
            | Self::MethodNotAllowed(..)
            | Self::UnderWay
            | Self::Panicked(_) => None,
        }
    }

    /// The status this error is answered with.
    pub fn status(&self) -> StatusCode {
        self.answer().status
    }

    fn answer(&self) -> Answer {
        match self {
            Self::Domain(error) => domain_answer(error),
            Self::UnknownUrl(method, path) => Answer::new(
                StatusCode::NOT_FOUND,
                INVALID_REQUEST,
                format!(
                    "Unknown request URL: {method} {}. See /docs for what this server offers.",
                    clip(path)
                ),
            )
            .code("unknown_url"),
            Self::MethodNotAllowed(method, path) => Answer::new(
                StatusCode::METHOD_NOT_ALLOWED,
                INVALID_REQUEST,
                format!("Not allowed to {method} on {}.", clip(path)),
            )
            .code("method_not_allowed"),
            Self::TimedOut => Answer::new(
                StatusCode::SERVICE_UNAVAILABLE,
                SERVER,
                "The request took longer than this server allows.",
            )
            .retry_after(Duration::from_secs(1)),
            Self::UnderWay => {
                let message =
                    "A request with this Idempotency-Key is still being answered. Try again in a moment.";
                let mut answer = Answer::new(StatusCode::CONFLICT, INVALID_REQUEST, message)
                    .code("idempotency_key_under_way")
                    .retry_after(Duration::from_secs(1));
                answer.should_retry = Some(true);
                answer
            }
            Self::Panicked(_) => Answer::new(StatusCode::INTERNAL_SERVER_ERROR, SERVER, OUR_FAULT),
        }
    }

    /// Ours at error, upstream at warn, the caller's at debug. Once per error: here and nowhere else.
    fn log(&self) {
        let status = self.status().as_u16();
        match self {
            Self::Domain(Error::Internal(source)) => {
                tracing::error!(status, error = %chain(source.as_ref()), "request failed");
            }
            Self::Panicked(what) => tracing::error!(status, panic = %what, "handler panicked"),
            Self::Domain(error @ (Error::Upstream { .. } | Error::Overloaded { .. })) => {
                tracing::warn!(status, %error, "request failed");
            }
            Self::TimedOut => tracing::warn!(status, "request timed out"),
            Self::Domain(error) => tracing::debug!(status, %error, "request refused"),
            Self::UnderWay => tracing::debug!(status, "still being answered"),
            Self::UnknownUrl(..) | Self::MethodNotAllowed(..) => tracing::debug!(status, "no such route"),
        }
    }
}

/// Exhaustive on purpose: a new variant of the domain's error does not compile before it has a status.
fn domain_answer(error: &Error) -> Answer {
    match error {
        Error::NotFound { message, param, code } => {
            Answer::new(StatusCode::NOT_FOUND, INVALID_REQUEST, message)
                .param(param.as_deref())
                .code(*code)
        }
        Error::Invalid { message, param, code } => {
            Answer::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, message)
                .param(param.as_deref())
                .code(*code)
        }
        Error::Conflict(message) => Answer::new(StatusCode::CONFLICT, INVALID_REQUEST, message).never_retry(),
        Error::State { message, code } => Answer::new(StatusCode::CONFLICT, INVALID_REQUEST, message)
            .code(*code)
            .never_retry(),
        Error::Model {
            message,
            code,
            retry_after: Some(delay),
        } => Answer::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, message)
            .code(*code)
            .retry_after(*delay),
        // The same input would be the end of the model again.
        Error::Model { message, code, .. } => {
            let status = match *code {
                "model_timeout" => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::BAD_GATEWAY,
            };
            Answer::new(status, SERVER, message).code(*code).never_retry()
        }
        Error::TooLarge(message) => Answer::new(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, message),
        Error::LimitReached {
            kind,
            message,
            retry_after,
            is_beyond,
            ..
        } => {
            let what = match kind {
                LimitKind::Requests | LimitKind::Concurrency => "requests",
                LimitKind::Tokens => "tokens",
            };
            let answer =
                Answer::new(StatusCode::TOO_MANY_REQUESTS, what, message).code("rate_limit_exceeded");
            if *is_beyond {
                answer.never_retry()
            } else {
                answer.retry_after(*retry_after)
            }
        }
        Error::BudgetExceeded(message) => {
            Answer::new(StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", message)
                .code("insufficient_quota")
                .never_retry()
        }
        Error::QuotaExceeded(message) => {
            Answer::new(StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", message)
                .code("storage_quota_exceeded")
                .never_retry()
        }
        Error::Upstream {
            message,
            status,
            retry_after,
        } => match (status, retry_after) {
            // The provider is short of capacity: for our caller that is "not now", not "your limit".
            (_, Some(delay)) => {
                Answer::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, message).retry_after(*delay)
            }
            (Some(429 | 503 | 529), None) => Answer::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, message)
                .retry_after(Duration::from_secs(1)),
            (_, None) => Answer::new(StatusCode::BAD_GATEWAY, SERVER, message),
        },
        Error::Overloaded { message, retry_after } => {
            Answer::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, message).retry_after(*retry_after)
        }
        Error::Access(access) => access_answer(access),
        Error::Internal(_) => Answer::new(StatusCode::INTERNAL_SERVER_ERROR, SERVER, OUR_FAULT),
    }
}

fn access_answer(access: &AccessError) -> Answer {
    match access {
        AccessError::MissingKey | AccessError::InvalidKey | AccessError::TokenExpired => {
            Answer::new(StatusCode::UNAUTHORIZED, INVALID_REQUEST, access.to_string()).code("invalid_api_key")
        }
        AccessError::NotSignedIn => {
            Answer::new(StatusCode::UNAUTHORIZED, INVALID_REQUEST, access.to_string()).code("not_signed_in")
        }
        AccessError::InvalidCredentials => {
            Answer::new(StatusCode::UNAUTHORIZED, INVALID_REQUEST, access.to_string())
                .code("invalid_credentials")
        }
        AccessError::TenantSwitched => {
            let answer = Answer::new(StatusCode::CONFLICT, INVALID_REQUEST, access.to_string());
            answer.code("tenant_switched").never_retry()
        }
        AccessError::WrongHost => Answer::new(
            StatusCode::MISDIRECTED_REQUEST,
            INVALID_REQUEST,
            access.to_string(),
        )
        .code("wrong_host"),
        AccessError::CrossOrigin => {
            Answer::new(StatusCode::FORBIDDEN, PERMISSION, access.to_string()).code("cross_origin")
        }
        AccessError::NotInvited => {
            Answer::new(StatusCode::FORBIDDEN, PERMISSION, access.to_string()).code("not_invited")
        }
        AccessError::NoTenant => {
            Answer::new(StatusCode::FORBIDDEN, PERMISSION, access.to_string()).code("no_tenant")
        }
        AccessError::Suspended => {
            Answer::new(StatusCode::FORBIDDEN, PERMISSION, access.to_string()).code("tenant_suspended")
        }
        AccessError::NoPerson => {
            Answer::new(StatusCode::FORBIDDEN, PERMISSION, access.to_string()).code("person_required")
        }
        AccessError::OnlyOwners
        | AccessError::MissingScope(_)
        | AccessError::Narrowed
        | AccessError::NotOperator => Answer::new(StatusCode::FORBIDDEN, PERMISSION, access.to_string()),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let standings = match &self {
            Self::Domain(Error::LimitReached { standings, .. }) => *standings,
            _ => Standings::default(),
        };
        let Answer {
            status,
            body,
            retry_after,
            should_retry,
        } = self.answer();
        let told = Told(body.message.clone());
        let mut response = (status, super::Json(ErrorBody { error: body })).into_response();
        response.extensions_mut().insert(told);
        let headers = response.headers_mut();
        limits::write(headers, standings);
        if let Some(delay) = retry_after {
            // Whole seconds, rounded up, for everyone; milliseconds for the SDKs that read them first.
            let seconds = delay.as_millis().div_ceil(1000).max(1);
            headers.insert(header::RETRY_AFTER, number(seconds));
            headers.insert(
                HeaderName::from_static("retry-after-ms"),
                number(delay.as_millis().max(1)),
            );
        }
        if let Some(should_retry) = should_retry {
            let value = if should_retry { "true" } else { "false" };
            headers.insert(
                HeaderName::from_static("x-should-retry"),
                HeaderValue::from_static(value),
            );
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// What an error says, beside its answer.
#[derive(Clone)]
struct Told(String);

/// The body of every answer under `/v2` that is not a success, as the Open Inference Protocol has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceError)]
pub struct InferenceErrorBody {
    /// What went wrong.
    pub error: String,
}

/// An error as the Open Inference Protocol has it. Other answers stay.
pub(super) fn of_inference(mut response: Response) -> Response {
    let Some(Told(message)) = response.extensions_mut().remove() else {
        return response;
    };
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    let body = super::Json(InferenceErrorBody { error: message }).into_response();
    Response::from_parts(head, body.into_body())
}

fn number(value: u128) -> HeaderValue {
    HeaderValue::from(u64::try_from(value).unwrap_or(u64::MAX))
}

/// An error and its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = cause.source();
    }
    line
}

/// At most 200 characters of something that a caller sent.
fn clip(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(200) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use insula_tenancy::Scope;

    async fn answer(error: impl Into<ApiError>) -> (u16, http::HeaderMap, serde_json::Value) {
        let response = error.into().into_response();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        (
            parts.status.as_u16(),
            parts.headers,
            serde_json::from_slice(&bytes).unwrap(),
        )
    }

    #[tokio::test]
    async fn every_answer_has_all_four_keys() {
        let (status, _, body) = answer(Error::Conflict("busy".into())).await;
        assert_eq!(status, 409);
        let expected = serde_json::json!({
            "error": {"message": "busy", "type": "invalid_request_error", "param": null, "code": null}
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn retries_are_asked_for_only_where_they_help() {
        let limit = Error::LimitReached {
            kind: LimitKind::Requests,
            is_beyond: false,
            standings: Standings::default(),
            message: "slow".into(),
            retry_after: Duration::from_millis(1200),
        };
        let (status, headers, body) = answer(limit).await;
        assert_eq!(
            (status, body["error"]["code"].as_str()),
            (429, Some("rate_limit_exceeded"))
        );
        assert_eq!(
            (&headers["retry-after"], &headers["retry-after-ms"]),
            (&"2".parse().unwrap(), &"1200".parse().unwrap())
        );

        let (status, headers, body) = answer(Error::BudgetExceeded("empty".into())).await;
        assert_eq!(
            (status, body["error"]["type"].as_str()),
            (429, Some("insufficient_quota"))
        );
        assert_eq!(headers["x-should-retry"], "false");
        assert!(!headers.contains_key("retry-after"));

        let (_, headers, _) = answer(Error::Conflict("busy".into())).await;
        assert_eq!(headers["x-should-retry"], "false");
    }

    #[tokio::test]
    async fn our_own_faults_keep_their_cause_to_themselves() {
        let cause = std::io::Error::other("relation secret_table does not exist");
        let (status, _, body) = answer(Error::internal(cause)).await;
        assert_eq!(status, 500);
        assert!(!body.to_string().contains("secret_table"));
        let (status, _, body) = answer(ApiError::Panicked("secret state".into())).await;
        assert_eq!(status, 500);
        assert!(!body.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn access_errors_tell_unknown_from_forbidden() {
        let (status, headers, body) = answer(Error::Access(AccessError::InvalidKey)).await;
        assert_eq!(
            (status, body["error"]["code"].as_str()),
            (401, Some("invalid_api_key"))
        );
        assert_eq!(headers["www-authenticate"], "Bearer");
        let (status, _, body) = answer(Error::Access(AccessError::MissingScope(Scope::FilesRead))).await;
        assert_eq!(
            (status, body["error"]["type"].as_str()),
            (403, Some("permission_error"))
        );
    }

    #[tokio::test]
    async fn a_provider_that_is_full_is_not_a_failed_provider() {
        let upstream = |status, retry_after| Error::Upstream {
            message: "no".into(),
            status,
            retry_after,
        };
        assert_eq!(answer(upstream(Some(500), None)).await.0, 502);
        assert_eq!(answer(upstream(None, None)).await.0, 502);
        let (status, headers, _) = answer(upstream(Some(429), None)).await;
        assert_eq!((status, &headers["retry-after"]), (503, &"1".parse().unwrap()));
        let (status, headers, _) = answer(upstream(Some(429), Some(Duration::from_secs(7)))).await;
        assert_eq!((status, &headers["retry-after"]), (503, &"7".parse().unwrap()));
    }

    #[tokio::test]
    async fn long_paths_are_not_echoed_whole() {
        let (_, _, body) = answer(ApiError::UnknownUrl(Method::GET, "/x".repeat(5000))).await;
        assert!(body.to_string().len() < 500);
        assert_eq!(body["error"]["code"], "unknown_url");
    }
}
