//! Why the server did not do what it was asked.

use reqwest::Response;
use serde_json::Value;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The server said no, or failed.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's words.
        message: String,
        /// The server's code, if there is one.
        code: Option<String>,
        /// The field that is to blame.
        param: Option<String>,
    },
    /// No answer.
    #[error("cannot reach {root}: {reason}")]
    Unreachable {
        /// The address.
        root: String,
        /// The innermost cause.
        reason: String,
    },
    /// An answer, but not from this API.
    #[error("{0} is not an Insula server")]
    NotInsula(String),
    /// The file could not be read.
    #[error(transparent)]
    Disk(std::io::Error),
}

impl ApiError {
    /// From an answer that is not a success.
    pub(super) async fn refused(response: Response) -> Self {
        let status = response.status();
        let body: Value = response.json().await.unwrap_or_default();
        let text = |field: &str| body["error"][field].as_str().map(str::to_owned);
        Self::Refused {
            status: status.as_u16(),
            message: text("message").unwrap_or_else(|| format!("the server answered {status}")),
            code: text("code"),
            param: text("param"),
        }
    }

    /// From a request that got no answer. The address stays, whatever else is in it does not.
    pub(super) fn unreachable(root: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Self::Unreachable {
            root: root.to_owned(),
            reason: cause.to_string(),
        }
    }

    /// The status, if the server answered.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether this field is to blame.
    pub(super) fn blames(&self, field: &str) -> bool {
        matches!(self, Self::Refused { param: Some(param), .. } if param == field)
    }

    /// Whether another file would not fare better: no server, no right key, no store.
    pub(super) fn ends_the_run(&self) -> bool {
        match self {
            Self::Refused {
                status: 404, param, ..
            } => param.is_none(),
            Self::Refused { status, code, .. } => match status {
                401 | 403 | 502..=504 => true,
                429 => code.as_deref() != Some("insufficient_quota"),
                _ => false,
            },
            Self::Unreachable { .. } | Self::NotInsula(_) => true,
            Self::Disk(_) => false,
        }
    }

    /// What to call it in the list of failures.
    pub(super) fn code(&self) -> String {
        match self {
            Self::Refused { code: Some(code), .. } => code.clone(),
            Self::Refused { status, .. } => format!("http_{status}"),
            Self::Disk(_) => "local".into(),
            Self::Unreachable { .. } | Self::NotInsula(_) => "unreachable".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: Option<&str>, param: Option<&str>) -> ApiError {
        ApiError::Refused {
            status,
            message: "no".into(),
            code: code.map(str::to_owned),
            param: param.map(str::to_owned),
        }
    }

    #[test]
    fn only_what_concerns_every_file_ends_the_run() {
        for (error, ends) in [
            (refused(401, Some("invalid_api_key"), None), true),
            (refused(403, None, None), true),
            (refused(404, None, None), true),
            (refused(404, None, Some("file_id")), false),
            (refused(400, Some("invalid_value"), Some("file")), false),
            (refused(413, None, None), false),
            (refused(429, Some("insufficient_quota"), None), false),
            (refused(429, Some("rate_limit_exceeded"), None), true),
            (refused(500, None, None), false),
            (refused(503, None, None), true),
            (ApiError::Disk(std::io::Error::other("gone")), false),
            (ApiError::NotInsula("http://a".into()), true),
        ] {
            assert_eq!(error.ends_the_run(), ends, "{error:?}");
        }
    }

    #[test]
    fn every_failure_has_a_code() {
        assert_eq!(refused(400, Some("invalid_value"), None).code(), "invalid_value");
        assert_eq!(refused(413, None, None).code(), "http_413");
        assert!(refused(404, None, Some("file_id")).blames("file_id"));
    }
}
