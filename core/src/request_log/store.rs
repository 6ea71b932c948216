//! SQL of request logs.

use insula_tenancy::{RequestLogId, TenantTx};

use super::{Logging, NewRequestLog, RequestLog};
use crate::Result;
use crate::page::{Listing, Page, paged};

/// Entries beyond the tenant's retention, for housekeeping: `$1` rows at most. `$2` is not used.
pub(crate) const OLD_REQUEST_LOGS: &str = "delete from request_logs where $2::text is not null and id in (
   select id from request_logs
   where created_at < now() - make_interval(days => (select retention_days from request_logging)) limit $1)";

const PAGES: (&str, &str) = paged!(
    select "id, usage_event_id, endpoint, model, request, response, created_at"
    from "request_logs", id "id", cursor "request_logs where true", where "true", "$1" "$2" "$3"
);

pub(super) async fn logging(tx: &mut TenantTx) -> Result<Option<Logging>> {
    Ok(
        sqlx::query_as("select enabled, retention_days, redact from request_logging")
            .fetch_optional(&mut **tx)
            .await?,
    )
}

pub(super) async fn set_logging(tx: &mut TenantTx, logging: Logging) -> Result<()> {
    sqlx::query(
        "insert into request_logging (enabled, retention_days, redact) values ($1, $2, $3)
         on conflict (tenant_id) do update set
           enabled = excluded.enabled, retention_days = excluded.retention_days, redact = excluded.redact,
           updated_at = now()",
    )
    .bind(logging.enabled)
    .bind(logging.retention_days)
    .bind(logging.redact)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn insert(tx: &mut TenantTx, new: &NewRequestLog) -> Result<RequestLogId> {
    let id = RequestLogId::generate();
    sqlx::query(
        "insert into request_logs (id, usage_event_id, endpoint, model, request, response)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(new.usage_event_id)
    .bind(new.endpoint)
    .bind(&new.model)
    .bind(&new.request)
    .bind(&new.response)
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

pub(super) async fn find(tx: &mut TenantTx, id: RequestLogId) -> Result<Option<RequestLog>> {
    Ok(sqlx::query_as(
        "select id, usage_event_id, endpoint, model, request, response, created_at from request_logs where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

pub(super) async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<RequestLog>> {
    let scan = page.scan();
    let statement = if scan.ascending { PAGES.0 } else { PAGES.1 };
    let rows = sqlx::query_as(statement)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}
