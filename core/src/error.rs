//! The one error of the domain. `insula` (the HTTP layer) maps it to statuses in one exhaustive match.

use std::time::Duration;

use insula_tenancy::meter::{LimitKind, Standings};

/// What went wrong, in the caller's terms.
///
/// Messages are written for the tenant's developer and may be sent to them as they are; whatever must not
/// leave the server (SQL, addresses, keys) belongs in the source of [`Error::Internal`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object does not exist for this tenant (it may exist for another; the answer is the same).
    #[error("{message}")]
    NotFound {
        /// What was looked for, for example `No such vector store: vs_…`.
        message: String,
        /// The request field that named it, if it was not the path.
        param: Option<String>,
        /// OpenAI's machine-readable code, for example `model_not_found`.
        code: Option<&'static str>,
    },
    /// The request cannot be carried out as it is written.
    #[error("{message}")]
    Invalid {
        /// What is wrong and what would be right.
        message: String,
        /// JSON path of the offending field, for example `messages[0].role`.
        param: Option<String>,
        /// OpenAI's machine-readable code, for example `invalid_value`.
        code: Option<&'static str>,
    },
    /// The object is in a state that forbids this.
    #[error("{0}")]
    Conflict(String),
    /// The object is in a state that forbids this, and programs want to know which.
    #[error("{message}")]
    State {
        /// What forbids it and what would help.
        message: String,
        /// A machine-readable reason, for example `gate_failed`.
        code: &'static str,
    },
    /// A tenant's own model broke down over its work.
    #[error("{message}")]
    Model {
        /// What happened to it.
        message: String,
        /// `model_crashed`, `model_timeout` or `model_out_of_memory`.
        code: &'static str,
        /// When it is tried again, where it is not for now.
        retry_after: Option<Duration>,
    },
    /// The payload is larger than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// A rate limit is used up.
    #[error("{message}")]
    LimitReached {
        /// Which limit.
        kind: LimitKind,
        /// The same for people.
        message: String,
        /// When to come back.
        retry_after: Duration,
        /// Whether there is no use in that: the request alone is beyond the limit.
        is_beyond: bool,
        /// How the limits stand.
        standings: Standings,
    },
    /// A budget is used up.
    #[error("{0}")]
    BudgetExceeded(String),
    /// The tenant may not store any more.
    #[error("{0}")]
    QuotaExceeded(String),
    /// A provider or model failed; not the caller's fault.
    #[error("{message}")]
    Upstream {
        /// What can be told to the caller.
        message: String,
        /// The provider's HTTP status, if it answered.
        status: Option<u16>,
        /// When the provider asked us to come back.
        retry_after: Option<Duration>,
    },
    /// The server has no capacity right now (queue full, pool exhausted, database away).
    #[error("{message}")]
    Overloaded {
        /// What is short.
        message: String,
        /// When to come back.
        retry_after: Duration,
    },
    /// Who calls could not be established, or may not do this.
    #[error(transparent)]
    Access(#[from] insula_tenancy::AccessError),
    /// Our fault. The message stays in the log.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// `Result` with the domain's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Invalid`] about one field.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            param: Some(param.into()),
            code: Some("invalid_value"),
        }
    }

    /// An [`Error::NotFound`] for an object named by the path, for example `("vector store", "vs_…")`.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::NotFound {
            message: format!("No {what} found with id '{id}'."),
            param: None,
            code: None,
        }
    }

    /// An [`Error::NotFound`] for a model name.
    pub fn model_not_found(model: &str) -> Self {
        Self::NotFound {
            message: format!("The model '{model}' does not exist or you do not have access to it."),
            param: Some("model".into()),
            code: Some("model_not_found"),
        }
    }

    /// The same error about a field inside another one: `attributes.year` becomes `files[3].attributes.year`.
    pub fn within(self, outer: &str) -> Self {
        let inner = |param: Option<String>| param.map(|param| format!("{outer}.{param}"));
        match self {
            Self::Invalid { message, param, code } => Self::Invalid {
                message,
                param: inner(param),
                code,
            },
            Self::NotFound { message, param, code } => Self::NotFound {
                message,
                param: inner(param),
                code,
            },
            other => other,
        }
    }

    /// The same error about another field.
    pub fn about(self, field: impl Into<String>) -> Self {
        let param = Some(field.into());
        match self {
            Self::Invalid { message, code, .. } => Self::Invalid { message, param, code },
            Self::NotFound { message, code, .. } => Self::NotFound { message, param, code },
            other => other,
        }
    }

    /// A short name for the ledger.
    pub fn name(&self) -> String {
        match self {
            Self::NotFound { code, .. } => code.unwrap_or("not_found").into(),
            Self::Invalid { code, .. } => code.unwrap_or("invalid_request").into(),
            Self::Conflict(_) => "conflict".into(),
            Self::State { code, .. } | Self::Model { code, .. } => (*code).into(),
            Self::TooLarge(_) => "too_large".into(),
            Self::LimitReached { .. } => "rate_limit_exceeded".into(),
            Self::BudgetExceeded(_) => "insufficient_quota".into(),
            Self::QuotaExceeded(_) => "storage_quota_exceeded".into(),
            Self::Upstream {
                status: Some(status), ..
            } => format!("upstream_{status}"),
            Self::Upstream { status: None, .. } => "upstream".into(),
            Self::Overloaded { .. } => "overloaded".into(),
            Self::Access(_) => "access".into(),
            Self::Internal(_) => "internal".into(),
        }
    }

    /// Wraps an error that is our fault.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }
}

impl From<insula_tenancy::Error> for Error {
    fn from(error: insula_tenancy::Error) -> Self {
        match error {
            insula_tenancy::Error::Access(access) => Self::Access(access),
            insula_tenancy::Error::Unavailable(reason) => {
                tracing::warn!(%reason, "database unavailable");
                Self::Overloaded {
                    message: "The database is not available right now.".into(),
                    retry_after: Duration::from_secs(2),
                }
            }
            insula_tenancy::Error::TooManyAttempts(retry_after) => Self::LimitReached {
                kind: LimitKind::Requests,
                message: "Too many attempts to sign in. Wait, and try again.".into(),
                retry_after,
                is_beyond: false,
                standings: Standings::default(),
            },
            error @ insula_tenancy::Error::NoMasterKey => Self::Invalid {
                message: error.to_string(),
                param: None,
                code: Some("not_configured"),
            },
            error @ insula_tenancy::Error::Erased => Self::Conflict(error.to_string()),
            other => Self::internal(other),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        insula_tenancy::Error::from(error).into()
    }
}
