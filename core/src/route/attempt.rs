//! Attempts, and what their errors mean.

use std::sync::Arc;
use std::time::Duration;

use insula_tenancy::usage::Attempted;

use super::price::Price;
use super::rule::RouteFacts;
use crate::Error;
use crate::model::TokenCounter;

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, or began to.
    Answered,
    /// It found fault with the request.
    Refused,
    /// The prompt is too long for it.
    TooLong,
    /// It limits our rate.
    Limited,
    /// It has no capacity.
    Overloaded,
    /// It took too long.
    TimedOut,
    /// It failed with this status, or could not be reached.
    Failed(Option<u16>),
}

/// One attempt at one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The operator's name of the provider.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub upstream_model: Arc<str>,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub micros: u64,
}

impl From<&Attempt> for Attempted {
    fn from(attempt: &Attempt) -> Self {
        let (outcome, status) = match attempt.outcome {
            Outcome::Answered => ("answered", None),
            Outcome::Refused => ("refused", None),
            Outcome::TooLong => ("too_long", None),
            Outcome::Limited => ("limited", Some(429)),
            Outcome::Overloaded => ("overloaded", None),
            Outcome::TimedOut => ("timed_out", None),
            Outcome::Failed(status) => ("failed", status),
        };
        Self {
            provider: attempt.provider.to_string(),
            upstream_model: attempt.upstream_model.to_string(),
            outcome: outcome.into(),
            status,
            duration_us: attempt.micros,
        }
    }
}

/// Who answered, and after what.
#[derive(Clone)]
pub struct Taken {
    /// The route that answered: the one that was asked for, or one that follows from it.
    pub route: Arc<str>,
    /// The operator's name of the provider.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub upstream_model: Arc<str>,
    /// What its tokens cost now.
    pub price: Price,
    /// All attempts, the successful one last.
    pub attempts: Vec<Attempt>,
    /// Whether nothing left this machine.
    pub local: bool,
    /// Counts tokens where the provider does not say how many there were.
    pub counter: Arc<dyn TokenCounter>,
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Taken")
            .field("route", &self.route)
            .field("provider", &self.provider)
            .field("upstream_model", &self.upstream_model)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// Nobody answered.
#[derive(Debug)]
pub struct Failed {
    /// The reason that helps the caller most.
    pub error: Error,
    /// All attempts; none when the request was refused before the first.
    pub attempts: Vec<Attempt>,
}

/// What an error says about the attempt.
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    /// Whether it counts against the target.
    pub(super) blame: bool,
    /// Whether the same target may be asked again.
    pub(super) again: bool,
}

/// What became of an attempt that ended in an error; `late` when its time was up.
pub(super) fn judge(error: &Error, late: bool) -> Verdict {
    let (outcome, blame, again) = match error {
        Error::Upstream { status: None, .. } if late => (Outcome::TimedOut, true, false),
        Error::Upstream {
            status: Some(429), ..
        } => (Outcome::Limited, true, true),
        Error::Upstream { status, .. } => {
            let passing = matches!(status, None | Some(408 | 409 | 425 | 500..));
            (Outcome::Failed(*status), true, passing)
        }
        Error::Overloaded { .. } => (Outcome::Overloaded, false, true),
        Error::Internal(_) => (Outcome::Failed(None), true, false),
        Error::Invalid {
            code: Some("context_length_exceeded"),
            ..
        } => (Outcome::TooLong, false, false),
        _ => (Outcome::Refused, false, false),
    };
    Verdict {
        outcome,
        blame,
        again,
    }
}

/// When the target asked us to come back.
pub(super) fn retry_after(error: &Error) -> Option<Duration> {
    match error {
        Error::Upstream { retry_after, .. } => *retry_after,
        Error::Overloaded { retry_after, .. } => Some(*retry_after),
        _ => None,
    }
}

/// The prompt has no room.
pub(super) fn too_long(model: &str, window: Option<u32>) -> Error {
    let window = window.unwrap_or_default();
    Error::Invalid {
        message: format!(
            "The messages are longer than the {window} tokens that the model '{model}' can read."
        ),
        param: Some("messages".into()),
        code: Some("context_length_exceeded"),
    }
}

/// No target may be called.
pub(super) fn nobody_may(model: &str, facts: &RouteFacts) -> Error {
    let why = if facts.stays_here() {
        "This call must not leave the server, and no target of the model"
    } else {
        "No provider that your settings allow serves the model"
    };
    Error::Invalid {
        message: match facts.stays_here() {
            true => format!("{why} '{model}' is on it."),
            false => format!("{why} '{model}'."),
        },
        param: Some("model".into()),
        code: Some("no_allowed_target"),
    }
}
