//! SQL of webhooks, of their events and of their log.

use std::time::Duration;

use chrono::{DateTime, Utc};
use insula_tenancy::{EventId, TenantTx, WebhookId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sqlx::types::Json;

use super::delivery::{Attempt, Delivery, DeliveryState};
use super::event::{EventType, payload};
use super::{NewWebhook, Webhook};
use crate::page::{Listing, Page, paged};
use crate::{Error, Result};

/// How long a failing webhook is tried, and how long a replaced secret signs, as SQL's interval.
const DAY: &str = "24 hours";
/// How long the log is kept.
const KEPT: &str = "30 days";

#[derive(sqlx::FromRow)]
struct Row {
    id: WebhookId,
    url: String,
    description: String,
    events: Vec<String>,
    enabled: bool,
    disabled_reason: Option<String>,
    failing_since: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Webhook {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let events = row
            .events
            .iter()
            .map(|name| name.parse::<EventType>().map_err(Error::internal));
        Ok(Self {
            events: events.collect::<Result<_>>()?,
            id: row.id,
            url: row.url,
            description: row.description,
            enabled: row.enabled,
            disabled_reason: row.disabled_reason,
            failing_since: row.failing_since,
            created_at: row.created_at,
        })
    }
}

const PAGES: (&str, &str) = paged!(
    select "id, url, description, events, enabled, disabled_reason, failing_since, created_at" from "webhooks",
    id "id", cursor "webhooks where true", where "($1::uuid is null or id = $1)", "$2" "$3" "$4"
);

fn names(events: &[EventType]) -> Vec<&'static str> {
    let mut names: Vec<_> = events.iter().map(|event| event.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

pub(super) async fn count(tx: &mut TenantTx) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from webhooks")
        .fetch_one(&mut **tx)
        .await?)
}

pub(super) async fn insert(tx: &mut TenantTx, new: &NewWebhook, secret: &SecretString) -> Result<WebhookId> {
    let id = WebhookId::generate();
    sqlx::query("insert into webhooks (id, url, description, events, secret) values ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(&new.url)
        .bind(&new.description)
        .bind(names(&new.events))
        .bind(secret.expose_secret())
        .execute(&mut **tx)
        .await?;
    Ok(id)
}

pub(super) async fn find(tx: &mut TenantTx, id: WebhookId) -> Result<Option<Webhook>> {
    let row: Option<Row> = sqlx::query_as(PAGES.0)
        .bind(id)
        .bind(None::<uuid::Uuid>)
        .bind(None::<uuid::Uuid>)
        .bind(1i64)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(Webhook::try_from).transpose()
}

pub(super) async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<Webhook>> {
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(None::<uuid::Uuid>)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    let webhooks = rows.into_iter().map(Webhook::try_from);
    Ok(scan.finish(webhooks.collect::<Result<Vec<_>>>()?))
}

pub(super) async fn update(tx: &mut TenantTx, webhook: &Webhook) -> Result<()> {
    sqlx::query(
        "update webhooks set url = $2, description = $3, events = $4, enabled = $5, disabled_reason = $6,
                failing_since = $7
         where id = $1",
    )
    .bind(webhook.id)
    .bind(&webhook.url)
    .bind(&webhook.description)
    .bind(names(&webhook.events))
    .bind(webhook.enabled)
    .bind(&webhook.disabled_reason)
    .bind(webhook.failing_since)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut TenantTx, id: WebhookId) -> Result<bool> {
    let done = sqlx::query("delete from webhooks where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn rotate(tx: &mut TenantTx, id: WebhookId, secret: &SecretString) -> Result<()> {
    sqlx::query(
        "update webhooks set previous_secret = secret, previous_secret_until = now() + $3::text::interval, secret = $2
         where id = $1",
    )
    .bind(id)
    .bind(secret.expose_secret())
    .bind(DAY)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whom an event concerns.
pub(super) async fn subscribed(tx: &mut TenantTx, kind: EventType) -> Result<Vec<WebhookId>> {
    Ok(
        sqlx::query_scalar("select id from webhooks where enabled and $1 = any (events) order by id")
            .bind(kind.as_str())
            .fetch_all(&mut **tx)
            .await?,
    )
}

pub(super) async fn insert_event(tx: &mut TenantTx, kind: EventType, data: &Value) -> Result<EventId> {
    let id = EventId::generate();
    let now: DateTime<Utc> = sqlx::query_scalar("select now()").fetch_one(&mut **tx).await?;
    sqlx::query("insert into webhook_events (id, type, payload) values ($1, $2, $3)")
        .bind(id)
        .bind(kind.as_str())
        .bind(payload(kind, now, data))
        .execute(&mut **tx)
        .await?;
    Ok(id)
}

pub(super) async fn insert_delivery(
    tx: &mut TenantTx,
    webhook_id: WebhookId,
    event_id: EventId,
    state: DeliveryState,
) -> Result<()> {
    sqlx::query(
        "insert into webhook_deliveries (webhook_id, event_id, state, next_attempt_at)
         values ($1, $2, $3, case when $3 = 'pending' then now() end)",
    )
    .bind(webhook_id)
    .bind(event_id)
    .bind(state.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What an attempt needs.
#[derive(sqlx::FromRow)]
pub(super) struct Due {
    pub(super) url: String,
    pub(super) payload: String,
    secret: String,
    previous_secret: Option<String>,
    pub(super) now: DateTime<Utc>,
}

impl Due {
    /// What signs: the secret, and the one before it while that still counts.
    pub(super) fn secrets(&mut self) -> Vec<SecretString> {
        let secrets = [
            Some(std::mem::take(&mut self.secret)),
            self.previous_secret.take(),
        ];
        secrets.into_iter().flatten().map(SecretString::from).collect()
    }
}

/// What is to be sent now; `None` if nothing is any more.
pub(super) async fn due(tx: &mut TenantTx, webhook_id: WebhookId, event_id: EventId) -> Result<Option<Due>> {
    Ok(sqlx::query_as(
        "select w.url, e.payload, w.secret,
                case when w.previous_secret_until > now() then w.previous_secret end as previous_secret, now() as now
         from webhook_deliveries d
         join webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
         join webhook_events e on e.tenant_id = d.tenant_id and e.id = d.event_id
         where d.webhook_id = $1 and d.event_id = $2 and d.state = 'pending' and w.enabled",
    )
    .bind(webhook_id)
    .bind(event_id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Gives up a delivery that waits.
pub(super) async fn give_up(
    tx: &mut TenantTx,
    webhook_id: WebhookId,
    event_id: EventId,
    state: DeliveryState,
) -> Result<()> {
    sqlx::query(
        "update webhook_deliveries set state = $3, next_attempt_at = null
         where webhook_id = $1 and event_id = $2 and state = 'pending'",
    )
    .bind(webhook_id)
    .bind(event_id)
    .bind(state.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn record(
    tx: &mut TenantTx,
    webhook_id: WebhookId,
    event_id: EventId,
    state: DeliveryState,
    attempt: &Attempt,
    next: Option<Duration>,
) -> Result<()> {
    sqlx::query(
        "update webhook_deliveries
         set state = $3, attempts = attempts || $4::jsonb, next_attempt_at = now() + make_interval(secs => $5)
         where webhook_id = $1 and event_id = $2",
    )
    .bind(webhook_id)
    .bind(event_id)
    .bind(state.as_str())
    .bind(Json(attempt))
    .bind(next.map(|pause| pause.as_secs_f64()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn set_working(tx: &mut TenantTx, id: WebhookId) -> Result<()> {
    sqlx::query("update webhooks set failing_since = null where id = $1 and failing_since is not null")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Notes a failure. `true` if it was one too many, and the webhook is disabled by it.
pub(super) async fn set_failing(tx: &mut TenantTx, id: WebhookId) -> Result<bool> {
    sqlx::query("update webhooks set failing_since = now() where id = $1 and failing_since is null")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    let done = sqlx::query(
        "update webhooks set enabled = false, disabled_reason = 'Every delivery of a whole day failed.'
         where id = $1 and enabled and failing_since <= now() - $2::text::interval",
    )
    .bind(id)
    .bind(DAY)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// `true` if it was enabled before.
pub(super) async fn disable(tx: &mut TenantTx, id: WebhookId, reason: &str) -> Result<bool> {
    let done =
        sqlx::query("update webhooks set enabled = false, disabled_reason = $2 where id = $1 and enabled")
            .bind(id)
            .bind(reason)
            .execute(&mut **tx)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets some of what is older than the log goes. Called with every attempt, so that it keeps up.
pub(super) async fn forget_old(tx: &mut TenantTx) -> Result<()> {
    sqlx::query(
        "delete from webhook_events where id in
           (select id from webhook_events where created_at < now() - $1::text::interval
            order by created_at limit 100)",
    )
    .bind(KEPT)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    event_id: EventId,
    event_type: String,
    state: String,
    attempts: Json<Vec<Attempt>>,
    next_attempt_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = Error;

    fn try_from(row: DeliveryRow) -> Result<Self> {
        use DeliveryState::{Cancelled, Delivered, Failed, Pending};
        let state = [Pending, Delivered, Failed, Cancelled]
            .into_iter()
            .find(|state| state.as_str() == row.state)
            .ok_or_else(|| Error::internal(format!("unknown state of a delivery: {}", row.state)))?;
        Ok(Self {
            event_id: row.event_id,
            event_type: row.event_type,
            state,
            attempts: row.attempts.0,
            next_attempt_at: row.next_attempt_at,
            created_at: row.created_at,
        })
    }
}

const DELIVERIES: (&str, &str) = paged!(
    select "event_id, state, attempts, next_attempt_at, created_at,
            (select e.type from webhook_events e
             where e.tenant_id = webhook_deliveries.tenant_id and e.id = event_id) as event_type"
    from "webhook_deliveries", id "event_id", cursor "webhook_deliveries where webhook_id = $1",
    where "webhook_id = $1 and ($2::uuid is null or event_id = $2) and created_at > now() - $3::text::interval",
    "$4" "$5" "$6"
);

pub(super) async fn find_delivery(
    tx: &mut TenantTx,
    webhook_id: WebhookId,
    event_id: EventId,
) -> Result<Option<Delivery>> {
    let row: Option<DeliveryRow> = sqlx::query_as(DELIVERIES.0)
        .bind(webhook_id)
        .bind(event_id)
        .bind(KEPT)
        .bind(None::<uuid::Uuid>)
        .bind(None::<uuid::Uuid>)
        .bind(1i64)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(Delivery::try_from).transpose()
}

pub(super) async fn deliveries(
    tx: &mut TenantTx,
    webhook_id: WebhookId,
    page: Page,
) -> Result<Listing<Delivery>> {
    let scan = page.scan();
    let rows: Vec<DeliveryRow> = sqlx::query_as(if scan.ascending {
        DELIVERIES.0
    } else {
        DELIVERIES.1
    })
    .bind(webhook_id)
    .bind(None::<uuid::Uuid>)
    .bind(KEPT)
    .bind(scan.from)
    .bind(scan.to)
    .bind(scan.limit)
    .fetch_all(&mut **tx)
    .await?;
    let deliveries = rows.into_iter().map(Delivery::try_from);
    Ok(scan.finish(deliveries.collect::<Result<Vec<_>>>()?))
}
