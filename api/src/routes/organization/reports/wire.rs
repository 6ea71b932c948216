//! Reports on the wire.

use insula_core::Error;
use insula_core::organization::usage::Sum;
use insula_tenancy::Money;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::query::{Asked, Group};

/// A part of a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportPage<T> {
    /// `page`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The buckets, oldest first, also those in which nothing was.
    pub data: Vec<ReportBucket<T>>,
    /// Whether more buckets follow.
    pub has_more: bool,
    /// The cursor of the next page; null: this is the last one.
    #[schema(required)]
    pub next_page: Option<String>,
}

/// What was in one minute, hour or day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportBucket<T> {
    /// `bucket`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its beginning.
    pub start_time: i64,
    /// Unix seconds of its end, itself not included.
    pub end_time: i64,
    /// One sum for each of what is told apart.
    pub results: Vec<T>,
}

impl<T> ReportPage<T> {
    /// The buckets that were asked for, filled with `sums`, which are in order.
    pub(super) fn new(
        asked: &Asked,
        sums: Vec<Sum>,
        result: impl Fn(&Asked, Sum) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let (width, until) = (asked.report.width.seconds(), asked.report.until.timestamp());
        let mut sums = sums.into_iter().peekable();
        let mut data = Vec::new();
        let mut start_time = asked.report.from.timestamp();
        while start_time < until {
            let end_time = start_time + width;
            let mut results = Vec::new();
            while let Some(sum) = sums.next_if(|sum| sum.starts_at.timestamp() < end_time) {
                results.push(result(asked, sum)?);
            }
            data.push(ReportBucket {
                object: "bucket",
                start_time,
                end_time,
                results,
            });
            start_time = end_time;
        }
        Ok(Self {
            object: "page",
            data,
            has_more: asked.next.is_some(),
            next_page: asked.next_page(),
        })
    }
}

/// What models wrote.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageCompletionsResult)]
pub struct CompletionsResult {
    /// `organization.usage.completions.result`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Tokens read.
    pub input_tokens: i64,
    /// Of those, from the provider's cache.
    pub input_cached_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Always 0.
    pub input_audio_tokens: i64,
    /// Always 0.
    pub output_audio_tokens: i64,
    /// Calls, whatever became of them.
    pub num_model_requests: i64,
    /// Null: of all.
    #[schema(required)]
    pub project_id: Option<String>,
    /// Always null: calls are made with keys.
    #[schema(required)]
    pub user_id: Option<String>,
    /// Null: of all, or of calls without a key.
    #[schema(required)]
    pub api_key_id: Option<String>,
    /// Null: of all.
    #[schema(required)]
    pub model: Option<String>,
    /// Whether these are of batches; null: of all.
    #[schema(required)]
    pub batch: Option<bool>,
    /// `default`; null: of all.
    #[schema(required, value_type = Option<String>)]
    pub service_tier: Option<&'static str>,
    /// `unlabeled`; null: of all.
    #[schema(required, value_type = Option<String>)]
    pub api_source: Option<&'static str>,
}

impl CompletionsResult {
    pub(super) fn new(asked: &Asked, sum: Sum) -> Self {
        let has = |group| asked.groups.contains(&group);
        Self {
            object: "organization.usage.completions.result",
            input_tokens: sum.input_tokens,
            input_cached_tokens: sum.cached_tokens,
            output_tokens: sum.output_tokens,
            input_audio_tokens: 0,
            output_audio_tokens: 0,
            num_model_requests: sum.requests,
            project_id: sum.project.map(|id| id.to_string()),
            user_id: None,
            api_key_id: sum.key.map(|id| id.to_string()),
            model: sum.model,
            batch: has(Group::Batch).then_some(false),
            service_tier: has(Group::ServiceTier).then_some("default"),
            api_source: has(Group::ApiSource).then_some("unlabeled"),
        }
    }
}

/// What embedding or moderation models read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageInputResult)]
pub struct InputResult {
    /// `organization.usage.embeddings.result` or `organization.usage.moderations.result`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Tokens read.
    pub input_tokens: i64,
    /// Calls, searches, or batches of a document's passages.
    pub num_model_requests: i64,
    /// Null: of all.
    #[schema(required)]
    pub project_id: Option<String>,
    /// Always null: calls are made with keys.
    #[schema(required)]
    pub user_id: Option<String>,
    /// Null: of all, or of work without a key.
    #[schema(required)]
    pub api_key_id: Option<String>,
    /// Null: of all.
    #[schema(required)]
    pub model: Option<String>,
}

impl InputResult {
    pub(super) fn embeddings(_: &Asked, sum: Sum) -> Self {
        Self::new("organization.usage.embeddings.result", sum)
    }

    pub(super) fn moderations(_: &Asked, sum: Sum) -> Self {
        Self::new("organization.usage.moderations.result", sum)
    }

    fn new(object: &'static str, sum: Sum) -> Self {
        Self {
            object,
            input_tokens: sum.input_tokens,
            num_model_requests: sum.requests,
            project_id: sum.project.map(|id| id.to_string()),
            user_id: None,
            api_key_id: sum.key.map(|id| id.to_string()),
            model: sum.model,
        }
    }
}

/// Bytes of vector stores.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageVectorStoresResult)]
pub struct VectorStoresResult {
    /// `organization.usage.vector_stores.result`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Bytes, as they are now.
    pub usage_bytes: i64,
    /// Null: of all.
    #[schema(required)]
    pub project_id: Option<String>,
}

/// Searches of vector stores.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageFileSearchesResult)]
pub struct FileSearchesResult {
    /// `organization.usage.file_searches.result`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Searches.
    pub num_requests: i64,
    /// Null: of all.
    #[schema(required)]
    pub project_id: Option<String>,
    /// Always null: calls are made with keys.
    #[schema(required)]
    pub user_id: Option<String>,
    /// Null: of all.
    #[schema(required)]
    pub api_key_id: Option<String>,
    /// Always null: it is not recorded which store was searched.
    #[schema(required)]
    pub vector_store_id: Option<String>,
}

impl FileSearchesResult {
    pub(super) fn new(_: &Asked, sum: Sum) -> Self {
        Self {
            object: "organization.usage.file_searches.result",
            num_requests: sum.requests,
            project_id: sum.project.map(|id| id.to_string()),
            user_id: None,
            api_key_id: sum.key.map(|id| id.to_string()),
            vector_store_id: None,
        }
    }
}

/// An amount of money.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CostAmount)]
pub struct Amount {
    /// The amount. All nine digits after the point are written; a reader that makes a binary float of them rounds.
    #[schema(value_type = f64)]
    pub value: Box<RawValue>,
    /// `usd`
    #[schema(value_type = String)]
    pub currency: &'static str,
    /// The same as a string, which nothing rounds.
    pub exact: String,
}

impl Amount {
    fn new(money: Money) -> Result<Self, Error> {
        let exact = money.to_string();
        Ok(Self {
            value: RawValue::from_string(exact.clone()).map_err(Error::internal)?,
            currency: "usd",
            exact,
        })
    }
}

/// What was spent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CostsResult)]
pub struct CostsResult {
    /// `organization.costs.result`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// How much.
    pub amount: Amount,
    /// Model and endpoint, as in `gpt-5, chat.completions`; null: of all.
    #[schema(required)]
    pub line_item: Option<String>,
    /// Null: of all.
    #[schema(required)]
    pub project_id: Option<String>,
    /// Null: of all, or of work without a key.
    #[schema(required)]
    pub api_key_id: Option<String>,
    /// Always null: calls are made with keys.
    #[schema(required)]
    pub user_id: Option<String>,
    /// Tokens of the line item; null: of all.
    #[schema(required)]
    pub quantity: Option<i64>,
    /// `tokens`; null: of all.
    #[schema(required, value_type = Option<String>)]
    pub quantity_unit: Option<&'static str>,
}

impl CostsResult {
    pub(super) fn new(sum: Sum) -> Result<Self, Error> {
        let line_item = sum.line_item();
        let itemized = line_item.is_some();
        Ok(Self {
            object: "organization.costs.result",
            amount: Amount::new(sum.cost)?,
            project_id: sum.project.map(|id| id.to_string()),
            api_key_id: sum.key.map(|id| id.to_string()),
            user_id: None,
            quantity: itemized.then(|| sum.input_tokens.saturating_add(sum.output_tokens)),
            quantity_unit: itemized.then_some("tokens"),
            line_item,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_to_the_last_digit() {
        for (nanos, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (9_007_199_254_740_993, "9007199.254740993"),
            (i64::MAX, "9223372036.854775807"),
        ] {
            let amount = Amount::new(Money::from_nanos(nanos)).unwrap();
            let json = serde_json::to_string(&amount).unwrap();
            assert_eq!(
                json,
                format!(r#"{{"value":{text},"currency":"usd","exact":"{text}"}}"#)
            );
        }
    }
}
