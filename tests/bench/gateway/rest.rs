//! What Insula needs while little happens.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http_body_util::BodyExt;
use tokio::process::Command;

use super::client::Connection;
use super::upstream::ENDLESS;
use super::{Bench, row};
use crate::server::rss_of;

/// Streams that are open at once.
const STREAMS: usize = 2_000;
/// How often the start is repeated.
const STARTS: usize = 5;

/// Memory of each of many open streams.
pub(super) async fn streams_at_rest(bench: &Bench, pid: u32) -> Result<()> {
    let target = bench.target(bench.insula, ENDLESS, true)?;
    let mut open = Vec::with_capacity(STREAMS);
    let before = settled_rss(pid).await?;
    for number in 0..STREAMS {
        let mut connection = Connection::open(target.address).await?;
        let mut body = connection.begin(&target, number as u64).await?.into_body();
        body.frame().await.context("no first token")??;
        open.push((connection, body));
    }
    let during = settled_rss(pid).await?;
    let each = (during - before) * 1000.0 / STREAMS as f64;
    row(
        &format!("{STREAMS} open streams, memory of each, KB"),
        ["", "", &format!("{each:.0}")],
        "≤ 60",
    );
    Ok(())
}

async fn settled_rss(pid: u32) -> Result<f64> {
    tokio::time::sleep(Duration::from_secs(3)).await;
    rss_of(pid)
}

/// Memory of a server that has just started and has no embedding model.
pub(super) async fn idle(pid: u32) -> Result<()> {
    let memory = format!("{:.0}", settled_rss(pid).await?);
    row(
        "memory of an idle server without embedding model, MB",
        ["", "", &memory],
        "≤ 30",
    );
    Ok(())
}

/// From nothing to ready, with a database that is there.
pub(super) async fn start(binary: &Path, runtime: &Path, database_url: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    #[expect(clippy::disallowed_methods, reason = "a client of a child on loopback")]
    let http = reqwest::Client::new();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let begun = Instant::now();
        let mut child = Command::new(binary)
            .args(["serve", "--worker", "false", "--listen"])
            .arg(address.to_string())
            .arg("--blobs")
            .arg(folder.path().join("blobs"))
            .arg("--journal")
            .arg(folder.path().join("journal"))
            .env("DATABASE_URL", database_url)
            .env("INSULA_RUNTIME", runtime)
            .env("INSULA_LOG", "warn")
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let ready = format!("http://{address}/health/ready");
        while !http
            .get(&ready)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            anyhow::ensure!(
                begun.elapsed() < Duration::from_secs(30),
                "the server does not start"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        starts.push(begun.elapsed());
        let pid = child.id().context("the server ended")?.to_string();
        Command::new("kill").args(["-INT", &pid]).status().await?;
        child.wait().await?;
    }
    starts.sort_unstable();
    let start = format!("{:.0}", starts[STARTS / 2].as_secs_f64() * 1000.0);
    row(
        "start to ready, embedding model included, Postgres running, ms",
        ["", "", &start],
        "≤ 300",
    );
    Ok(())
}
