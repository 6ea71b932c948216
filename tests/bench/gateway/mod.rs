//! `make bench-gateway`: what the way through Insula costs, with keys, limits, budgets and the ledger on.
//!
//! One run puts the same loads on an upstream directly, through nginx as a plain proxy where that is installed, and through
//! Insula; they take turns, and of the repetitions the median counts. Everything shares one machine, the load and the
//! upstream included, so the columns beside each other say more than any figure alone.

mod client;
mod load;
mod nginx;
mod process;
mod rest;
mod setup;
pub(crate) mod upstream;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use self::client::Target;
use self::load::{Load, Loaded};
use self::nginx::Nginx;
use self::process::Cpu;
use self::setup::{Gateway, Upstream};

/// How often each load is repeated.
const REPETITIONS: usize = 3;
/// How long each lasts, after its warm-up.
const TIME: Duration = Duration::from_secs(4);
/// Places of what is watched.
const INSULA: usize = 0;
const POSTGRES: usize = 1;

/// Measures, and prints the table.
pub(crate) async fn run(binary: &Path, runtime: &Path, only: Option<&str>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let upstream = Upstream::start().await?;
    let nginx = Nginx::start(folder.path(), upstream.address).await?;
    if nginx.is_none() {
        println!("nginx is not installed: its column stays empty.");
    }
    let gateway = Gateway::start(binary, runtime, folder.path(), upstream.address).await?;
    let pid = gateway.server.pid()?;
    let bench = Bench {
        upstream: upstream.address,
        nginx: nginx.as_ref().map(|nginx| nginx.address),
        insula: gateway.address,
        key: gateway.server.api_key.clone(),
        watched: vec![Cpu::Of(pid), Cpu::Below(pid)],
    };
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
    println!("| | direct | nginx | Insula | aim |\n| --- | --- | --- | --- | --- |");
    if wanted("idle") {
        rest::idle(pid).await?;
    }
    if wanted("closed") {
        bench.closed().await?;
    }
    if wanted("open") {
        bench.open().await?;
    }
    if wanted("streams") {
        bench.streams().await?;
    }
    if wanted("failover") {
        bench.failover().await?;
    }
    if wanted("memory") {
        rest::streams_at_rest(&bench, pid).await?;
    }
    let (server, database_url) = (gateway.server, gateway.database_url);
    if wanted("start") {
        rest::start(binary, runtime, &database_url).await?;
    }
    server.stop().await
}

/// The three ways to the upstream.
struct Bench {
    upstream: SocketAddr,
    nginx: Option<SocketAddr>,
    insula: SocketAddr,
    key: String,
    watched: Vec<Cpu>,
}

/// What a load came to on each way, all repetitions.
struct Ways {
    direct: Vec<Loaded>,
    nginx: Vec<Loaded>,
    insula: Vec<Loaded>,
}

impl Ways {
    /// One line of the table: the median of a figure on each way.
    fn row(&self, name: &str, decimals: usize, figure: impl Fn(&Loaded) -> f64, aim: &str) {
        let cell = |loads: &[Loaded]| match median(loads, &figure) {
            Some(value) => format!("{value:.decimals$}"),
            None => "-".to_owned(),
        };
        row(
            name,
            [&cell(&self.direct), &cell(&self.nginx), &cell(&self.insula)],
            aim,
        );
    }

    /// A line of what is Insula's alone.
    fn own(&self, name: &str, decimals: usize, figure: impl Fn(&Loaded) -> f64, aim: &str) {
        let value = median(&self.insula, figure).unwrap_or(f64::NAN);
        row(name, ["", "", &format!("{value:.decimals$}")], aim);
    }

    /// What the way adds to the direct one.
    fn added(&self, name: &str, figure: impl Fn(&Loaded) -> f64, aim: &str) {
        let direct = median(&self.direct, &figure).unwrap_or(f64::NAN);
        let cell = |loads: &[Loaded]| match median(loads, &figure) {
            Some(value) => format!("{:.3}", value - direct),
            None => "-".to_owned(),
        };
        row(name, ["", &cell(&self.nginx), &cell(&self.insula)], aim);
    }

    /// Requests that were not answered, if there are any.
    fn failures(&self, name: &str) {
        let failed = |loads: &[Loaded]| loads.iter().map(|load| load.failed).sum::<u64>().to_string();
        let ways = [failed(&self.direct), failed(&self.nginx), failed(&self.insula)];
        if ways.iter().any(|failed| failed != "0") {
            row(&format!("{name}, failed"), [&ways[0], &ways[1], &ways[2]], "0");
        }
    }
}

fn row(name: &str, [direct, nginx, insula]: [&str; 3], aim: &str) {
    println!("| {name} | {direct} | {nginx} | {insula} | {aim} |");
}

fn median(loads: &[Loaded], figure: impl Fn(&Loaded) -> f64) -> Option<f64> {
    let mut figures: Vec<f64> = loads.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

impl Bench {
    fn target(&self, address: SocketAddr, model: &str, stream: bool) -> Result<Target> {
        Target::new(address, &self.key, model, stream)
    }

    /// The same load on each way, in turn.
    async fn ways(&self, model: &str, stream: bool, load: Load) -> Result<Ways> {
        let mut ways = Ways {
            direct: Vec::new(),
            nginx: Vec::new(),
            insula: Vec::new(),
        };
        for _ in 0..REPETITIONS {
            let direct = self.target(self.upstream, model, stream)?;
            ways.direct.push(load::run(&direct, load, TIME, &[]).await?);
            if let Some(nginx) = self.nginx {
                let nginx = self.target(nginx, model, stream)?;
                ways.nginx.push(load::run(&nginx, load, TIME, &[]).await?);
            }
            let insula = self.target(self.insula, model, stream)?;
            ways.insula
                .push(load::run(&insula, load, TIME, &self.watched).await?);
        }
        Ok(ways)
    }

    async fn closed(&self) -> Result<()> {
        for clients in [32, 64] {
            let ways = self.ways("whole", false, Load::Closed(clients)).await?;
            let name = |what: &str| format!("{clients} clients back to back, {what}");
            ways.row(&name("requests/s"), 0, Loaded::rate, "≥ 20000");
            ways.own(
                &name("CPU of the server per request, µs"),
                0,
                |load| load.cpu_per_request(INSULA),
                "≤ 60",
            );
            ways.own(
                &name("CPU of Postgres per request, µs"),
                0,
                |load| load.cpu_per_request(POSTGRES),
                "",
            );
            ways.failures(&name("requests"));
        }
        Ok(())
    }

    async fn open(&self) -> Result<()> {
        let ways = self.ways("whole", false, Load::Open(1_000)).await?;
        ways.row("1,000 requests/s, p50 ms", 3, |load| load.latency(0.5), "");
        ways.row("1,000 requests/s, p99 ms", 3, |load| load.latency(0.99), "");
        ways.added(
            "1,000 requests/s, added p50 ms",
            |load| load.latency(0.5),
            "≤ 0.15",
        );
        ways.added("1,000 requests/s, added p99 ms", |load| load.latency(0.99), "≤ 1");
        ways.failures("1,000 requests/s");
        let ways = self.ways("whole", false, Load::Open(10_000)).await?;
        ways.row("10,000 requests/s, held", 0, Loaded::rate, "≥ 9900");
        ways.row("10,000 requests/s, p50 ms", 3, |load| load.latency(0.5), "");
        ways.row("10,000 requests/s, p99 ms", 3, |load| load.latency(0.99), "≤ 5");
        ways.failures("10,000 requests/s");
        Ok(())
    }

    async fn streams(&self) -> Result<()> {
        let ways = self.ways(upstream::PACED, true, Load::Open(200)).await?;
        ways.row(
            "200 paced streams/s, first token p50 ms",
            3,
            |load| load.first(0.5),
            "",
        );
        ways.added(
            "200 paced streams/s, added to the first token p50 ms",
            |load| load.first(0.5),
            "≤ 0.5",
        );
        ways.added(
            "200 paced streams/s, added to a token p50 ms",
            |load| load.hop(0.5),
            "≤ 0.1",
        );
        ways.added(
            "200 paced streams/s, added to a token p99 ms",
            |load| load.hop(0.99),
            "≤ 2",
        );
        ways.failures("200 paced streams/s");
        let ways = self.ways("whole", true, Load::Closed(16)).await?;
        ways.row(
            "16 clients, streams without a pause, streams/s",
            0,
            Loaded::rate,
            "≥ 5000",
        );
        ways.own(
            "16 clients, streams without a pause, CPU of the server per stream, µs",
            0,
            |load| load.cpu_per_request(INSULA),
            "",
        );
        ways.failures("16 clients, streams without a pause");
        Ok(())
    }

    /// A first target that always fails, against the second alone.
    async fn failover(&self) -> Result<()> {
        let (mut plain, mut over) = (Vec::new(), Vec::new());
        for _ in 0..REPETITIONS {
            for (model, loads) in [("whole", &mut plain), ("failover", &mut over)] {
                let target = self.target(self.insula, model, false)?;
                loads.push(load::run(&target, Load::Open(200), TIME, &[]).await?);
            }
        }
        let p50 = |loads: &[Loaded]| median(loads, |load| load.latency(0.5)).unwrap_or(f64::NAN);
        let added = format!("{:.3}", p50(&over) - p50(&plain));
        row(
            "first target answers 500, added p50 ms",
            ["", "", &added],
            "≤ 0.5",
        );
        Ok(())
    }
}
