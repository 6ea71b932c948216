//! Handing out leases.

use std::sync::Arc;
use std::time::Duration;

use super::Lease;
use crate::db::Unit;
use crate::{Actor, Db, JobId, Result, Scope, TenantContext, TenantId, new_uuid};

/// Takes leases for one worker process.
#[derive(Debug, Clone)]
pub struct Leaser {
    db: Db,
    worker: String,
    /// How long a lease lasts without a heartbeat.
    pub lease_for: Duration,
    /// Most jobs of one tenant that run at once, over all workers, of the kinds that are leased together.
    pub tenant_cap: i32,
}

#[derive(sqlx::FromRow)]
struct LeasedRow {
    tenant_id: TenantId,
    id: JobId,
    kind: String,
    attempt: i32,
    max_attempts: i32,
    exhausted: bool,
}

/// Which jobs to run next. `queues` steps from tenant to tenant through the index of what is due, without reading what
/// lies between; of each tenant no more rows are read than it may start. Tenants with the least running come first, and
/// among those the one that has waited longest.
const CLAIM: &str = "
  with recursive queues as (
    select k.kind, (select j.tenant_id from jobs j where j.kind = k.kind and j.state = 'ready' and j.due
                    order by j.tenant_id limit 1) as tenant_id
    from unnest($1::text[]) k (kind)
    union all
    select q.kind, (select j.tenant_id from jobs j where j.kind = q.kind and j.state = 'ready' and j.due
                      and j.tenant_id > q.tenant_id
                    order by j.tenant_id limit 1)
    from queues q where q.tenant_id is not null
  ),
  busy as (
    select tenant_id, count(*)::int as n from jobs
    where state = 'running' and lease_until >= now() and kind = any ($1) group by tenant_id
  ),
  candidates as (
    select q.tenant_id, j.id, j.priority, j.run_at
    from queues q left join busy b using (tenant_id)
    cross join lateral (
      select id, priority, run_at from jobs
      where kind = q.kind and tenant_id = q.tenant_id and state = 'ready' and due
      order by priority desc, run_at, id limit least(greatest($2 - coalesce(b.n, 0), 0), $3)
    ) j
    where q.tenant_id is not null
    union all
    select tenant_id, id, priority, run_at from jobs
    where state = 'running' and lease_until < now() and kind = any ($1)
  ),
  ranked as (
    select c.tenant_id, c.id, c.run_at, coalesce(b.n, 0) + row_number() over
           (partition by c.tenant_id order by c.priority desc, c.run_at, c.id) as place
    from candidates c left join busy b using (tenant_id)
  ),
  chosen as (
    select tenant_id, id from ranked where place <= $2 order by place, run_at, id limit $3
  )
  update jobs j
  set state = 'running', lease_token = $4, lease_until = now() + make_interval(secs => $5), worker = $6,
      attempt = least(j.attempt + 1, j.max_attempts + 1), started_at = now(),
      stage = null, progress_done = null, progress_total = null
  from chosen c
  where j.tenant_id = c.tenant_id and j.id = c.id
    -- Asked again of the row's newest version: it may have been finished since the snapshot.
    and (j.state = 'ready' or j.state = 'running' and j.lease_until < now())
  returning j.tenant_id, j.id, j.kind, j.attempt, j.max_attempts, j.attempt > j.max_attempts as exhausted";

impl Leaser {
    /// A leaser for the worker called `worker` (for people; leases are told apart by token).
    pub fn new(db: Db, worker: impl Into<String>) -> Self {
        Self {
            db,
            worker: worker.into(),
            lease_for: Duration::from_secs(30),
            tenant_cap: 4,
        }
    }

    /// Leases up to `limit` jobs of the given kinds, fairly between tenants. Kinds that are leased together share the
    /// tenant's cap; within a tenant, priority and then age decide between them.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn lease(&self, kinds: &[&str], limit: i64) -> Result<Vec<Lease>> {
        let mut tx = self.db.system().await?;
        // One claimer at a time, or two workers would each count the other's claims as not yet running.
        sqlx::query("select pg_advisory_xact_lock(7310596433)")
            .execute(&mut *tx)
            .await?;
        promote(&mut tx).await?;
        let token = new_uuid();
        let rows: Vec<LeasedRow> = sqlx::query_as(CLAIM)
            // Planned with the values at hand: a generic plan does not know that `limit` is small, and reads the table.
            .persistent(false)
            .bind(kinds)
            .bind(self.tenant_cap)
            .bind(limit)
            .bind(token)
            .bind(self.lease_for.as_secs_f64())
            .bind(&self.worker)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(rows
            .into_iter()
            .map(|row| Lease {
                cx: TenantContext::new(row.tenant_id, Actor::Job(row.id), Arc::from(Scope::ALL)),
                id: row.id,
                kind: row.kind,
                attempt: row.attempt,
                max_attempts: row.max_attempts,
                exhausted: row.exhausted,
                token,
                told: Arc::default(),
            })
            .collect())
    }

    /// Extends a lease. `false` means that it was lost: stop working, nothing can be written any more.
    ///
    /// # Errors
    /// When the database is away; the lease may still hold.
    pub async fn heartbeat(&self, lease: &Lease) -> Result<bool> {
        let mut tx = self.db.system().await?;
        let done = sqlx::query(
            "update jobs set lease_until = now() + make_interval(secs => $4)
             where tenant_id = $1 and id = $2 and lease_token = $3 and state = 'running'",
        )
        .bind(lease.cx.tenant_id())
        .bind(lease.id)
        .bind(lease.token)
        .bind(self.lease_for.as_secs_f64())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives a job back as if it had not been started: the worker shuts down.
    ///
    /// # Errors
    /// When the database is away; the lease then runs out by itself.
    pub async fn release(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.db.system().await?;
        sqlx::query(
            "update jobs set state = 'ready', attempt = attempt - 1, lease_token = null, lease_until = null,
                    started_at = null, stage = null, progress_done = null, progress_total = null
             where tenant_id = $1 and id = $2 and lease_token = $3 and state = 'running'",
        )
        .bind(lease.cx.tenant_id())
        .bind(lease.id)
        .bind(lease.token)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

/// Makes due what has waited for its time. A flood of them is spread over several claims.
async fn promote(tx: &mut Unit) -> Result<()> {
    sqlx::query(
        "update jobs set due = true where (tenant_id, id) in (
           select tenant_id, id from jobs where state = 'ready' and not due and run_at <= now()
           order by run_at limit 500
         ) and state = 'ready'",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
