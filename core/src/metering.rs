//! Calls on the ledger: what they are let in for, and what they are settled with.

use std::time::Duration;

use insula_tenancy::TenantContext;
use insula_tenancy::meter::{Amounts, Call, Entered, LimitKind, Metered, Refused};
use insula_tenancy::usage::{Details, Endpoint, Outcome, Tokens};
use serde_json::Value;
use uuid::Uuid;

use crate::model::TokenUsage;
use crate::{Error, Result, Services};

/// The request behind a call.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its id, which becomes the event's.
    pub id: Uuid,
    /// For whom it is, as the tenant calls them.
    pub end_user: Option<String>,
    /// What is called.
    pub endpoint: Endpoint,
    /// Whether the answer is streamed.
    pub streamed: bool,
}

/// Lets a call in.
///
/// # Errors
/// [`Error::LimitReached`]; [`Error::Overloaded`] when that cannot be found out.
pub async fn enter(
    services: &Services,
    cx: &TenantContext,
    request: &Request,
    model: &str,
) -> Result<Entered> {
    let call = Call {
        id: request.id,
        endpoint: request.endpoint,
        model: model.to_owned(),
        // Whom a token was made for cannot be talked away.
        end_user: cx
            .end_user()
            .map(str::to_owned)
            .or_else(|| request.end_user.clone()),
        streamed: request.streamed,
    };
    Ok(services.meter.enter(cx, call).await?)
}

/// Begins a call of which only the tokens that it reads are to be expected, at no cost.
///
/// # Errors
/// [`Error::LimitReached`]; [`Error::BudgetExceeded`].
pub async fn begin_reading(entered: &mut Entered, tokens: u64) -> Result<Metered> {
    let amounts = Amounts {
        tokens: Tokens {
            input: tokens,
            ..Tokens::default()
        },
        ..Amounts::default()
    };
    Ok(entered.begin(amounts).await?)
}

/// Tokens that a text has, roughly: four bytes make one. For limits, until the model has counted.
pub fn roughly(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

/// Settles a call that did not come to an answer.
pub fn fail(metered: Metered, error: &Error, attempts: usize) {
    metered.end(|details| {
        *details = Details {
            outcome: Outcome::Failed,
            error: Some(error.name()),
            attempts: u16::try_from(attempts).unwrap_or(u16::MAX),
            streamed: details.streamed,
            decisions: details.decisions.take(),
            estimated: false,
            ..Details::default()
        };
    });
}

/// Writes down a call that guardrails do not allow. What it is refused with.
pub async fn refuse(entered: &mut Entered, error: Error, decisions: Option<Value>) -> Error {
    match entered.begin(Amounts::default()).await {
        Ok(mut metered) => {
            metered.note(|details| details.decisions = decisions);
            fail(metered, &error, 0);
            error
        }
        Err(refused) => refused.into(),
    }
}

/// Settles a call that read so many tokens here.
pub fn settle_reading(metered: Metered, tokens: u64) {
    metered.end(|details| {
        details.outcome = Outcome::Completed;
        details.tokens = Tokens {
            input: tokens,
            ..Tokens::default()
        };
        details.attempts = 1;
        details.estimated = false;
    });
}

impl From<TokenUsage> for Tokens {
    fn from(usage: TokenUsage) -> Self {
        Self {
            input: usage.prompt_tokens,
            cached: usage.cached_tokens,
            output: usage.completion_tokens,
            reasoning: usage.reasoning_tokens,
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Error(error) => error.into(),
            Refused::Budget { name, .. } => Self::BudgetExceeded(format!(
                "The budget '{name}' is used up. See the budgets of this tenant for when it begins anew."
            )),
            Refused::Limit {
                kind,
                limit,
                retry_after,
                standings,
            } => Self::LimitReached {
                kind,
                message: match kind {
                    LimitKind::Requests => format!(
                        "Rate limit reached: {limit} requests per minute. Try again in {}.",
                        seconds(retry_after)
                    ),
                    LimitKind::Tokens => format!(
                        "Rate limit reached: {limit} tokens per minute. Try again in {}, or with a shorter request.",
                        seconds(retry_after)
                    ),
                    LimitKind::Concurrency => {
                        format!("Rate limit reached: {limit} requests at once. Wait for one to end.")
                    }
                },
                retry_after,
                standings,
            },
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_millis().div_ceil(1000))
}
