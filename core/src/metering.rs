//! Calls on the ledger: what they are let in for, and what they are settled with.

use std::time::Duration;

use chrono::{DateTime, Utc};
use insula_tenancy::meter::{Amounts, Call, Entered, LimitKind, Metered, Refused};
use insula_tenancy::usage::{Details, Endpoint, Outcome, Tokens};
use insula_tenancy::{Money, TenantContext, new_uuid};
use serde_json::Value;
use uuid::Uuid;

use crate::model::{EmbedPurpose, EmbeddedBy, Embedder, Embeddings, TokenUsage};
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

/// Begins a call that embeds texts of so many bytes.
///
/// # Errors
/// [`Error::LimitReached`]; [`Error::BudgetExceeded`].
pub async fn begin_reading(
    services: &Services,
    entered: &mut Entered,
    model: &str,
    bytes: usize,
) -> Result<Metered> {
    let tokens = roughly(bytes);
    let amounts = Amounts {
        tokens: Tokens {
            input: tokens,
            ..Tokens::default()
        },
        // No token is shorter than a byte.
        cost: dearest(services, model, bytes as u64, entered.now()),
        least_cost: dearest(services, model, tokens, entered.now()),
    };
    Ok(entered.begin(amounts).await?)
}

/// The most that so many tokens can cost to embed. What is computed in this process costs nothing.
fn dearest(services: &Services, model: &str, tokens: u64, at: DateTime<Utc>) -> Money {
    let route = services.routes.find(model).filter(|route| !route.is_chat());
    route.map_or(Money::ZERO, |route| route.ceiling(tokens, 0, at))
}

/// Embeds texts for work that was accepted before: on the ledger and within budgets, under no other limit, because what waits
/// in a queue is not turned away.
///
/// # Errors
/// [`Error::BudgetExceeded`]; what the model fails with.
pub async fn embed(
    services: &Services,
    cx: &TenantContext,
    embedder: &dyn Embedder,
    texts: Vec<String>,
) -> Result<Embeddings> {
    let model = embedder.card().id.as_str();
    let mut entered = work(services, cx, Endpoint::Ingestion, model).await?;
    let bytes = texts.iter().map(String::len).sum();
    let metered = begin_reading(services, &mut entered, model, bytes).await?;
    match embedder.embed(texts, EmbedPurpose::Bulk.of(cx.tenant_id())).await {
        Ok(embeddings) => {
            settle_reading(metered, &Reading::of(&embeddings));
            Ok(embeddings)
        }
        Err(error) => {
            fail(metered, &error, 1);
            Err(error)
        }
    }
}

/// Writes down what was read for an answer besides what its model read, if somebody wants money for it.
///
/// # Errors
/// When it cannot be written.
pub async fn record_reading(
    services: &Services,
    cx: &TenantContext,
    model: &str,
    reading: &Reading,
) -> Result<()> {
    if reading.by.is_none() {
        return Ok(());
    }
    let mut entered = work(services, cx, Endpoint::Search, model).await?;
    // It has happened: a budget that has no room for it is not asked.
    let metered = entered.begin(Amounts::default()).await?;
    settle_reading(metered, reading);
    Ok(())
}

/// Writes down a search for a response: every one counts, whatever it costs.
///
/// # Errors
/// When it cannot be written.
pub async fn record_file_search(
    services: &Services,
    cx: &TenantContext,
    model: &str,
    reading: &Reading,
) -> Result<()> {
    let mut entered = work(services, cx, Endpoint::FileSearch, model).await?;
    // It has happened: a budget that has no room for it is not asked.
    let metered = entered.begin(Amounts::default()).await?;
    settle_reading(metered, reading);
    Ok(())
}

async fn work(services: &Services, cx: &TenantContext, endpoint: Endpoint, model: &str) -> Result<Entered> {
    let call = Call {
        id: new_uuid(),
        endpoint,
        model: model.to_owned(),
        end_user: cx.end_user().map(str::to_owned),
        streamed: false,
    };
    Ok(services.meter.work(cx, call).await?)
}

/// What texts that were embedded came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Tokens of all texts.
    pub tokens: u64,
    /// Who read them, where that is a target of a route.
    pub by: Option<EmbeddedBy>,
}

impl Reading {
    /// Of these vectors.
    pub fn of(embeddings: &Embeddings) -> Self {
        Self {
            tokens: embeddings.tokens.iter().map(|tokens| *tokens as u64).sum(),
            by: embeddings.by.clone(),
        }
    }
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
            trace: std::mem::take(&mut details.trace),
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

/// Settles a call that read texts.
pub fn settle_reading(metered: Metered, reading: &Reading) {
    let at = metered.started_at();
    metered.end(|details| {
        details.outcome = Outcome::Completed;
        details.tokens = Tokens {
            input: reading.tokens,
            ..Tokens::default()
        };
        details.cost = Money::ZERO;
        if let Some(by) = &reading.by {
            let usage = TokenUsage {
                prompt_tokens: reading.tokens,
                ..TokenUsage::default()
            };
            details.cost = by.prices.at(at).cost(&usage);
            details.provider = Some(by.provider.to_string());
            details.upstream_model = Some(by.upstream_model.to_string());
        }
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
                is_beyond,
                standings,
            } => Self::LimitReached {
                kind,
                is_beyond,
                message: match kind {
                    LimitKind::Tokens if is_beyond => format!(
                        "Request too large: it may take more than the {limit} tokens per minute of the rate limit. Send a \
                         shorter one, or ask for a shorter answer."
                    ),
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
