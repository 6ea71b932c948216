//! What becomes of real documents, and how fast.
//!
//!     bench documents INSULA_BINARY RUNTIME_DIR FOLDER [OUTCOMES.md]
//!
//! First every file is read alone in a confined child, one at a time: pages and megabytes per second of each format.
//! Then all are uploaded to a fresh server and attached at once: files and chunks per second until the last is searchable
//! or refused, with the memory of the server and of its largest child. The outcome of each file goes to OUTCOMES.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use insula_core::ingest::Parser;
use insula_parse::Tools;
use insula_parse::sandbox::{ParserPool, PoolOptions};
use serde_json::{Value, json};

use crate::server::{self, Server};

/// How often memory is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// What reading the files of one format took.
#[derive(Default)]
struct Format {
    files: usize,
    read: usize,
    bytes: u64,
    pages: usize,
    characters: usize,
    took: Duration,
}

/// Runs both parts and prints their tables.
pub(crate) async fn run(binary: &Path, runtime: &Path, folder: &Path, outcomes: Option<&Path>) -> Result<()> {
    let files = below(folder)?;
    anyhow::ensure!(!files.is_empty(), "no files below {}", folder.display());
    read_each(binary, runtime, folder, &files).await?;
    let table = ingest_all(binary, runtime, folder, &files).await?;
    if let Some(path) = outcomes {
        std::fs::write(path, table).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

async fn read_each(binary: &Path, runtime: &Path, folder: &Path, files: &[PathBuf]) -> Result<()> {
    let pool = ParserPool::new(PoolOptions {
        program: binary.to_owned(),
        tools: Tools {
            pdfium: runtime.join("pdfium/libpdfium.so").canonicalize().ok(),
        },
        children: 1,
        ..PoolOptions::default()
    });
    let mut formats: BTreeMap<String, Format> = BTreeMap::new();
    for path in files {
        let bytes = Bytes::from(std::fs::read(path)?);
        let format = formats.entry(format_of(folder, path)).or_default();
        format.files += 1;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let started = Instant::now();
        let document = pool.parse(&bytes, &name).await;
        if let Ok(document) = document {
            // What is refused is refused at once, and would flatter the rate.
            format.took += started.elapsed();
            format.bytes += bytes.len() as u64;
            format.read += 1;
            format.pages += document.pages.len();
            format.characters += document.text.chars().count();
        }
    }
    println!("| format | files | read | pages/s | MB/s | characters/s |");
    println!("| --- | --: | --: | --: | --: | --: |");
    for (name, format) in &formats {
        let seconds = format.took.as_secs_f64().max(1e-9);
        let pages = match format.pages {
            0 => String::new(),
            pages => format!("{:.0}", pages as f64 / seconds),
        };
        println!(
            "| {name} | {} | {} | {pages} | {:.1} | {:.0} |",
            format.files,
            format.read,
            format.bytes as f64 / 1e6 / seconds,
            format.characters as f64 / seconds
        );
    }
    println!();
    Ok(())
}

async fn ingest_all(binary: &Path, runtime: &Path, folder: &Path, files: &[PathBuf]) -> Result<String> {
    let data = tempfile::tempdir()?;
    let server = Server::start(binary, runtime, data.path(), &[]).await?;
    let base = server.base_url.clone();
    let store = server
        .call(
            server
                .http
                .post(format!("{base}/vector_stores"))
                .json(&json!({"name": "documents"})),
        )
        .await?;
    let store = store["id"].as_str().context("no id")?.to_owned();
    let mut names = BTreeMap::new();
    let mut refused = Vec::new();
    for path in files {
        let name = path.strip_prefix(folder)?.display().to_string();
        let part = reqwest::multipart::Part::bytes(std::fs::read(path)?).file_name(
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        );
        let form = reqwest::multipart::Form::new()
            .text("purpose", "assistants")
            .part("file", part);
        match server
            .call(server.http.post(format!("{base}/files")).multipart(form))
            .await
        {
            Ok(file) => {
                names.insert(file["id"].as_str().context("no id")?.to_owned(), name);
            }
            Err(error) => refused.push((name, error.to_string())),
        }
    }
    let peak = Peak::watch(server.pid()?);
    let started = Instant::now();
    let ids: Vec<&String> = names.keys().collect();
    for part in ids.chunks(500) {
        let batch = json!({"file_ids": part});
        server
            .call(
                server
                    .http
                    .post(format!("{base}/vector_stores/{store}/file_batches"))
                    .json(&batch),
            )
            .await?;
    }
    loop {
        let state = server
            .call(server.http.get(format!("{base}/vector_stores/{store}")))
            .await?;
        if state["file_counts"]["in_progress"] == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let took = started.elapsed().as_secs_f64();
    let (server_mb, child_mb) = peak.stop().await?;

    let mut rows: Vec<(String, String, String)> = refused
        .into_iter()
        .map(|(name, why)| (name, "refused".into(), why))
        .collect();
    let mut after = String::new();
    let mut completed = 0;
    loop {
        let url = format!("{base}/vector_stores/{store}/files?limit=100&order=asc{after}");
        let page = server.call(server.http.get(url)).await?;
        for file in page["data"].as_array().context("no list")? {
            let id = file["id"].as_str().unwrap_or_default();
            completed += usize::from(file["status"] == "completed");
            rows.push((
                names.get(id).cloned().unwrap_or_default(),
                file["status"].as_str().unwrap_or_default().to_owned(),
                reason(&file["last_error"]),
            ));
            after = format!("&after={id}");
        }
        if page["has_more"] != true {
            break;
        }
    }
    let usage = server
        .call(server.http.get(format!("{base}/insula/usage/storage")))
        .await?;
    let chunks = usage["chunks"]["used"]
        .as_f64()
        .or(usage["chunks"].as_f64())
        .unwrap_or_default();
    server.stop().await?;

    let row = |name: &str, value: String| println!("{name:<58} {value}");
    row(
        "files attached / searchable",
        format!("{} / {completed}", names.len()),
    );
    row("upload done to all searchable or refused", format!("{took:.0} s"));
    row(
        "end to end",
        format!(
            "{:.1} files/s, {:.1} chunks/s",
            names.len() as f64 / took,
            chunks / took
        ),
    );
    row(
        "peak RSS of the server / of its largest parser child",
        format!("{server_mb:.0} / {child_mb:.0} MB"),
    );
    rows.sort();
    let mut table = String::from("| file | outcome | reason |\n| --- | --- | --- |\n");
    for (name, outcome, why) in rows {
        writeln!(table, "| {name} | {outcome} | {} |", why.replace('|', "\\|"))?;
    }
    Ok(table)
}

fn reason(error: &Value) -> String {
    match (error["code"].as_str(), error["message"].as_str()) {
        (Some(code), Some(message)) => format!("`{code}` {message}"),
        _ => String::new(),
    }
}

/// Files below a folder, in order, without the notes on where they are from.
fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(below(&path)?);
        } else if !["MANIFEST.json", "SOURCE.txt"]
            .iter()
            .any(|name| path.ends_with(name))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The folder that the file lies in: the corpus has one per format.
fn format_of(folder: &Path, path: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    below
        .components()
        .next()
        .map(|first| first.as_os_str().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Watches memory.
struct Peak {
    stop: Arc<AtomicBool>,
    watching: tokio::task::JoinHandle<(f64, f64)>,
}

impl Peak {
    fn watch(pid: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watching = tokio::spawn(async move {
            let (mut server, mut child) = (0.0f64, 0.0f64);
            while !stopped.load(Ordering::Relaxed) {
                server = server.max(server::rss_of(pid).unwrap_or_default());
                for pid in server::parser_children(pid) {
                    child = child.max(server::rss_of(pid).unwrap_or_default());
                }
                tokio::time::sleep(SAMPLE_EVERY).await;
            }
            (server, child)
        });
        Self { stop, watching }
    }

    /// Megabytes of the server, and of its largest parser child.
    async fn stop(self) -> Result<(f64, f64)> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.watching.await?)
    }
}
