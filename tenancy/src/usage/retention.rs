//! How long a tenant's events are kept.

use serde_json::json;

use crate::audit::{Act, Event, record};
use crate::{Error, Result, TenantTx};

/// Days that the tenant's events are kept; `None`: for ever.
///
/// # Errors
/// When the database is away.
pub async fn retention(tx: &mut TenantTx) -> Result<Option<i32>> {
    Ok(sqlx::query_scalar("select days from usage_retention")
        .fetch_optional(&mut **tx)
        .await?)
}

/// Sets for how many days the tenant's events are kept, 1..=3650; `None`: for ever. The hourly sums stay.
///
/// # Errors
/// [`Error::Invalid`] for another number of days.
pub async fn set_retention(tx: &mut TenantTx, days: Option<i32>) -> Result<()> {
    if days.is_some_and(|days| !(1..=3650).contains(&days)) {
        return Err(Error::Invalid("must be 1 to 3650 days".into()));
    }
    let before = retention(tx).await?;
    match days {
        None => sqlx::query("delete from usage_retention"),
        Some(days) => sqlx::query(
            "insert into usage_retention (days) values ($1)
             on conflict (tenant_id) do update set days = excluded.days",
        )
        .bind(days),
    }
    .execute(&mut **tx)
    .await?;
    let act = Act::new(Event::UsageRetentionUpdated, tx.tenant_id());
    record(tx, act.changed(json!({"days": before}), json!({"days": days}))).await
}

/// Removes at most `most` events that are older than the tenant keeps them. How many there were.
///
/// # Errors
/// When the database is away.
pub async fn sweep(tx: &mut TenantTx, most: i64) -> Result<u64> {
    let done = sqlx::query(
        "delete from usage_events e using (
           select tenant_id, started_at, id from usage_events
           where started_at < now() - make_interval(days => (select days from usage_retention))
           order by started_at limit $1
         ) old
         where e.tenant_id = old.tenant_id and e.started_at = old.started_at and e.id = old.id",
    )
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}
