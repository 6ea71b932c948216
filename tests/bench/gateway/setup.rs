//! What is measured: the upstream in a process of its own, and Insula before it with everything on.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::upstream::{ENDLESS, FAILING, PACED};
use crate::server::Server;

/// The upstream.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    _child: Child,
}

impl Upstream {
    /// This program again, as a server.
    pub(super) async fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("upstream")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let line = BufReader::new(output).lines().next_line().await?;
        Ok(Self {
            address: line.context("the upstream ended")?.parse()?,
            _child: child,
        })
    }
}

/// Insula with a tenant that has limits and a budget, and routes with prices.
pub(super) struct Gateway {
    pub(super) server: Server,
    pub(super) address: SocketAddr,
    pub(super) database_url: String,
}

impl Gateway {
    pub(super) async fn start(
        binary: &Path,
        runtime: &Path,
        folder: &Path,
        upstream: SocketAddr,
    ) -> Result<Self> {
        let routes = folder.join("routes.toml");
        std::fs::write(&routes, self::routes(upstream))?;
        let data = folder.join("data");
        let more = [
            "--no-embedding-model",
            // All requests come from one address here.
            "--ip-requests-per-second",
            "0",
            "--routes",
            routes.to_str().context("a folder whose name is no text")?,
        ];
        let server = Server::start(binary, runtime, &data, &more).await?;
        let root = server.base_url.trim_end_matches("/v1").to_owned();
        let address = root.trim_start_matches("http://").parse()?;
        let made = Command::new(binary)
            .args(["operator-key", "create", "--name", "bench", "--json"])
            .args(["--database-url", &server.database_url])
            .output()
            .await?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let operator = made["key"].as_str().context("no operator key")?;
        let call = async |request: reqwest::RequestBuilder| -> Result<Value> {
            let response = request.bearer_auth(operator).send().await?.error_for_status()?;
            Ok(response.json().await?)
        };
        let path = format!("{root}/v1/insula/operator/tenants");
        let tenants = call(server.http.get(&path)).await?;
        let tenant = tenants["data"][0]["id"].as_str().context("no tenant")?;
        // So high that nothing is refused; counted and reserved all the same.
        let limits = ["tenant", "key", "model"].map(|subject| {
            json!({
                "subject_kind": subject, "requests_per_minute": 1_000_000_000,
                "tokens_per_minute": 1_000_000_000_000_i64, "concurrency": 100_000
            })
        });
        let path = format!("{path}/{tenant}/limits");
        call(server.http.put(path).json(&json!({ "limits": limits }))).await?;
        for subject in ["tenant", "key"] {
            let budget = json!({"subject_kind": subject, "period": "month", "amount_usd": "1000000"});
            let path = format!("{}/insula/budgets", server.base_url);
            server.call(server.http.post(path).json(&budget)).await?;
        }
        Ok(Self {
            address,
            database_url: server.database_url.clone(),
            server,
        })
    }
}

fn routes(upstream: SocketAddr) -> String {
    let price = r#"price = [{ input = "0.5", output = "1.5" }]"#;
    let route = |model: &str| format!("[[route]]\nmodel = \"{model}\"\nprovider = \"upstream\"\n{price}\n");
    let models: String = ["whole", PACED, ENDLESS].into_iter().map(route).collect();
    let target = |model: &str| {
        format!("[[route.target]]\nprovider = \"upstream\"\nupstream_model = \"{model}\"\n{price}\n")
    };
    format!(
        "[[provider]]\nname = \"upstream\"\nkind = \"openai_compatible\"\nbase_url = \"http://{upstream}/v1\"\n\
         {models}\
         [[route]]\nmodel = \"failover\"\ncooldown = {{ failures = 1000000, seconds = 1 }}\n{}{}",
        target(FAILING),
        target("whole")
    )
}
