//! Slices in the database. Each function is one short transaction of the tenant's.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::share::slice;
use super::{Metric, Subject};
use crate::server::EXPIRY_SECONDS;
use crate::{Db, Result};

/// What a server got of a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// Ours.
    pub(super) granted: i64,
    /// What nobody has taken yet.
    pub(super) left: i64,
    /// When the minute ends.
    pub(super) ends_at: DateTime<Utc>,
    /// How long that is from now, in microseconds.
    pub(super) ends_in_us: i64,
}

/// Takes a slice of the minute that runs, at least `need` if so much is left; or begins one.
pub(super) async fn take(
    db: &Db,
    subject: &Subject,
    metric: Metric,
    limit: i64,
    need: i64,
    servers: i64,
) -> Result<Taken> {
    let mut tx = db.begin_tenant_in_passing(subject.tenant_id).await?;
    sqlx::query(
        "insert into limit_windows (subject_kind, subject, metric, ends_at, taken)
         values ($1, $2, $3, now() + interval '1 minute', 0) on conflict do nothing",
    )
    .bind(subject.kind)
    .bind(&subject.name)
    .bind(metric.as_str())
    .execute(&mut *tx)
    .await?;
    // Waits for whoever has the row; the clock is read after that.
    let (taken, ends_at): (i64, DateTime<Utc>) = sqlx::query_as(
        "select taken, ends_at from limit_windows
         where subject_kind = $1 and subject = $2 and metric = $3 for update",
    )
    .bind(subject.kind)
    .bind(&subject.name)
    .bind(metric.as_str())
    .fetch_one(&mut *tx)
    .await?;
    let now: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(&mut *tx)
        .await?;
    let (taken, ends_at) = if ends_at <= now {
        (0, now + chrono::TimeDelta::minutes(1))
    } else {
        (taken, ends_at)
    };
    let left = (limit - taken).max(0);
    let granted = if need > left {
        0
    } else {
        slice(left, servers, need).min(left)
    };
    sqlx::query(
        "update limit_windows set taken = $4, ends_at = $5
         where subject_kind = $1 and subject = $2 and metric = $3",
    )
    .bind(subject.kind)
    .bind(&subject.name)
    .bind(metric.as_str())
    .bind(taken + granted)
    .bind(ends_at)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Taken {
        granted,
        left: left - granted,
        ends_at,
        ends_in_us: (ends_at - now).num_microseconds().unwrap_or(0),
    })
}

/// Gives back what was not used of a minute, if it still runs.
pub(super) async fn give_back(
    db: &Db,
    subject: &Subject,
    metric: Metric,
    ends_at: DateTime<Utc>,
    unused: i64,
) -> Result<()> {
    let mut tx = db.begin_tenant_in_passing(subject.tenant_id).await?;
    sqlx::query(
        "update limit_windows set taken = greatest(0, taken - $5)
         where subject_kind = $1 and subject = $2 and metric = $3 and ends_at = $4",
    )
    .bind(subject.kind)
    .bind(&subject.name)
    .bind(metric.as_str())
    .bind(ends_at)
    .bind(unused)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// Asks for calls at once: `need` more than `held`. What the server may hold from now on; not more than `held` when
/// others hold the rest.
pub(super) async fn hold(
    db: &Db,
    subject: &Subject,
    server_id: Uuid,
    limit: i64,
    held: i64,
    servers: i64,
) -> Result<i64> {
    let mut tx = db.begin_tenant_in_passing(subject.tenant_id).await?;
    // Servers that ask for the same limit go one after the other: each must see what the one before got.
    sqlx::query(
        "select pg_advisory_xact_lock(hashtextextended(current_tenant_id()::text || $1 || ':' || $2, 7310596433))",
    )
    .bind(subject.kind.as_str())
    .bind(&subject.name)
    .execute(&mut *tx)
    .await?;
    let others: i64 = sqlx::query_scalar(
        "select coalesce(sum(held), 0)::bigint from limit_slices
         where subject_kind = $1 and subject = $2 and server_id <> $3 and expires_at > clock_timestamp()",
    )
    .bind(subject.kind)
    .bind(&subject.name)
    .bind(server_id)
    .fetch_one(&mut *tx)
    .await?;
    let left = (limit - others - held).max(0);
    let granted = slice(left, servers, 1).min(left);
    write(&mut tx, subject, server_id, held + granted).await?;
    tx.commit().await?;
    Ok(held + granted)
}

/// Says that the server holds only so much from now on.
pub(super) async fn keep(db: &Db, subject: &Subject, server_id: Uuid, held: i64) -> Result<()> {
    let mut tx = db.begin_tenant_in_passing(subject.tenant_id).await?;
    write(&mut tx, subject, server_id, held).await?;
    tx.commit().await
}

async fn write(tx: &mut crate::TenantTx, subject: &Subject, server_id: Uuid, held: i64) -> Result<()> {
    sqlx::query(
        "insert into limit_slices (subject_kind, subject, server_id, held, expires_at)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5))
         on conflict (tenant_id, subject_kind, subject, server_id)
           do update set held = excluded.held, expires_at = excluded.expires_at",
    )
    .bind(subject.kind)
    .bind(&subject.name)
    .bind(server_id)
    .bind(held)
    .bind(EXPIRY_SECONDS)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
