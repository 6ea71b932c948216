//! SQL of assistants.

use chrono::{DateTime, Utc};
use insula_tenancy::{AssistantId, TenantTx, VectorStoreId};

use super::{Assistant, AssistantSettings};
use crate::page::{Listing, Page, paged};
use crate::{Error, Result};

#[derive(sqlx::FromRow)]
struct Row {
    id: AssistantId,
    name: String,
    model: String,
    instructions: String,
    max_num_results: i32,
    score_threshold: f64,
    created_at: DateTime<Utc>,
    vector_store_ids: Vec<VectorStoreId>,
}

impl From<Row> for Assistant {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            created_at: row.created_at,
            settings: AssistantSettings {
                model: row.model,
                instructions: row.instructions,
                vector_store_ids: row.vector_store_ids,
                max_num_results: row.max_num_results,
                score_threshold: row.score_threshold,
            },
        }
    }
}

const PAGES: (&str, &str) = paged!(
    select "id, name, model, instructions, max_num_results, score_threshold, created_at,
            array(select s.vector_store_id from assistant_vector_stores s
                  where s.tenant_id = assistants.tenant_id and s.assistant_id = assistants.id
                  order by s.vector_store_id) as vector_store_ids"
    from "assistants", id "id", cursor "assistants where true",
    where "($1::uuid is null or id = $1) and ($2::text is null or name = $2)", "$3" "$4" "$5"
);

pub(super) async fn insert(
    tx: &mut TenantTx,
    name: &str,
    settings: &AssistantSettings,
) -> Result<AssistantId> {
    let id = AssistantId::generate();
    sqlx::query(
        "insert into assistants (id, name, model, instructions, max_num_results, score_threshold)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(name)
    .bind(&settings.model)
    .bind(&settings.instructions)
    .bind(settings.max_num_results)
    .bind(settings.score_threshold)
    .execute(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(db) if db.is_unique_violation() => {
            Error::invalid("name", format!("An assistant named '{name}' exists already."))
        }
        _ => error.into(),
    })?;
    set_stores(tx, id, &settings.vector_store_ids).await?;
    Ok(id)
}

pub(super) async fn find(
    tx: &mut TenantTx,
    id: Option<AssistantId>,
    name: Option<&str>,
) -> Result<Option<Assistant>> {
    let row: Option<Row> = sqlx::query_as(PAGES.0)
        .bind(id)
        .bind(name)
        .bind(None::<uuid::Uuid>)
        .bind(None::<uuid::Uuid>)
        .bind(1i64)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.map(Assistant::from))
}

pub(super) async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<Assistant>> {
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(None::<uuid::Uuid>)
        .bind(None::<&str>)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows.into_iter().map(Assistant::from).collect()))
}

pub(super) async fn update(tx: &mut TenantTx, id: AssistantId, settings: &AssistantSettings) -> Result<()> {
    sqlx::query(
        "update assistants set model = $2, instructions = $3, max_num_results = $4, score_threshold = $5 where id = $1",
    )
    .bind(id)
    .bind(&settings.model)
    .bind(&settings.instructions)
    .bind(settings.max_num_results)
    .bind(settings.score_threshold)
    .execute(&mut **tx)
    .await?;
    set_stores(tx, id, &settings.vector_store_ids).await
}

pub(super) async fn delete(tx: &mut TenantTx, id: AssistantId) -> Result<bool> {
    Ok(sqlx::query("delete from assistants where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?
        .rows_affected()
        > 0)
}

async fn set_stores(tx: &mut TenantTx, id: AssistantId, stores: &[VectorStoreId]) -> Result<()> {
    sqlx::query("delete from assistant_vector_stores where assistant_id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "insert into assistant_vector_stores (assistant_id, vector_store_id)
         select distinct $1::uuid, u.id from unnest($2::uuid[]) as u (id)",
    )
    .bind(id)
    .bind(stores)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
