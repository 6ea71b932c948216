//! `/v1/insula/search_analytics`: what was searched for, and what was not found.

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use insula_core::Error;
use insula_core::search_analytics::{self, Keeping, Query as Searched, Report};
use insula_tenancy::scope_types::{GuardrailsRead, GuardrailsWrite, RequestLogsRead};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::usage::time;
use super::wire::{now, seconds};
use crate::app::App;
use crate::http::validate::range;
use crate::http::{ApiResult, Caller, FromQuery, Json, Query, QueryParams};

/// Which time is asked about.
#[derive(Debug)]
pub struct TimeQuery {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl FromQuery for TimeQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let now = DateTime::from_timestamp(now(), 0).unwrap_or_default();
        let until = time(params, "end_time")?;
        let from = time(params, "start_time")?;
        Ok(Self {
            from: from.unwrap_or_else(|| until.unwrap_or(now) - TimeDelta::days(30)),
            // The clock of the database may be a little ahead.
            until: until.unwrap_or(now + TimeDelta::minutes(5)),
        })
    }
}

/// The query of the report.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; TimeQuery reads them")]
struct TimeParams {
    /// Unix seconds; absent: thirty days ago. The report is of whole days, in UTC.
    start_time: Option<i64>,
    /// Unix seconds, itself not included; absent: until now.
    end_time: Option<i64>,
}

/// What was searched for. Queries are only known where the tenant keeps them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchAnalytics)]
pub struct AnalyticsObject {
    /// `insula.search_analytics`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Searches of vector stores, those for chats and responses among them.
    pub searches: i64,
    /// Of those, without a passage.
    pub zero_result: i64,
    /// Mean score of the best passages, 0 to 1; null without one.
    #[schema(required)]
    pub mean_top_score: Option<f64>,
    /// The queries that were made most, fifty at most.
    pub top: Vec<TopQuery>,
    /// Queries for which nothing was found, the last time they were made; most made first.
    pub zero: Vec<ZeroQuery>,
    /// Queries whose best passages match poorly, the worst first.
    pub low: Vec<LowQuery>,
}

/// A query that was often made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchAnalyticsTop)]
pub struct TopQuery {
    /// The words, in one of the spellings.
    pub query: String,
    /// How often.
    pub searches: i64,
    /// Mean score of the best passages; null without one.
    #[schema(required)]
    pub mean_top_score: Option<f64>,
    /// How often nothing was found.
    pub zero_result: i64,
}

/// A query for which nothing was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchAnalyticsZero)]
pub struct ZeroQuery {
    /// The words, in one of the spellings.
    pub query: String,
    /// How often.
    pub searches: i64,
    /// Unix seconds of the last time.
    pub last_at: i64,
}

/// A query for which little was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchAnalyticsLow)]
pub struct LowQuery {
    /// The words, in one of the spellings.
    pub query: String,
    /// How often.
    pub searches: i64,
    /// Mean score of the best passages.
    pub mean_top_score: f64,
    /// Unix seconds of the last time.
    pub last_at: i64,
}

impl From<Report> for AnalyticsObject {
    fn from(report: Report) -> Self {
        let top = |found: Searched| TopQuery {
            query: found.query,
            searches: found.searches,
            mean_top_score: found.mean_top_score,
            zero_result: found.zero_result,
        };
        let zero = |found: Searched| ZeroQuery {
            query: found.query,
            searches: found.searches,
            last_at: seconds(found.last_at),
        };
        let low = |found: Searched| LowQuery {
            query: found.query,
            searches: found.searches,
            mean_top_score: found.mean_top_score.unwrap_or_default(),
            last_at: seconds(found.last_at),
        };
        Self {
            object: "insula.search_analytics",
            searches: report.searches,
            zero_result: report.zero_result,
            mean_top_score: report.mean_top_score,
            top: report.top.into_iter().map(top).collect(),
            zero: report.zero.into_iter().map(zero).collect(),
            low: report.low.into_iter().map(low).collect(),
        }
    }
}

/// Whether queries are kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchAnalyticsSettings)]
pub struct KeepingObject {
    /// `insula.search_analytics_settings`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Whether they are.
    pub enabled: bool,
    /// For how many days.
    pub retention_days: i32,
}

/// Whether queries are to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateSearchAnalyticsSettingsRequest)]
pub struct UpdateKeeping {
    /// Whether they are.
    pub enabled: bool,
    /// For how many days; 30 if absent.
    #[schema(minimum = 1, maximum = 365)]
    pub retention_days: Option<i32>,
}

impl From<Keeping> for KeepingObject {
    fn from(keeping: Keeping) -> Self {
        Self {
            object: "insula.search_analytics_settings",
            enabled: keeping.enabled,
            retention_days: keeping.retention_days,
        }
    }
}

/// Tells what was searched for, what nothing was found for, and what only little.
#[utoipa::path(
    get, path = "/v1/insula/search_analytics", operation_id = "get_search_analytics", tag = "search analytics",
    params(TimeParams), responses((status = OK, body = AnalyticsObject))
)]
pub async fn get_search_analytics(
    caller: Caller<RequestLogsRead>,
    State(app): State<App>,
    Query(query): Query<TimeQuery>,
) -> ApiResult<Json<AnalyticsObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let report = search_analytics::report(&mut tx, query.from, query.until).await?;
    Ok(Json(report.into()))
}

/// Tells whether queries are kept.
#[utoipa::path(
    get, path = "/v1/insula/settings/search_analytics", operation_id = "get_search_analytics_settings",
    tag = "search analytics", responses((status = OK, body = KeepingObject))
)]
pub async fn get_search_analytics_settings(
    caller: Caller<GuardrailsRead>,
    State(app): State<App>,
) -> ApiResult<Json<KeepingObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let keeping = search_analytics::keeping(&mut tx).await?.unwrap_or_default();
    Ok(Json(keeping.into()))
}

/// Says whether queries are kept. None are, unless this is called.
///
/// Queries of the next second on are kept for as many days as it says, without personal data where the guardrails mind it. Searches
/// are counted anyhow. A shorter retention takes older queries away within a day.
#[utoipa::path(
    put, path = "/v1/insula/settings/search_analytics", operation_id = "update_search_analytics_settings",
    tag = "search analytics", request_body = UpdateKeeping, responses((status = OK, body = KeepingObject))
)]
pub async fn update_search_analytics_settings(
    caller: Caller<GuardrailsWrite>,
    State(app): State<App>,
    Json(request): Json<UpdateKeeping>,
) -> ApiResult<Json<KeepingObject>> {
    let days = request
        .retention_days
        .unwrap_or(Keeping::default().retention_days);
    let keeping = Keeping {
        enabled: request.enabled,
        retention_days: range("retention_days", days, 1..=365)?,
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    search_analytics::set_keeping(&mut tx, keeping).await?;
    tx.commit().await?;
    app.services.policies.forget(&caller).await;
    Ok(Json(keeping.into()))
}
