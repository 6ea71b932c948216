//! Probes. They need no key and tell nothing but the state.

use std::time::Duration;

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::Json;

/// State of the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok` or `unavailable`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// What is checked, and what came of it; empty for the liveness probe.
    pub checks: Vec<Check>,
}

/// One thing that is needed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthCheck)]
pub struct Check {
    /// `database` or `embedding_model`.
    #[schema(value_type = String)]
    pub name: &'static str,
    /// Whether it is there.
    pub ok: bool,
}

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Whether the process runs.
#[utoipa::path(
    get, path = "/health/live", operation_id = "get_liveness", tag = "health", security(()),
    responses((status = OK, body = Health))
)]
pub async fn get_liveness() -> Json<Health> {
    Json(Health {
        status: "ok",
        checks: Vec::new(),
    })
}

/// Whether the server can answer requests: the database is there and a model is loaded.
#[utoipa::path(
    get, path = "/health/ready", operation_id = "get_readiness", tag = "health", security(()),
    responses((status = OK, body = Health), (status = SERVICE_UNAVAILABLE, body = Health))
)]
pub async fn get_readiness(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let database = match tokio::time::timeout(PATIENCE, app.services.db.ping()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            false
        }
        Err(_) => {
            tracing::warn!("not ready: the database does not answer in time");
            false
        }
    };
    let embedding_model = app.services.models.default_embedder().is_ok();
    let checks = vec![
        Check {
            name: "database",
            ok: database,
        },
        Check {
            name: "embedding_model",
            ok: embedding_model,
        },
    ];
    if checks.iter().all(|check| check.ok) {
        (StatusCode::OK, Json(Health { status: "ok", checks }))
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(Health {
                status: "unavailable",
                checks,
            }),
        )
    }
}
