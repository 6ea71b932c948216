//! `/v1/insula/operator/health`: how the install is.

use axum::extract::State;
use insula_core::organization::health::{self, QueueHealth, ServerHealth};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiResult, Json, Operator};
use crate::routes::wire::seconds;

/// The database, as this server sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatabaseHealth {
    /// How long a question takes, in milliseconds.
    pub latency_ms: f64,
    /// This server's connections.
    pub connections: u32,
    /// Of those, how many nobody uses.
    pub idle: usize,
}

/// Work of one kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueueHealth)]
pub struct QueueObject {
    /// What it does, for example `ingest_file`.
    pub kind: String,
    /// Jobs that wait, those that wait for their time included.
    pub waiting: i64,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that failed for good.
    pub dead: i64,
    /// For how long the job has waited whose time came first; null: none waits.
    #[schema(required)]
    pub oldest_waiting_seconds: Option<i64>,
}

/// A process that serves or works.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerHealth)]
pub struct ServerObject {
    /// Its id, new at each start.
    pub id: String,
    /// Unix seconds of its start.
    pub started_at: i64,
    /// Unix seconds of its last sign of life.
    pub seen_at: i64,
}

/// A local model that is loaded.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoadedModel {
    /// Its name.
    pub id: String,
    /// `embedding`, `rerank` or `moderation`.
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// Length of its vectors; null: it makes none.
    #[schema(required)]
    pub dimensions: Option<usize>,
}

/// How the install is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InstallHealth)]
pub struct HealthObject {
    /// `insula.health`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The version of this server.
    #[schema(value_type = String)]
    pub version: &'static str,
    /// The database.
    pub database: DatabaseHealth,
    /// Work that is not done, by its kind.
    pub queue: Vec<QueueObject>,
    /// Processes that have been heard of in the last minute.
    pub servers: Vec<ServerObject>,
    /// Models that this server computes.
    pub models: Vec<LoadedModel>,
}

impl From<QueueHealth> for QueueObject {
    fn from(queue: QueueHealth) -> Self {
        Self {
            kind: queue.kind,
            waiting: queue.waiting,
            running: queue.running,
            dead: queue.dead,
            oldest_waiting_seconds: queue.oldest_waiting_seconds,
        }
    }
}

impl From<ServerHealth> for ServerObject {
    fn from(server: ServerHealth) -> Self {
        Self {
            id: server.id.simple().to_string(),
            started_at: seconds(server.started_at),
            seen_at: seconds(server.seen_at),
        }
    }
}

/// Tells how the install is: the database, what waits, who works, what is loaded.
///
/// The live state of routes and their targets is at `/v1/insula/operator/routes`.
#[utoipa::path(
    get, path = "/v1/insula/operator/health", operation_id = "get_install_health", tag = "operator",
    responses((status = OK, body = HealthObject))
)]
pub async fn get_install_health(operator: Operator, State(app): State<App>) -> ApiResult<Json<HealthObject>> {
    let health = health::look(&app.services, &operator).await?;
    let models = &app.services.models;
    let embedders = models.embedders().map(|(name, model)| LoadedModel {
        id: name.to_owned(),
        kind: "embedding",
        dimensions: Some(model.embedder.card().dimensions),
    });
    let judges = |kind, ids: Vec<String>| {
        ids.into_iter().map(move |id| LoadedModel {
            id,
            kind,
            dimensions: None,
        })
    };
    let (connections, idle) = health.connections;
    Ok(Json(HealthObject {
        object: "insula.health",
        version: env!("CARGO_PKG_VERSION"),
        database: DatabaseHealth {
            latency_ms: health.database_ms,
            connections,
            idle,
        },
        queue: health.queue.into_iter().map(Into::into).collect(),
        servers: health.servers.into_iter().map(Into::into).collect(),
        models: embedders
            .chain(judges("rerank", models.reranker_ids()))
            .chain(judges("moderation", models.moderator_ids()))
            .collect(),
    }))
}
