//! The server under measurement: the real binary, as a child.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running `insula dev`.
pub(crate) struct Server {
    child: Child,
    /// With `/v1`.
    pub(crate) base_url: String,
    pub(crate) api_key: String,
    /// Its Postgres, as the server logs in.
    pub(crate) database_url: String,
    pub(crate) http: reqwest::Client,
}

impl Server {
    pub(crate) async fn start(binary: &Path, runtime: &Path, data: &Path, more: &[&str]) -> Result<Self> {
        let mut command = Command::new(binary);
        command
            .args(["dev", "--json", "--listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(data)
            .args(more);
        command
            .env("INSULA_RUNTIME", runtime)
            .env("INSULA_LOG", "warn")
            .env_remove("DATABASE_URL");
        let mut child = command
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("insula")?;
        let output = child.stdout.take().context("no output")?;
        let line = BufReader::new(output)
            .lines()
            .next_line()
            .await?
            .context("insula ended before it was ready")?;
        let ready: Value = serde_json::from_str(&line)?;
        let text = |field: &str| {
            ready[field]
                .as_str()
                .map(str::to_owned)
                .context("not the line of a ready server")
        };
        #[expect(clippy::disallowed_methods, reason = "a client of a child on loopback")]
        let http = reqwest::Client::new();
        Ok(Self {
            child,
            base_url: text("base_url")?,
            api_key: text("api_key")?,
            database_url: text("database_url")?,
            http,
        })
    }

    /// Resident memory of the server's process in megabytes (its Postgres has processes of its own).
    pub(crate) fn rss(&self) -> Result<f64> {
        rss_of(self.pid()?)
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("the server ended")
    }

    /// The same, after the start has settled.
    pub(crate) async fn settled_rss(&self) -> Result<f64> {
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.rss()
    }

    pub(crate) async fn call(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let response = request.bearer_auth(&self.api_key).send().await?;
        let status = response.status();
        let body: Value = response.json().await?;
        anyhow::ensure!(status.is_success(), "{status}: {body}");
        Ok(body)
    }

    /// Ctrl-C, and wait for the end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id() {
            Command::new("kill")
                .arg("-INT")
                .arg(pid.to_string())
                .status()
                .await?;
        }
        self.child.wait().await?;
        Ok(())
    }
}

/// Resident memory of a process in megabytes.
pub(crate) fn rss_of(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1000.0)
}

/// The processes that read documents for a server.
pub(crate) fn parser_children(server: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{server}/task")) else {
        return Vec::new();
    };
    // A child belongs to the thread that started it.
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|children| {
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .filter(|pid| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command
                .split(|byte| *byte == 0)
                .any(|word| word == b"parse-worker")
        })
        .collect()
}
