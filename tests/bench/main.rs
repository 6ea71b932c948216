//! `make bench`: measures the optimised server from outside, as its users would, and prints the table of the README.
//!
//!     bench INSULA_BINARY RUNTIME_DIR [CHUNKS]
//!     bench fairness INSULA_BINARY RUNTIME_DIR [FILES]
//!     bench documents INSULA_BINARY RUNTIME_DIR FOLDER [OUTCOMES.md]
//!     bench embed RUNTIME_DIR [SECONDS]
//!     bench usage INSULA_BINARY RUNTIME_DIR [CALLS]
//!     bench search INSULA_BINARY RUNTIME_DIR [CHUNKS,CHUNKS,…|isolation [CHUNKS]]
//!     bench relevance INSULA_BINARY RUNTIME_DIR FOLDER [LANGUAGES]
//!     bench relevance-lab RUNTIME_DIR FOLDER [LANGUAGES]
//!     bench gateway INSULA_BINARY RUNTIME_DIR [idle|closed|open|streams|failover|memory|start]
//!
//! Everything is one run on one machine; where a figure depends on the model's speed, the bare model's own rate on the
//! same texts stands beside it. Nothing is asserted.

mod corpus;
mod documents;
mod embed;
mod fairness;
mod gateway;
mod load;
mod relevance;
mod search;
mod server;
mod usage;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use insula_inference::onnx::OnnxOptions;

use load::Latencies;
use server::Server;

/// Chunks that are ingested and searched unless told otherwise.
const CHUNKS: usize = 10_000;
/// Searches per level of concurrency.
const SEARCHES: usize = 400;

#[tokio::main]
async fn main() -> Result<()> {
    insula::tls::install()?;
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq("upstream").is_some() {
        return gateway::upstream::serve().await;
    }
    if arguments.next_if_eq("embed").is_some() {
        let runtime = PathBuf::from(
            arguments
                .next()
                .context("usage: bench embed RUNTIME_DIR [SECONDS]")?,
        );
        let seconds = arguments.next().map_or(Ok(embed::SECONDS), |text| text.parse())?;
        return embed::run(&runtime, seconds).await;
    }
    if arguments.next_if_eq("relevance-lab").is_some() {
        let mut path = || {
            let path = arguments.next().map(PathBuf::from);
            path.context("usage: bench relevance-lab RUNTIME_DIR FOLDER [LANGUAGES]")
        };
        let (runtime, folder) = (path()?, path()?);
        return relevance::lab::run(&runtime, &folder, arguments.next().as_deref());
    }
    let relevance = arguments.next_if_eq("relevance").is_some();
    let gateway = arguments.next_if_eq("gateway").is_some();
    let fairness = arguments.next_if_eq("fairness").is_some();
    let documents = arguments.next_if_eq("documents").is_some();
    let usage = arguments.next_if_eq("usage").is_some();
    let search = arguments.next_if_eq("search").is_some();
    let binary = PathBuf::from(
        arguments
            .next()
            .context("usage: bench INSULA_BINARY RUNTIME_DIR [CHUNKS]")?,
    );
    let runtime = PathBuf::from(
        arguments
            .next()
            .context("usage: bench INSULA_BINARY RUNTIME_DIR [CHUNKS]")?,
    );
    if gateway {
        return gateway::run(&binary, &runtime, arguments.next().as_deref()).await;
    }
    if search {
        return search::run(&binary, &runtime, arguments).await;
    }
    if relevance {
        let folder = PathBuf::from(arguments.next().context("which folder of public sets?")?);
        return relevance::run(&binary, &runtime, &folder, arguments.next().as_deref()).await;
    }
    if usage {
        let calls = arguments.next().map_or(Ok(usage::EVENTS), |text| text.parse())?;
        return usage::run(&binary, &runtime, calls).await;
    }
    if fairness {
        let files = arguments
            .next()
            .map_or(Ok(fairness::FILES), |text| text.parse())?;
        return fairness::run(&binary, &runtime, files).await;
    }
    if documents {
        let folder = PathBuf::from(arguments.next().context("which folder of documents?")?);
        let outcomes = arguments.next().map(PathBuf::from);
        return documents::run(&binary, &runtime, &folder, outcomes.as_deref()).await;
    }
    let chunks: usize = arguments.next().map_or(Ok(CHUNKS), |text| text.parse())?;
    let data = tempfile::tempdir()?;
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| {
        println!("{name:<58} {value}");
        rows.push((name.to_owned(), value));
    };

    // The first start makes the database; it is not what a restart costs.
    let (first, bare) = (
        Server::start(&binary, &runtime, data.path(), &[]).await?,
        tempfile::tempdir()?,
    );
    first.stop().await?;
    let mut starts = Vec::new();
    for _ in 0..3 {
        let started = Instant::now();
        let server = Server::start(&binary, &runtime, data.path(), &[]).await?;
        starts.push(started.elapsed());
        server.stop().await?;
    }
    starts.sort();
    row(
        "start to ready, Postgres and model included",
        format!("{:.2} s", starts[1].as_secs_f64()),
    );

    let without = Server::start(&binary, &runtime, bare.path(), &["--no-embedding-model"]).await?;
    row(
        "server RSS idle, no embedding model",
        format!("{:.0} MB", without.settled_rss().await?),
    );
    without.stop().await?;

    let server = Server::start(&binary, &runtime, data.path(), &[]).await?;
    row(
        "server RSS idle, model loaded",
        format!("{:.0} MB", server.settled_rss().await?),
    );

    let texts = corpus::documents(chunks);
    let ingested = load::ingest(&server, &texts).await?;
    let rate = ingested.chunks as f64 / ingested.took.as_secs_f64();
    row("chunks ingested", format!("{}", ingested.chunks));
    row(
        "mean chunk length",
        format!("{:.0} tokens", ingested.tokens as f64 / ingested.chunks as f64),
    );
    row("ingestion, upload to searchable", format!("{rate:.1} chunks/s"));
    row("server RSS after ingestion", format!("{:.0} MB", server.rss()?));

    for clients in [1, 8] {
        let latencies = load::search(&server, &ingested.store_id, clients, SEARCHES).await?;
        row(
            &format!("embed and search, {clients} client(s), p50 / p95"),
            latencies.p50_p95(),
        );
        row(
            &format!("embed and search, {clients} client(s), throughput"),
            format!("{:.0} searches/s", latencies.rate()),
        );
    }
    server.stop().await?;

    // Afterwards, alone on the machine, on a sample of the very chunks.
    let sample: Vec<String> = ingested.sample;
    let raw = tokio::task::spawn_blocking(move || raw_rate(&runtime, &sample)).await??;
    row(
        "bare model on the same chunks, sorted, batches of 8",
        format!("{raw:.1} chunks/s"),
    );
    row("ingestion / bare model", format!("{:.2}", rate / raw));

    println!("\n| figure | measured |\n| --- | --- |");
    for (name, value) in &rows {
        println!("| {name} | {value} |");
    }
    Ok(())
}

/// Chunks per second of the model in its best case, without anything around it.
fn raw_rate(runtime: &std::path::Path, sample: &[String]) -> Result<f64> {
    let options = OnnxOptions::new(
        runtime.join("onnxruntime/libonnxruntime.so"),
        runtime.join("models/all-MiniLM-L6-v2"),
    );
    let mut bare = embed::bare(&options)?;
    let mut sorted: Vec<&str> = sample.iter().map(String::as_str).collect();
    sorted.sort_by_key(|text| text.len());
    bare.embed(&sorted[..sorted.len().min(64)], Some(8))?;
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        bare.embed(&sorted, Some(8))?;
        best = best.min(started.elapsed());
    }
    Ok(sample.len() as f64 / best.as_secs_f64())
}

impl Latencies {
    fn p50_p95(&self) -> String {
        let ms = |quantile| self.quantile(quantile).as_secs_f64() * 1e3;
        format!("{:.1} / {:.1} ms", ms(0.50), ms(0.95))
    }
}
