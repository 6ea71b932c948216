//! SQL of migrations. Whoever writes holds the store's lock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use insula_tenancy::{MigrationId, TenantTx, VectorStoreId};
use sqlx::types::Json;

use super::{Estimate, Migration, Status};
use crate::page::{Listing, Page, paged};
use crate::{Error, Result};

/// How long a migration can be taken back, as SQL's interval.
const KEPT: &str = "7 days";

#[derive(sqlx::FromRow)]
struct Row {
    id: MigrationId,
    vector_store_id: VectorStoreId,
    from_model_id: i32,
    to_model_id: i32,
    from_model: String,
    to_model: String,
    from_dimensions: i32,
    to_dimensions: i32,
    status: String,
    auto_switch: bool,
    estimate: Json<Estimate>,
    done: i64,
    total: i64,
    overlap_at_10: Option<f64>,
    last_error: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    rollback_until: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Migration {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let dimensions = |stored: i32| usize::try_from(stored).map_err(Error::internal);
        Ok(Self {
            id: row.id,
            vector_store_id: row.vector_store_id,
            from_model: row.from_model,
            to_model: row.to_model,
            status: row
                .status
                .parse()
                .map_err(|error: String| Error::internal(error))?,
            auto_switch: row.auto_switch,
            estimate: row.estimate.0,
            done: row.done,
            total: row.total,
            overlap_at_10: row.overlap_at_10,
            created_at: row.created_at,
            finished_at: row.finished_at,
            rollback_until: row.rollback_until,
            last_error: row.last_error,
            from_model_id: row.from_model_id,
            to_model_id: row.to_model_id,
            from_dimensions: dimensions(row.from_dimensions)?,
            to_dimensions: dimensions(row.to_dimensions)?,
        })
    }
}

const PAGES: (&str, &str) = paged!(
    select "id, vector_store_id, from_model_id, to_model_id, status, auto_switch, estimate, done, total,
            overlap_at_10, last_error, created_at, finished_at, rollback_until,
            f.name as from_model, f.dimensions as from_dimensions, t.name as to_model, t.dimensions as to_dimensions"
    from "store_migrations
          cross join lateral (select name, dimensions from embedding_models m where m.id = from_model_id) f
          cross join lateral (select name, dimensions from embedding_models m where m.id = to_model_id) t",
    id "id", cursor "store_migrations where vector_store_id = $1",
    where "vector_store_id = $1 and ($2::uuid is null or id = $2)", "$3" "$4" "$5"
);

pub(super) async fn find(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    id: MigrationId,
) -> Result<Option<Migration>> {
    let row: Option<Row> = sqlx::query_as(PAGES.0)
        .bind(store_id)
        .bind(id)
        .bind(None::<uuid::Uuid>)
        .bind(None::<uuid::Uuid>)
        .bind(1i64)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(Migration::try_from).transpose()
}

pub(super) async fn list(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    page: Page,
) -> Result<Listing<Migration>> {
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(store_id)
        .bind(None::<uuid::Uuid>)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    let migrations = rows
        .into_iter()
        .map(Migration::try_from)
        .collect::<Result<Vec<_>>>()?;
    Ok(scan.finish(migrations))
}

/// The store's migration that goes on or can be taken back, if there is one.
pub(super) async fn open(tx: &mut TenantTx, store_id: VectorStoreId) -> Result<Option<Migration>> {
    let id: Option<MigrationId> = sqlx::query_scalar(
        "select id from store_migrations
         where vector_store_id = $1
           and (status in ('queued', 'embedding', 'comparing', 'ready', 'rolling_back') or rollback_until is not null)",
    )
    .bind(store_id)
    .fetch_optional(&mut **tx)
    .await?;
    match id {
        Some(id) => find(tx, store_id, id).await,
        None => Ok(None),
    }
}

/// Whether an open migration of the store needs the vectors of a model.
pub(super) async fn needs(tx: &mut TenantTx, store_id: VectorStoreId, model_id: i32) -> Result<bool> {
    let open = open(tx, store_id).await?;
    Ok(open.is_some_and(|open| [open.from_model_id, open.to_model_id].contains(&model_id)))
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    from_model_id: i32,
    to_model_id: i32,
    auto_switch: bool,
    estimate: &Estimate,
) -> Result<MigrationId> {
    let id = MigrationId::generate();
    sqlx::query(
        "insert into store_migrations (id, vector_store_id, from_model_id, to_model_id, auto_switch, estimate)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(store_id)
    .bind(from_model_id)
    .bind(to_model_id)
    .bind(auto_switch)
    .bind(Json(estimate))
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

/// Another state that is not an end.
pub(super) async fn set_status(tx: &mut TenantTx, id: MigrationId, status: Status) -> Result<()> {
    sqlx::query(
        "update store_migrations set status = $2, finished_at = null, last_error = null where id = $1",
    )
    .bind(id)
    .bind(status.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// An end. The way back is closed unless [`keep_old_vectors`] opens it.
pub(super) async fn finish(
    tx: &mut TenantTx,
    id: MigrationId,
    status: Status,
    error: Option<&str>,
) -> Result<()> {
    sqlx::query(
        "update store_migrations set status = $2, finished_at = now(), rollback_until = null, last_error = $3
         where id = $1",
    )
    .bind(id)
    .bind(status.as_str())
    .bind(error)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn set_auto_switch(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    sqlx::query("update store_migrations set auto_switch = true where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Sets the progress; the total is the store's number of chunks.
pub(super) async fn set_done(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    id: MigrationId,
    done: i64,
) -> Result<()> {
    sqlx::query(
        "update store_migrations m set done = $3, total = s.chunk_count
         from vector_stores s where s.id = $1 and m.id = $2",
    )
    .bind(store_id)
    .bind(id)
    .bind(done)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Adds to the progress. How much is done now, of how much.
pub(super) async fn add_done(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    id: MigrationId,
    more: i64,
) -> Result<(i64, i64)> {
    Ok(sqlx::query_as(
        "update store_migrations m set done = least(done + $3, s.chunk_count), total = s.chunk_count
         from vector_stores s where s.id = $1 and m.id = $2
         returning m.done, m.total",
    )
    .bind(store_id)
    .bind(id)
    .bind(more)
    .fetch_one(&mut **tx)
    .await?)
}

pub(super) async fn set_overlap(tx: &mut TenantTx, id: MigrationId, overlap: f64) -> Result<()> {
    sqlx::query("update store_migrations set overlap_at_10 = $2 where id = $1")
        .bind(id)
        .bind(overlap)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn note_switch(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    sqlx::query("update store_migrations set switched_at = now() where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Opens the way back of a completed migration. For how long.
pub(super) async fn keep_old_vectors(tx: &mut TenantTx, id: MigrationId) -> Result<Duration> {
    let seconds: f64 = sqlx::query_scalar(
        "update store_migrations set rollback_until = now() + $2::text::interval where id = $1
         returning extract(epoch from rollback_until - now())::float8",
    )
    .bind(id)
    .bind(KEPT)
    .fetch_one(&mut **tx)
    .await?;
    Duration::try_from_secs_f64(seconds).map_err(Error::internal)
}

/// Closes the way back of a completed migration.
pub(super) async fn give_up_rollback(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    sqlx::query("update store_migrations set rollback_until = null where id = $1 and status = 'completed'")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// For how long the way back of a completed migration is still open; `None` if it is not.
pub(super) async fn kept_for(tx: &mut TenantTx, id: MigrationId) -> Result<Option<Duration>> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from rollback_until - now())::float8 from store_migrations
         where id = $1 and status = 'completed' and rollback_until > now()",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    seconds
        .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(Error::internal))
        .transpose()
}

/// How long searches that began before the switch may still need the vectors that it left.
pub(super) async fn still_read_for(
    tx: &mut TenantTx,
    id: MigrationId,
    longest: Duration,
) -> Result<Duration> {
    let seconds: f64 = sqlx::query_scalar(
        "select greatest(0, coalesce($2 - extract(epoch from now() - switched_at), 0))::float8
         from store_migrations where id = $1",
    )
    .bind(id)
    .bind(longest.as_secs_f64())
    .fetch_one(&mut **tx)
    .await?;
    Duration::try_from_secs_f64(seconds).map_err(Error::internal)
}

/// The vectors of the model that lost are gone.
pub(super) async fn note_cleaned(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    sqlx::query("update store_migrations set cleaned_at = now() where id = $1 and cleaned_at is null")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
