//! What is done to the server.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::corpus::{self, Rng};
use crate::server::Server;

/// What an ingestion came to.
pub(crate) struct Ingested {
    pub(crate) store_id: String,
    pub(crate) chunks: usize,
    pub(crate) tokens: usize,
    pub(crate) took: Duration,
    /// Some of the chunks, for the bare model.
    pub(crate) sample: Vec<String>,
}

/// Uploads the documents and waits until all are searchable.
pub(crate) async fn ingest(server: &Server, documents: &[String]) -> Result<Ingested> {
    let url = |path: &str| format!("{}{path}", server.base_url);
    let store = server
        .call(
            server
                .http
                .post(url("/vector_stores"))
                .json(&json!({ "name": "bench" })),
        )
        .await?;
    let store_id = store["id"].as_str().context("no store id")?.to_owned();
    let started = Instant::now();
    let mut file_ids = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        let part = reqwest::multipart::Part::text(document.clone()).file_name(format!("{number}.txt"));
        let form = reqwest::multipart::Form::new()
            .text("purpose", "assistants")
            .part("file", part);
        let file = server
            .call(server.http.post(url("/files")).multipart(form))
            .await?;
        let file_id = file["id"].as_str().context("no file id")?.to_owned();
        let attach = json!({ "file_id": file_id });
        server
            .call(
                server
                    .http
                    .post(url(&format!("/vector_stores/{store_id}/files")))
                    .json(&attach),
            )
            .await?;
        file_ids.push(file_id);
    }
    loop {
        let store = server
            .call(server.http.get(url(&format!("/vector_stores/{store_id}"))))
            .await?;
        anyhow::ensure!(store["file_counts"]["failed"] == 0, "a document failed: {store}");
        if store["file_counts"]["in_progress"] == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let took = started.elapsed();
    let (mut chunks, mut sample) = (0, Vec::new());
    for file_id in &file_ids {
        let path = format!("/vector_stores/{store_id}/files/{file_id}/content");
        let content = server.call(server.http.get(url(&path))).await?;
        let texts = content["data"].as_array().context("no content")?;
        chunks += texts.len();
        if sample.len() < 1000 {
            sample.extend(
                texts
                    .iter()
                    .filter_map(|part| part["text"].as_str())
                    .map(str::to_owned),
            );
        }
    }
    let counted = server
        .call(server.http.post(url("/embeddings")).json(&json!({
            "model": "all-MiniLM-L6-v2", "input": sample.iter().take(200).collect::<Vec<_>>()
        })))
        .await?;
    let tokens = counted["usage"]["prompt_tokens"].as_u64().context("no usage")? as usize;
    Ok(Ingested {
        store_id,
        chunks,
        tokens: tokens * chunks / sample.len().clamp(1, 200),
        took,
        sample,
    })
}

/// How long searches took.
pub(crate) struct Latencies {
    sorted: Vec<Duration>,
    took: Duration,
}

impl Latencies {
    pub(crate) fn quantile(&self, quantile: f64) -> Duration {
        let place = (quantile * (self.sorted.len() - 1) as f64).round() as usize;
        self.sorted[place]
    }

    /// Searches per second.
    pub(crate) fn rate(&self) -> f64 {
        self.sorted.len() as f64 / self.took.as_secs_f64()
    }
}

/// Searches back to back with `clients` clients; no query is asked twice.
pub(crate) async fn search(
    server: &Server,
    store_id: &str,
    clients: usize,
    searches: usize,
) -> Result<Latencies> {
    let url = format!("{}/vector_stores/{store_id}/search", server.base_url);
    let one_client = async |seed: u64, searches: usize| -> Result<Vec<Duration>> {
        let (mut rng, mut latencies) = (Rng(seed), Vec::with_capacity(searches));
        for _ in 0..searches {
            let body = json!({ "query": corpus::query(&mut rng) });
            let started = Instant::now();
            let found: Value = server.call(server.http.post(&url).json(&body)).await?;
            latencies.push(started.elapsed());
            anyhow::ensure!(
                found["data"].as_array().is_some_and(|hits| !hits.is_empty()),
                "nothing found"
            );
        }
        Ok(latencies)
    };
    one_client(1, 20).await?;
    let started = Instant::now();
    let running = (0..clients).map(|client| one_client(client as u64 + 7, searches / clients));
    let mut sorted: Vec<Duration> = futures::future::try_join_all(running)
        .await?
        .into_iter()
        .flatten()
        .collect();
    let took = started.elapsed();
    sorted.sort();
    Ok(Latencies { sorted, took })
}
