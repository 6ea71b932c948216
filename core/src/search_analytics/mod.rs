//! What is searched for, and what is not found: for tenants that want to know what their documents lack.
//!
//! How many searches there were, and how well they went, is counted for every tenant, by the day. What was searched for is kept
//! only for a tenant that has turned it on, for as long as it says. Both are written in the background, many at a time: no search
//! waits for it, and when the database cannot keep up, searches go unnoted rather than slow.

mod store;
mod writer;

use chrono::{DateTime, TimeDelta, Utc};
use insula_tenancy::audit::{self, Act, Event};
use insula_tenancy::{TenantTx, VectorStoreId};
use serde_json::{Value, json};

pub(crate) use store::OLD_SEARCHES;
pub use writer::Searches;

use crate::{Error, Result};

/// Longest time that can be asked for at once.
const LONGEST: TimeDelta = TimeDelta::days(400);
/// Queries in each list of a report.
const LISTED: i64 = 50;
/// Below this a search went badly: its best passage more likely does not answer than does.
const LOW: f64 = 0.3;
/// Most characters of a query that are kept.
const LONGEST_QUERY: usize = 500;

/// Whether queries are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Keeping {
    /// Whether they are.
    pub enabled: bool,
    /// How long, 1..=365 days.
    pub retention_days: i32,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            enabled: false,
            retention_days: 30,
        }
    }
}

/// A search that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// Where.
    pub vector_store_id: VectorStoreId,
    /// For what; `None`: that is not kept.
    pub query: Option<String>,
    /// How many passages were found.
    pub hits: usize,
    /// How well the best of them matched, 0..=1.
    pub top_score: Option<f64>,
}

impl Searched {
    /// The search with its query in the form that is kept: no longer than that, in one line, without what Postgres cannot store,
    /// and without personal data if that is to be `redacted`.
    fn shaped(self, redacted: bool) -> Self {
        let shape = |query: String| {
            let words: Vec<&str> = query
                .split(|c: char| c.is_whitespace() || c.is_control())
                .collect();
            let line = words
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
            let line = if redacted {
                crate::guard::redact_all(&line)
            } else {
                line
            };
            line.chars().take(LONGEST_QUERY).collect()
        };
        Self {
            query: self.query.map(shape),
            ..self
        }
    }
}

/// What was searched for in a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Searches.
    pub searches: i64,
    /// Of those, without a passage.
    pub zero_result: i64,
    /// How well the best passage of each matched, on average of those that have one.
    pub mean_top_score: Option<f64>,
    /// What was searched for most.
    pub top: Vec<Query>,
    /// What nothing was found for, most often searched first.
    pub zero: Vec<Query>,
    /// What only little was found for, the worst first.
    pub low: Vec<Query>,
}

/// What was searched for, in any spelling of case.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Query {
    /// The words.
    pub query: String,
    /// How often.
    pub searches: i64,
    /// Of those, without a passage.
    pub zero_result: i64,
    /// How well the best passages matched.
    pub mean_top_score: Option<f64>,
    /// When it was last searched for.
    pub last_at: DateTime<Utc>,
}

/// What was searched for in whole days of UTC, from that of `from` to that before `until`.
///
/// # Errors
/// [`Error::Invalid`] for a time that ends before it begins, or is longer than 400 days.
pub async fn report(tx: &mut TenantTx, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Report> {
    if until <= from {
        return Err(Error::invalid("end_time", "Must be after 'start_time'."));
    }
    if until - from > LONGEST {
        return Err(Error::invalid(
            "start_time",
            "At most 400 days can be asked for at once.",
        ));
    }
    let sums = store::sums(tx, from, until).await?;
    Ok(Report {
        searches: sums.searches,
        zero_result: sums.zero_result,
        mean_top_score: sums.mean_top_score,
        top: store::top(tx, from, until, LISTED).await?,
        zero: store::zero(tx, from, until, LISTED).await?,
        low: store::low(tx, from, until, LOW, LISTED).await?,
    })
}

/// Whether the tenant's queries are kept; `None` if it never said.
///
/// # Errors
/// When the database is away.
pub async fn keeping(tx: &mut TenantTx) -> Result<Option<Keeping>> {
    store::keeping(tx).await
}

/// Says whether the tenant's queries are kept. Those that are there keep to the new retention.
///
/// # Errors
/// [`Error::Invalid`] for days out of range.
pub async fn set_keeping(tx: &mut TenantTx, keeping: Keeping) -> Result<()> {
    if !(1..=365).contains(&keeping.retention_days) {
        return Err(Error::invalid("retention_days", "Must be between 1 and 365."));
    }
    let before = store::keeping(tx).await?.unwrap_or_default();
    store::set_keeping(tx, keeping).await?;
    let act = Act::new(Event::SearchAnalyticsUpdated, tx.tenant_id());
    Ok(audit::record(tx, act.changed(told(before), told(keeping))).await?)
}

fn told(keeping: Keeping) -> Value {
    json!({"enabled": keeping.enabled, "retention_days": keeping.retention_days})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_kept_in_one_short_line() {
        let shaped = |query: &str, redacted| {
            let searched = Searched {
                vector_store_id: VectorStoreId::generate(),
                query: Some(query.into()),
                hits: 0,
                top_score: None,
            };
            searched.shaped(redacted).query.unwrap()
        };
        assert_eq!(shaped(" who\nis\0 it? ", false), "who is it?");
        assert_eq!(shaped("Is it ada@example.com?", true), "Is it [EMAIL]?");
        assert_eq!(shaped("Is it ada@example.com?", false), "Is it ada@example.com?");
        assert_eq!(shaped(&"é".repeat(1_000), false).chars().count(), LONGEST_QUERY);
    }
}
