//! A budget's alert on its way to the tenant: a job of the tenant's tells it.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::job::{NewJob, Subject, enqueue as enqueue_job};
use crate::{Db, Result, TenantId};

/// Kind of the job that tells a tenant of an alert. Its payload is `{"alert_id": …}`.
pub const TELL_BUDGET_ALERT: &str = "tell_budget_alert";

/// Enqueues the job, unless there is one.
pub(crate) async fn enqueue(db: &Db, tenant_id: TenantId, alert_id: Uuid) -> Result<()> {
    let mut tx = db.begin_tenant(tenant_id).await?;
    enqueue_job(
        &mut tx,
        NewJob {
            kind: TELL_BUDGET_ALERT,
            payload: json!({ "alert_id": alert_id }),
            unique_key: Some(alert_id.to_string()),
            priority: 0,
            max_attempts: 5,
            delay: Duration::ZERO,
            subject: Subject::default(),
        },
    )
    .await?;
    tx.commit().await
}

/// Enqueues jobs for alerts that should long have one: the server died in between.
pub(crate) async fn sweep(db: &Db) -> Result<()> {
    let mut tx = db.system().await?;
    let forgotten: Vec<(TenantId, Uuid)> = sqlx::query_as(
        "select tenant_id, id from budget_alerts
         where told_at is null and created_at < now() - interval '1 minute' order by created_at limit 100",
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    for (tenant_id, id) in forgotten {
        enqueue(db, tenant_id, id).await?;
    }
    Ok(())
}
