//! Whether one tenant's thousands of files keep the others waiting.
//!
//!     bench fairness INSULA_BINARY RUNTIME_DIR [FILES]
//!
//! Twenty tenants upload small files; one of them has nine tenths of all. Then all attach theirs at once, the big one
//! first. Measured is how long the files of the other nineteen take from there until they are searchable, with the big
//! tenant and, on a fresh install, without.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::corpus::{self, Rng};
use crate::server::Server;

/// Files in all unless told otherwise.
pub(crate) const FILES: usize = 10_000;
/// Tenants with few files.
const SMALL: usize = 19;
/// Files that one call attaches.
const ATTACH_AT_ONCE: usize = 500;
/// How often each store is asked how far it is: the resolution of what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Runs both loads and prints what came of them.
pub(crate) async fn run(binary: &Path, runtime: &Path, files: usize) -> Result<()> {
    let few = (files / 10 / SMALL).max(1);
    let many = files.saturating_sub(few * SMALL);
    let row = |name: &str, value: String| println!("{name:<58} {value}");
    row("files of each of 19 small tenants", few.to_string());
    row("files of the big tenant", many.to_string());
    let alone = measure(binary, runtime, few, 0).await?;
    row("time to ready, small tenants alone, p50 / p95", p50_p95(&alone));
    let beside = measure(binary, runtime, few, many).await?;
    row("the same beside the big tenant, p50 / p95", p50_p95(&beside));
    let ratio = quantile(&beside, 0.95).as_secs_f64() / quantile(&alone, 0.95).as_secs_f64();
    row("p95 beside / p95 alone", format!("{ratio:.2}"));
    Ok(())
}

/// How long each file of the small tenants took, sorted.
async fn measure(binary: &Path, runtime: &Path, few: usize, many: usize) -> Result<Vec<Duration>> {
    let data = tempfile::tempdir()?;
    let server = Server::start(binary, runtime, data.path(), &[]).await?;
    let mut rng = Rng(0x5DEE_CE66_D1CE_4E5B);
    let mut tenants = Vec::new();
    for n in 0..SMALL {
        let tenant = Tenant::create(&server, binary, runtime, data.path(), &format!("small-{n}")).await?;
        let files = tenant.upload(&texts(&mut rng, few)).await?;
        tenants.push((tenant, files));
    }
    let big = Tenant::create(&server, binary, runtime, data.path(), "big").await?;
    let files = big.upload(&texts(&mut rng, many)).await?;
    for part in files.chunks(ATTACH_AT_ONCE) {
        big.attach(part).await?;
    }
    let waiting = tenants.iter().map(|(tenant, files)| tenant.time_to_ready(files));
    let mut took: Vec<Duration> = futures::future::try_join_all(waiting)
        .await?
        .into_iter()
        .flatten()
        .collect();
    took.sort();
    server.stop().await?;
    Ok(took)
}

/// Texts of one chunk, no two alike.
fn texts(rng: &mut Rng, count: usize) -> Vec<String> {
    let text = |n| {
        (0..4).fold(format!("Note {n}."), |text, _| {
            text + " " + &corpus::query(rng) + "."
        })
    };
    (0..count).map(text).collect()
}

/// A tenant that calls the server.
struct Tenant {
    http: reqwest::Client,
    base_url: String,
    key: String,
}

impl Tenant {
    async fn create(server: &Server, binary: &Path, runtime: &Path, data: &Path, name: &str) -> Result<Self> {
        let insula = async |arguments: &[&str]| -> Result<Value> {
            let output = Command::new(binary)
                .args(arguments)
                .arg("--json")
                .arg("--data")
                .arg(data)
                .env("INSULA_RUNTIME", runtime)
                .env_remove("DATABASE_URL")
                .output()
                .await?;
            let said = String::from_utf8_lossy(&output.stderr);
            anyhow::ensure!(output.status.success(), "insula {arguments:?}: {said}");
            Ok(serde_json::from_slice(&output.stdout)?)
        };
        insula(&["tenant", "create", name]).await?;
        let created = insula(&["key", "create", "--tenant", name]).await?;
        Ok(Self {
            http: server.http.clone(),
            base_url: server.base_url.clone(),
            key: created["key"].as_str().context("no key")?.to_owned(),
        })
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let response = request.bearer_auth(&self.key).send().await?;
        let status = response.status();
        let body: Value = response.json().await?;
        anyhow::ensure!(status.is_success(), "{status}: {body}");
        Ok(body)
    }

    /// The files' ids.
    async fn upload(&self, texts: &[String]) -> Result<Vec<String>> {
        let one = async |number: usize, text: &String| -> Result<String> {
            let part = reqwest::multipart::Part::text(text.clone()).file_name(format!("{number}.txt"));
            let form = reqwest::multipart::Form::new()
                .text("purpose", "assistants")
                .part("file", part);
            let url = format!("{}/files", self.base_url);
            let file = self.call(self.http.post(url).multipart(form)).await?;
            Ok(file["id"].as_str().context("no file id")?.to_owned())
        };
        let uploads = texts.iter().enumerate().map(|(number, text)| one(number, text));
        stream::iter(uploads).buffered(8).try_collect().await
    }

    /// A vector store with these files; its id.
    async fn attach(&self, files: &[String]) -> Result<String> {
        let url = format!("{}/vector_stores", self.base_url);
        let store = self
            .call(self.http.post(url).json(&json!({ "file_ids": files })))
            .await?;
        Ok(store["id"].as_str().context("no store id")?.to_owned())
    }

    /// How long each of the files takes from attaching them to being searchable.
    async fn time_to_ready(&self, files: &[String]) -> Result<Vec<Duration>> {
        let started = Instant::now();
        let store = self.attach(files).await?;
        let url = format!("{}/vector_stores/{store}", self.base_url);
        let mut took = Vec::with_capacity(files.len());
        loop {
            let counts = self.call(self.http.get(&url)).await?["file_counts"].clone();
            anyhow::ensure!(counts["failed"] == 0, "a file failed: {counts}");
            let ready = counts["completed"].as_u64().context("no count")? as usize;
            took.resize(ready, started.elapsed());
            if ready == files.len() {
                return Ok(took);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn quantile(sorted: &[Duration], quantile: f64) -> Duration {
    sorted[(quantile * (sorted.len() - 1) as f64).round() as usize]
}

fn p50_p95(sorted: &[Duration]) -> String {
    let seconds = |at| quantile(sorted, at).as_secs_f64();
    format!("{:.1} / {:.1} s", seconds(0.50), seconds(0.95))
}
