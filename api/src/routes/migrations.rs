//! `/v1/insula/vector_stores/{id}/migrate` and `…/migrations`: another embedding model for a vector store.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use insula_core::migration::{self, Estimate, Migration, Plan, Status};
use insula_tenancy::scope_types::{VectorStoresRead, VectorStoresWrite};
use insula_tenancy::{MigrationId, VectorStoreId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::wire::{List, seconds};
use crate::app::App;
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query};

/// Another embedding model for a vector store.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MigrateVectorStoreRequest)]
pub struct MigrateVectorStore {
    /// The new embedding model.
    #[schema(example = "all-MiniLM-L6-v2")]
    pub model: String,
    /// Whether only to estimate what it would cost. Nothing is made then.
    #[schema(default = false)]
    pub dry_run: Option<bool>,
    /// Whether the store switches by itself when all vectors are there. `false`: it waits in `ready`.
    #[schema(default = true)]
    pub auto_switch: Option<bool>,
}

/// What a migration is thought to cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreMigrationEstimate)]
pub struct EstimateObject {
    /// Passages of the store.
    pub chunks: i64,
    /// How many of them `tokens` and `chunks_over_window` were counted on; exact when it is all of them.
    pub sampled_chunks: i64,
    /// Tokens to embed, by the new model's tokenizer.
    pub tokens: i64,
    /// Passages that are longer than the new model reads at once. They are embedded in pieces, whose mean stands for
    /// the passage.
    pub chunks_over_window: i64,
    /// Seconds that the new model will be busy, at the speed that this server measured of late; null if it has not
    /// been used yet.
    #[schema(required)]
    pub seconds: Option<f64>,
    /// Bytes of the new vectors.
    pub bytes: i64,
    /// What it will be charged; null while nothing has a price.
    #[schema(required)]
    pub price: Option<f64>,
}

impl From<Estimate> for EstimateObject {
    fn from(estimate: Estimate) -> Self {
        Self {
            chunks: estimate.chunks,
            sampled_chunks: estimate.sampled_chunks,
            tokens: estimate.tokens,
            chunks_over_window: estimate.chunks_over_window,
            seconds: estimate.seconds,
            bytes: estimate.bytes,
            price: None,
        }
    }
}

/// How many passages have the vector that is wanted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreMigrationProgress)]
pub struct ProgressObject {
    /// Passages that have it.
    pub done: i64,
    /// Passages of the store.
    pub total: i64,
}

/// A change of a vector store's embedding model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreMigration)]
pub struct MigrationObject {
    /// Its id, `vsm_…`; null for a dry run.
    #[schema(required)]
    pub id: Option<String>,
    /// `insula.vector_store.migration`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The store.
    pub vector_store_id: String,
    /// The model that the store had.
    pub from_model: String,
    /// The model that it shall have.
    pub to_model: String,
    /// `queued`, `embedding`, `comparing`, `ready`, `completed`, `rolling_back`, `rolled_back`, `cancelled` or
    /// `failed`; null for a dry run.
    #[schema(value_type = Option<String>, required)]
    pub status: Option<&'static str>,
    /// Whether the store switches by itself.
    pub auto_switch: bool,
    /// What it is thought to cost.
    pub estimate: EstimateObject,
    /// How far it is.
    pub progress: ProgressObject,
    /// Of the ten passages nearest to a query, the share that both models agree on, 0 to 1, over sentences of the
    /// store's own; null before it is known, or when there is nothing to compare.
    #[schema(required)]
    pub overlap_at_10: Option<f64>,
    /// Unix seconds of its making; null for a dry run.
    #[schema(required)]
    pub created_at: Option<i64>,
    /// Unix seconds of its end.
    #[schema(required)]
    pub finished_at: Option<i64>,
    /// Unix seconds until which it can be rolled back; null when it cannot.
    #[schema(required)]
    pub rollback_until: Option<i64>,
    /// What went wrong.
    #[schema(required)]
    pub last_error: Option<MigrationError>,
}

/// Why a migration, or its rollback, was given up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VectorStoreMigrationError)]
pub struct MigrationError {
    /// `server_error`
    #[schema(value_type = String)]
    pub code: &'static str,
    /// What happened, and which model the store uses.
    pub message: String,
}

const OBJECT: &str = "insula.vector_store.migration";

impl From<Migration> for MigrationObject {
    fn from(migration: Migration) -> Self {
        let until = migration
            .rollback_until
            .filter(|_| migration.status == Status::Completed);
        Self {
            id: Some(migration.id.to_string()),
            object: OBJECT,
            vector_store_id: migration.vector_store_id.to_string(),
            from_model: migration.from_model,
            to_model: migration.to_model,
            status: Some(migration.status.as_str()),
            auto_switch: migration.auto_switch,
            estimate: migration.estimate.into(),
            progress: ProgressObject {
                done: migration.done,
                total: migration.total,
            },
            overlap_at_10: migration.overlap_at_10,
            created_at: Some(seconds(migration.created_at)),
            finished_at: migration.finished_at.map(seconds),
            rollback_until: until.map(seconds),
            last_error: migration.last_error.map(|message| MigrationError {
                code: "server_error",
                message,
            }),
        }
    }
}

impl MigrationObject {
    /// What a dry run answers.
    fn planned(store_id: VectorStoreId, auto_switch: bool, plan: Plan) -> Self {
        Self {
            id: None,
            object: OBJECT,
            vector_store_id: store_id.to_string(),
            from_model: plan.from_model,
            to_model: plan.to_model,
            status: None,
            auto_switch,
            progress: ProgressObject {
                done: 0,
                total: plan.estimate.chunks,
            },
            estimate: plan.estimate.into(),
            overlap_at_10: None,
            created_at: None,
            finished_at: None,
            rollback_until: None,
            last_error: None,
        }
    }
}

/// Puts a vector store on another embedding model, in the background: searches use the old model until every passage
/// has its new vector, and the new one from then on. With `dry_run`, only estimates what it would cost.
#[utoipa::path(
    post, path = "/v1/insula/vector_stores/{vector_store_id}/migrate", operation_id = "migrate_vector_store",
    tag = "vector stores", params(("vector_store_id" = String, Path, description = "The store's id"), IdempotencyHeader),
    request_body = MigrateVectorStore, responses((status = OK, body = MigrationObject))
)]
pub async fn migrate_vector_store(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path(store_id): Path<VectorStoreId>,
    OnceJson(once, request): OnceJson<MigrateVectorStore>,
) -> ApiResult<Response> {
    let auto_switch = request.auto_switch.unwrap_or(true);
    let services = &app.services;
    // A repetition is answered before anything is judged: the store may be on the new model by now.
    let mut tx = services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    // The estimate takes its time, and no transaction is open meanwhile; the key is claimed again after it.
    drop(tx);
    let plan = migration::estimate(services, &caller, store_id, &request.model).await?;
    if request.dry_run.unwrap_or(false) {
        return Ok(Json(MigrationObject::planned(store_id, auto_switch, plan)).into_response());
    }
    let mut tx = services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let made = migration::create(
        &mut tx,
        &services.models,
        store_id,
        &request.model,
        auto_switch,
        &plan.estimate,
    )
    .await?;
    once.answer(tx, &MigrationObject::from(made)).await
}

/// Lists the migrations of a vector store.
#[utoipa::path(
    get, path = "/v1/insula/vector_stores/{vector_store_id}/migrations",
    operation_id = "list_vector_store_migrations", tag = "vector stores",
    params(("vector_store_id" = String, Path, description = "The store's id"), ListQuery),
    responses((status = OK, body = List<MigrationObject>))
)]
pub async fn list_vector_store_migrations(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path(store_id): Path<VectorStoreId>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<MigrationObject>>> {
    let page = query.page(MigrationId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = migration::list(&mut tx, store_id, page)
        .await?
        .map(MigrationObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |migration| {
        migration.id.clone().unwrap_or_default()
    })))
}

/// Describes a migration of a vector store.
#[utoipa::path(
    get, path = "/v1/insula/vector_stores/{vector_store_id}/migrations/{migration_id}",
    operation_id = "get_vector_store_migration", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("migration_id" = String, Path, description = "The migration's id, `vsm_…`"),
    ),
    responses((status = OK, body = MigrationObject))
)]
pub async fn get_vector_store_migration(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path((store_id, id)): Path<(VectorStoreId, MigrationId)>,
) -> ApiResult<Json<MigrationObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(migration::get(&mut tx, store_id, id).await?.into()))
}

/// Gives up a migration before its switch. The store keeps the old model.
#[utoipa::path(
    post, path = "/v1/insula/vector_stores/{vector_store_id}/migrations/{migration_id}/cancel",
    operation_id = "cancel_vector_store_migration", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("migration_id" = String, Path, description = "The migration's id"),
    ),
    responses((status = OK, body = MigrationObject))
)]
pub async fn cancel_vector_store_migration(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path((store_id, id)): Path<(VectorStoreId, MigrationId)>,
) -> ApiResult<Json<MigrationObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let cancelled = migration::cancel(&mut tx, store_id, id).await?;
    tx.commit().await?;
    Ok(Json(cancelled.into()))
}

/// Switches to the new model: at once if the migration is `ready` and no passage came since, else as soon as every
/// passage has its new vector.
#[utoipa::path(
    post, path = "/v1/insula/vector_stores/{vector_store_id}/migrations/{migration_id}/switch",
    operation_id = "switch_vector_store_migration", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("migration_id" = String, Path, description = "The migration's id"),
    ),
    responses((status = OK, body = MigrationObject))
)]
pub async fn switch_vector_store_migration(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path((store_id, id)): Path<(VectorStoreId, MigrationId)>,
) -> ApiResult<Json<MigrationObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let switched = migration::switch(&mut tx, store_id, id).await?;
    tx.commit().await?;
    Ok(Json(switched.into()))
}

/// Takes the store back to the old model: at once if no passage came since the switch, else as soon as those that did
/// have been embedded with it.
#[utoipa::path(
    post, path = "/v1/insula/vector_stores/{vector_store_id}/migrations/{migration_id}/rollback",
    operation_id = "roll_back_vector_store_migration", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("migration_id" = String, Path, description = "The migration's id"),
    ),
    responses((status = OK, body = MigrationObject))
)]
pub async fn roll_back_vector_store_migration(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path((store_id, id)): Path<(VectorStoreId, MigrationId)>,
) -> ApiResult<Json<MigrationObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let migration = migration::roll_back(&mut tx, &app.services.models, store_id, id).await?;
    tx.commit().await?;
    Ok(Json(migration.into()))
}

/// Gives up the way back of a completed migration before its week is over: the old vectors are removed.
#[utoipa::path(
    post, path = "/v1/insula/vector_stores/{vector_store_id}/migrations/{migration_id}/finish",
    operation_id = "finish_vector_store_migration", tag = "vector stores",
    params(
        ("vector_store_id" = String, Path, description = "The store's id"),
        ("migration_id" = String, Path, description = "The migration's id"),
    ),
    responses((status = OK, body = MigrationObject))
)]
pub async fn finish_vector_store_migration(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path((store_id, id)): Path<(VectorStoreId, MigrationId)>,
) -> ApiResult<Json<MigrationObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let finished = migration::finish(&mut tx, store_id, id).await?;
    tx.commit().await?;
    Ok(Json(finished.into()))
}
