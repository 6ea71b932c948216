//! `/v1/insula/usage`: what was used and what it cost, by the same ledger that enforces budgets.

mod query;
pub(super) mod wire;

use axum::extract::State;
use insula_core::Error;
use insula_core::usage;
use insula_tenancy::scope_types::{UsageRead, UsageWrite};
use insula_tenancy::usage as ledger;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::query::UsageEventId;
pub(super) use self::query::time;
use self::query::{EventsParams, EventsQuery, SumsParams, SumsQuery};
use self::wire::{EventObject, SumObject, TracedEventObject};
use super::wire::List;
use crate::app::App;
use crate::http::{ApiResult, Caller, Json, ListQuery, Path, Query};

/// Sums what was used, by hour or day or all together.
#[utoipa::path(
    get, path = "/v1/insula/usage", operation_id = "list_usage", tag = "usage",
    params(SumsParams), responses((status = OK, body = List<SumObject>))
)]
pub async fn list_usage(
    caller: Caller<UsageRead>,
    State(app): State<App>,
    Query(SumsQuery(query)): Query<SumsQuery>,
) -> ApiResult<Json<List<SumObject>>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let sums = usage::sums(&mut tx, &query).await?;
    let data = sums.sums.into_iter().map(SumObject::from).collect();
    Ok(Json(List::new(data, sums.has_more, |sum| {
        sum.start_time.to_string()
    })))
}

/// Lists metered calls.
#[utoipa::path(
    get, path = "/v1/insula/usage/events", operation_id = "list_usage_events", tag = "usage",
    params(ListQuery<100, 1000>, EventsParams), responses((status = OK, body = List<EventObject>))
)]
pub async fn list_usage_events(
    caller: Caller<UsageRead>,
    State(app): State<App>,
    Query(query): Query<EventsQuery>,
) -> ApiResult<Json<List<EventObject>>> {
    let page = query.list.page(|UsageEventId(id)| id)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = usage::events(&mut tx, &query.filter, page)
        .await?
        .map(EventObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |event| {
        event.id.clone()
    })))
}

/// Shows a metered call with the way that it took.
#[utoipa::path(
    get, path = "/v1/insula/usage/events/{usage_event_id}", operation_id = "get_usage_event", tag = "usage",
    params(("usage_event_id" = String, Path, description = "The request's id, `req_…`, as in `x-request-id`")),
    responses((status = OK, body = TracedEventObject))
)]
pub async fn get_usage_event(
    caller: Caller<UsageRead>,
    State(app): State<App>,
    Path(UsageEventId(id)): Path<UsageEventId>,
) -> ApiResult<Json<TracedEventObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(usage::event(&mut tx, id).await?.into()))
}

/// For how long metered calls are kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageRetention {
    /// Days, 1 to 3650; null: for ever. Sums by the hour stay.
    #[schema(required)]
    pub days: Option<i32>,
}

/// Tells for how long metered calls are kept.
#[utoipa::path(
    get, path = "/v1/insula/settings/usage_retention", operation_id = "get_usage_retention", tag = "usage",
    responses((status = OK, body = UsageRetention))
)]
pub async fn get_usage_retention(
    caller: Caller<UsageRead>,
    State(app): State<App>,
) -> ApiResult<Json<UsageRetention>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let days = ledger::retention(&mut tx).await?;
    Ok(Json(UsageRetention { days }))
}

/// Says for how long metered calls are kept. Older ones are removed once a day.
#[utoipa::path(
    put, path = "/v1/insula/settings/usage_retention", operation_id = "put_usage_retention", tag = "usage",
    request_body = UsageRetention, responses((status = OK, body = UsageRetention))
)]
pub async fn put_usage_retention(
    caller: Caller<UsageWrite>,
    State(app): State<App>,
    Json(request): Json<UsageRetention>,
) -> ApiResult<Json<UsageRetention>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    ledger::set_retention(&mut tx, request.days)
        .await
        .map_err(|error| match error {
            insula_tenancy::Error::Invalid(message) => Error::invalid("days", format!("This {message}.")),
            other => other.into(),
        })?;
    insula_core::usage::keep_house(&mut tx).await?;
    tx.commit().await?;
    Ok(Json(request))
}
