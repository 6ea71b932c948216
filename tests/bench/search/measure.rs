//! Asking, from so many clients at once, and what that takes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use insula_tenancy::ChunkId;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::exact::AT;
use super::fill::Store;
use super::pg::{Used, used_by};
use super::{Tenant, Way, plans};

/// How long each figure is taken for.
pub(super) const FOR: Duration = Duration::from_secs(4);

/// Who is asked.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Asked {
    /// The server, over HTTP.
    Api,
    /// Postgres, with the server's own statements.
    Sql,
}

/// What it took.
pub(super) struct Taken {
    sorted: Vec<Duration>,
    took: Duration,
    /// Seconds of the processor per search: Postgres, the server.
    pub(super) postgres: f64,
    pub(super) server: f64,
}

impl Taken {
    pub(super) fn ms(&self, quantile: f64) -> f64 {
        let place = (quantile * (self.sorted.len() - 1) as f64).round() as usize;
        self.sorted[place].as_secs_f64() * 1e3
    }

    pub(super) fn rate(&self) -> f64 {
        self.sorted.len() as f64 / self.took.as_secs_f64()
    }
}

/// Searches back to back with so many clients for some seconds.
pub(super) async fn measure(
    tenant: &Tenant,
    pool: &PgPool,
    store: &Store,
    (asked, way): (Asked, Way),
    clients: usize,
) -> Result<Taken> {
    let server = tenant.server_pid;
    let (before, server_before) = (Used::now(pool).await?, used_by(server)?);
    let started = Instant::now();
    let client = async |number: usize| -> Result<Vec<Duration>> {
        let mut took = Vec::new();
        // Clients begin at different questions.
        let mut place = number * 7;
        while started.elapsed() < FOR {
            place = (place + 1) % store.questions.len();
            let began = Instant::now();
            match asked {
                Asked::Api => drop(ask(tenant, store, place, way).await?),
                Asked::Sql => plans::search(pool, tenant.id, store, place, way).await?,
            }
            took.push(began.elapsed());
        }
        Ok(took)
    };
    let mut sorted: Vec<Duration> = futures::future::try_join_all((0..clients).map(client))
        .await?
        .into_iter()
        .flatten()
        .collect();
    let took = started.elapsed();
    let searches = sorted.len() as f64;
    sorted.sort();
    Ok(Taken {
        postgres: Used::now(pool).await?.since(&before) / searches,
        server: (used_by(server)? - server_before) / searches,
        sorted,
        took,
    })
}

/// Searches over HTTP.
async fn ask(tenant: &Tenant, store: &Store, asked: usize, way: Way) -> Result<Value> {
    let text_weight = if way == Way::Hybrid { 1.0 } else { 0.0 };
    let body = json!({
        "query": store.questions[asked].text, "max_num_results": AT, "explain": true,
        "ranking_options": {"hybrid_search": {"embedding_weight": 1.0, "text_weight": text_weight}},
    });
    tenant
        .post(&format!("/vector_stores/{}/search", store.id), &body)
        .await
}

/// Asks each question once, which has it embedded.
pub(super) async fn warm(tenant: &Tenant, store: &Store) -> Result<()> {
    for asked in 0..store.questions.len() {
        ask(tenant, store, asked, Way::Vector).await?;
    }
    Ok(())
}

/// The share of the ten nearest that searches find.
pub(super) async fn recall(tenant: &Tenant, store: &Store, truth: &[Vec<ChunkId>]) -> Result<f64> {
    let (mut found, mut wanted) = (0, 0);
    for (asked, nearest) in truth.iter().enumerate() {
        let answer = ask(tenant, store, asked, Way::Vector).await?;
        let hits: HashSet<&str> = answer["data"]
            .as_array()
            .context("no results")?
            .iter()
            .filter_map(|hit| hit["chunk_id"].as_str())
            .collect();
        found += nearest
            .iter()
            .filter(|id| hits.contains(id.to_string().as_str()))
            .count();
        wanted += nearest.len();
    }
    Ok(found as f64 / wanted as f64)
}
