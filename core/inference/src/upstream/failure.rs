//! A provider's failures in the domain's terms.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use insula_core::Error;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// Longest piece of a provider's message that is passed on, in characters.
const MESSAGE_CHARS: usize = 1_000;

/// Longest time to stay away that is believed.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// Codes that clients know how to react to.
const KNOWN_CODES: [&str; 9] = [
    "context_length_exceeded",
    "content_policy_violation",
    "invalid_image",
    "invalid_prompt",
    "invalid_value",
    "missing_required_parameter",
    "string_above_max_length",
    "unsupported_parameter",
    "unsupported_value",
];

/// How providers without codes say that a prompt is too long.
const TOO_LONG: [&str; 6] = [
    "maximum context length",
    "context size",
    "context window",
    "exceeds the model's context",
    "input is too long",
    "prompt is too long",
];

/// Who failed: its name for messages, and what must not appear in them.
#[derive(Debug)]
pub(crate) struct Provider {
    name: String,
    secrets: Vec<SecretString>,
}

impl Provider {
    pub(crate) fn new(name: String, secrets: Vec<SecretString>) -> Self {
        Self { name, secrets }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The same with one more thing to hide.
    pub(super) fn with_secret(&self, secret: SecretString) -> Self {
        let secrets = self.secrets.iter().cloned().chain([secret]).collect();
        Self::new(self.name.clone(), secrets)
    }

    fn upstream(&self, what: &str, status: Option<u16>, retry_after: Option<Duration>) -> Error {
        Error::Upstream {
            message: format!("The provider '{}' {what}.", self.name),
            status,
            retry_after,
        }
    }

    /// It answered, but not with what was asked for.
    pub(crate) fn broken(&self, what: &str) -> Error {
        self.upstream(what, None, None)
    }

    /// Its stream ended before the answer did.
    pub(crate) fn truncated(&self) -> Error {
        self.broken("broke off its answer")
    }

    /// It was too slow.
    pub(crate) fn timed_out(&self, to_do: &str) -> Error {
        self.broken(&format!("took too long to {to_do}"))
    }

    /// The connection failed. Addresses and causes go to the log only.
    pub(super) fn unreachable(&self, error: reqwest::Error) -> Error {
        let what = if error.is_connect() {
            "cannot be reached"
        } else {
            "failed while it was answering"
        };
        let error = error.without_url();
        let mut cause = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            cause = format!("{cause}: {error}");
            source = error.source();
        }
        tracing::debug!(
            provider = self.name,
            cause = self.redact(&cause),
            "provider connection failed"
        );
        self.broken(what)
    }

    /// It answered with an error status.
    pub(super) fn refused(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
        let body: Value = serde_json::from_slice(body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
        let said = Said::new(&body);
        let message = said.message.map(|message| self.redact(message));
        tracing::debug!(
            provider = self.name,
            status,
            message,
            "provider refused the request"
        );
        let retry_after = retry_after(headers, SystemTime::now());
        match status {
            400 | 413 | 422 => Error::Invalid {
                message: message
                    .unwrap_or_else(|| format!("The provider '{}' refused the request.", self.name)),
                param: said.param.map(str::to_owned),
                code: said.known_code(),
            },
            // Providers quote parts of the key in these messages.
            401 | 403 => self.upstream("refused this server's credentials", Some(status), None),
            404 => self.upstream("does not know the model or the address", Some(status), None),
            429 => self.upstream("is limiting this server's rate", Some(status), retry_after),
            300..400 => self.upstream("answered with a redirect", Some(status), None),
            _ => self.upstream(&format!("failed with status {status}"), Some(status), retry_after),
        }
    }

    /// It put an error object where an answer should be.
    pub(crate) fn reported(&self, error: &Value) -> Error {
        let said = Said::new(error);
        tracing::debug!(
            provider = self.name,
            message = said.message.map(|message| self.redact(message)),
            "provider reported an error within an answer"
        );
        let code = error.get("code").and_then(Value::as_u64);
        let status = code
            .and_then(|code| u16::try_from(code).ok())
            .or_else(|| said.status());
        self.upstream(
            "reported an error within its answer",
            status.filter(|s| (400..600).contains(s)),
            None,
        )
    }

    /// `text` without our secrets, and not too long.
    fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            let secret = secret.expose_secret();
            if !secret.is_empty() {
                text = text.replace(secret, "[redacted]");
            }
        }
        match text.char_indices().nth(MESSAGE_CHARS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// The parts of an error object, in any of the shapes met in the wild: `{"error": {…}}`, `{"error": "…"}`,
/// `{"message": …}`, `{"detail": …}`.
struct Said<'a> {
    message: Option<&'a str>,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn new(body: &'a Value) -> Self {
        let object = body.get("error").unwrap_or(body);
        let text = |name: &str| {
            object
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        Self {
            message: object
                .as_str()
                .filter(|_| !body.is_string())
                .or_else(|| text("message"))
                .or_else(|| text("detail")),
            param: text("param"),
            code: text("code").or_else(|| text("type")),
        }
    }

    /// The status that Anthropic gives an error of this type when nothing has been sent yet.
    fn status(&self) -> Option<u16> {
        Some(match self.code? {
            "rate_limit_error" => 429,
            "api_error" => 500,
            "timeout_error" => 504,
            "overloaded_error" => 529,
            _ => return None,
        })
    }

    fn known_code(&self) -> Option<&'static str> {
        if let Some(code) = KNOWN_CODES.iter().find(|&&code| self.code == Some(code)) {
            return Some(code);
        }
        let message = self.message?.to_ascii_lowercase();
        TOO_LONG
            .iter()
            .any(|words| message.contains(words))
            .then_some("context_length_exceeded")
    }
}

/// When to come back: `retry-after-ms`, or `Retry-After` as seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let seconds = |text: &str, unit: f64| {
        let value = text.parse::<f64>().ok()?;
        Duration::try_from_secs_f64(value * unit).ok()
    };
    let wait = text("retry-after-ms")
        .and_then(|ms| seconds(ms, 0.001))
        .or_else(|| {
            let after = text(RETRY_AFTER.as_str())?;
            let until = || {
                Some(
                    httpdate::parse_http_date(after)
                        .ok()?
                        .duration_since(now)
                        .unwrap_or_default(),
                )
            };
            seconds(after, 1.0).or_else(until)
        })?;
    Some(wait.min(LONGEST_RETRY))
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
