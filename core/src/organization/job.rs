//! Background work of all tenants, as far as whoever runs the install has to see it: what kinds wait, run and have failed for
//! good. What a job is about, and what was wrong with it, is its tenant's.

use chrono::{DateTime, Utc};
use insula_tenancy::{JobId, OperatorContext, OperatorTx, TenantId, tenant};

use crate::job::{self, Filter, Retried, Status};
use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result, Services};

/// Most tenants whose jobs one call sets going again.
const TENANTS_AT_ONCE: i64 = 100;

const PAGES: (&str, &str) = paged!(
    select "id, tenant_id, tenant_name, kind, state, due, attempt, max_attempts, created_at, run_at"
    from "(select j.id, j.tenant_id, coalesce(t.title, t.name) as tenant_name, j.kind, j.state, j.due, j.attempt,
                  j.max_attempts, j.created_at, j.run_at
           from jobs j join tenants t on t.id = j.tenant_id) of_all",
    id "id", cursor "jobs where true",
    where "state = $1 and ($2::text is null or kind = $2) and ($3::uuid is null or tenant_id = $3)",
    "$4" "$5" "$6"
);

/// A piece of background work of some tenant's.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OperatorJob {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What people call the tenant.
    pub tenant_name: String,
    /// What it does.
    pub kind: String,
    state: String,
    due: bool,
    /// How often it was started.
    pub attempt: i32,
    /// How often it may be started.
    pub max_attempts: i32,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it is, or was, to be started.
    pub run_at: DateTime<Utc>,
}

impl OperatorJob {
    /// Where it stands.
    pub fn status(&self) -> Status {
        match (self.state.as_str(), self.due) {
            ("ready", true) => Status::Queued,
            ("ready", false) => Status::Scheduled,
            ("running", _) => Status::Running,
            ("dead", _) => Status::Dead,
            ("cancelled", _) => Status::Cancelled,
            _ => Status::Succeeded,
        }
    }
}

/// Which jobs are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorFilter {
    /// Where they stand; those that wait for their time count as queued.
    pub status: Status,
    /// What they do; `None`: anything.
    pub kind: Option<String>,
    /// Whose; `None`: anybody's.
    pub tenant_id: Option<TenantId>,
}

/// A part of the jobs.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is no job.
pub async fn list(tx: &mut OperatorTx, filter: &OperatorFilter, page: Page) -> Result<Listing<OperatorJob>> {
    for (param, id) in page.cursors() {
        let known: bool = sqlx::query_scalar("select exists (select from jobs where id = $1)")
            .bind(id)
            .fetch_one(&mut **tx)
            .await?;
        if !known {
            return Err(unknown_cursor(param, "a job"));
        }
    }
    let state = match filter.status {
        Status::Queued | Status::Scheduled => "ready",
        Status::Running => "running",
        Status::Succeeded => "done",
        Status::Dead => "dead",
        Status::Cancelled => "cancelled",
    };
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(state)
        .bind(&filter.kind)
        .bind(filter.tenant_id)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}

/// Sets dead jobs going again, of one tenant or of all that have some. Each tenant's are its own affair: those whose subject
/// is gone stay dead.
///
/// # Errors
/// [`Error::NotFound`] for a tenant that there is not; when the database is away.
pub async fn retry_dead(
    services: &Services,
    operator: &OperatorContext,
    kind: Option<&str>,
    of: Option<TenantId>,
) -> Result<Retried> {
    let mut tx = services.db.operator_by(operator).await?;
    if let Some(id) = of
        && tenant::find(&mut tx, &id.to_string()).await?.is_none()
    {
        return Err(Error::not_found("tenant", id).about("tenant_id"));
    }
    let tenants: Vec<TenantId> = sqlx::query_scalar(
        "select tenant_id from jobs
         where state = 'dead' and ($1::text is null or kind = $1) and ($2::uuid is null or tenant_id = $2)
         group by tenant_id order by min(created_at) limit $3",
    )
    .bind(kind)
    .bind(of)
    .bind(TENANTS_AT_ONCE + 1)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let most = usize::try_from(TENANTS_AT_ONCE).unwrap_or(usize::MAX);
    let mut all = Retried {
        has_more: tenants.len() > most,
        ..Retried::default()
    };
    let filter = Filter {
        kind: kind.map(str::to_owned),
        ..Filter::default()
    };
    for tenant in tenants.into_iter().take(most) {
        let retried = job::retry_dead(services, &operator.upkeep(tenant), &filter).await?;
        all.retried += retried.retried;
        all.skipped += retried.skipped;
        all.has_more |= retried.has_more;
    }
    Ok(all)
}
