//! SQL of overrides.

use insula_tenancy::TenantTx;
use sqlx::types::Json;

use super::{Override, OverrideSettings};
use crate::Result;

#[derive(sqlx::FromRow)]
struct Row {
    model: String,
    target_model: Option<String>,
    settings: Json<OverrideSettings>,
}

impl From<Row> for (String, Override) {
    fn from(row: Row) -> Self {
        let change = Override {
            target_model: row.target_model,
            settings: row.settings.0,
        };
        (row.model, change)
    }
}

pub(super) async fn all(tx: &mut TenantTx) -> Result<Vec<(String, Override)>> {
    let rows: Vec<Row> = sqlx::query_as("select model, target_model, settings from route_overrides")
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// What was set, kept from other changes until the transaction ends.
pub(super) async fn lock(tx: &mut TenantTx, model: &str) -> Result<Option<Override>> {
    let row: Option<Row> = sqlx::query_as(
        "select model, target_model, settings from route_overrides where model = $1 for update",
    )
    .bind(model)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| <(String, Override)>::from(row).1))
}

pub(super) async fn set(tx: &mut TenantTx, model: &str, change: &Override) -> Result<()> {
    sqlx::query(
        "insert into route_overrides (model, target_model, settings) values ($1, $2, $3)
         on conflict (tenant_id, model)
         do update set target_model = excluded.target_model, settings = excluded.settings, updated_at = now()",
    )
    .bind(model)
    .bind(&change.target_model)
    .bind(Json(&change.settings))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn count(tx: &mut TenantTx) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from route_overrides")
        .fetch_one(&mut **tx)
        .await?)
}

pub(super) async fn unset(tx: &mut TenantTx, model: &str) -> Result<bool> {
    let deleted = sqlx::query("delete from route_overrides where model = $1")
        .bind(model)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

pub(super) async fn has_name(tx: &mut TenantTx, model: &str) -> Result<bool> {
    let found = sqlx::query_scalar("select exists (select from route_overrides where model = $1)");
    Ok(found.bind(model).fetch_one(&mut **tx).await?)
}
