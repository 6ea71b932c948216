//! How the install is, for whoever runs it.

use std::time::Instant;

use chrono::{DateTime, Utc};
use insula_tenancy::{OperatorContext, OperatorTx};
use uuid::Uuid;

use crate::{Result, Services};

/// What waits and runs, of one kind of work.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct QueueHealth {
    /// What it does.
    pub kind: String,
    /// Jobs that wait, those that wait for their time included.
    pub waiting: i64,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that failed for good and were not removed yet.
    pub dead: i64,
    /// For how many seconds the job has waited whose time came first.
    pub oldest_waiting_seconds: Option<i64>,
}

/// A process that serves or works.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ServerHealth {
    /// Its id, new at each start.
    pub id: Uuid,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it last said that it lives.
    pub seen_at: DateTime<Utc>,
}

/// How the install is.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// How long a question to the database takes, in milliseconds.
    pub database_ms: f64,
    /// This server's connections, and how many of them are idle.
    pub connections: (u32, usize),
    /// Work that is not done, by its kind.
    pub queue: Vec<QueueHealth>,
    /// Processes that have been heard of in the last minute.
    pub servers: Vec<ServerHealth>,
}

/// Looks how the install is.
///
/// # Errors
/// When the database is away.
pub async fn look(services: &Services, operator: &OperatorContext) -> Result<Health> {
    let asked = Instant::now();
    services.db.ping().await?;
    let database_ms = asked.elapsed().as_secs_f64() * 1e3;
    let mut tx = services.db.operator_by(operator).await?;
    Ok(Health {
        database_ms,
        connections: services.db.connections(),
        queue: queue(&mut tx).await?,
        servers: servers(&mut tx).await?,
    })
}

async fn queue(tx: &mut OperatorTx) -> Result<Vec<QueueHealth>> {
    Ok(sqlx::query_as(
        "select kind, count(*) filter (where state = 'ready') as waiting,
                count(*) filter (where state = 'running') as running, count(*) filter (where state = 'dead') as dead,
                greatest(extract(epoch from now() - min(run_at) filter (where state = 'ready')), 0)::bigint
                  as oldest_waiting_seconds
         from jobs where state in ('ready', 'running', 'dead') group by kind order by kind",
    )
    .fetch_all(&mut **tx)
    .await?)
}

async fn servers(tx: &mut OperatorTx) -> Result<Vec<ServerHealth>> {
    Ok(sqlx::query_as(
        "select id, started_at, seen_at from servers where seen_at > now() - interval '1 minute' order by started_at, id",
    )
    .fetch_all(&mut **tx)
    .await?)
}
