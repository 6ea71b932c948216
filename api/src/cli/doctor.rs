//! `insula doctor`

use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use insula_core::blob::LocalBlobs;
use insula_inference::onnx::OnnxEmbedder;
use insula_inference::routes::Routes;
use insula_parse::sandbox::{FileRules, ParserPool};
use insula_tenancy::Db;
use serde_json::{Value, json};

use crate::config::InstallArgs;

/// `insula doctor`
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    install: InstallArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was looked at, and what came of it.
struct Finding {
    part: &'static str,
    milliseconds: u128,
    outcome: anyhow::Result<String>,
}

/// Looks at every part, also after one has failed, and fails if any has.
pub(super) async fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let install = &args.install;
    let findings = [
        look("database", database(install)).await,
        look("embedding models", models(install)).await,
        look("routes", async { routes(install) }).await,
        look("master keys", async { master_keys(install) }).await,
        look("uploaded files", async { blobs(install) }).await,
        look("parser", parser(install)).await,
    ];
    let healthy = findings.iter().all(|finding| finding.outcome.is_ok());
    if args.json {
        println!(
            "{}",
            json!({"ok": healthy, "checks": Value::from_iter(findings.iter().map(describe))})
        );
    } else {
        for Finding {
            part,
            milliseconds,
            outcome,
        } in &findings
        {
            match outcome {
                Ok(what) => println!("ok      {part}: {what} ({milliseconds} ms)"),
                Err(error) => println!("FAILED  {part}: {error:#}"),
            }
        }
    }
    if healthy {
        Ok(())
    } else {
        bail!("something that serving needs is missing or wrong")
    }
}

async fn look(part: &'static str, check: impl Future<Output = anyhow::Result<String>>) -> Finding {
    let started = Instant::now();
    let outcome = check.await;
    Finding {
        part,
        milliseconds: started.elapsed().as_millis(),
        outcome,
    }
}

fn describe(finding: &Finding) -> Value {
    let (ok, detail) = match &finding.outcome {
        Ok(what) => (true, what.clone()),
        Err(error) => (false, format!("{error:#}")),
    };
    json!({"part": finding.part, "ok": ok, "detail": detail})
}

async fn database(install: &InstallArgs) -> anyhow::Result<String> {
    let db = Db::connect(&install.db()).await?;
    // Fails on a database that was never migrated.
    db.operator()
        .await
        .context("the schema is missing or old; run `insula migrate`")?;
    db.close().await;
    Ok("reachable, migrated, and the login may not go round row-level security".into())
}

async fn models(install: &InstallArgs) -> anyhow::Result<String> {
    let mut loaded = Vec::new();
    for options in install.local_models() {
        let folder = options.model_dir.display().to_string();
        let device = options.device;
        let load = tokio::task::spawn_blocking(move || OnnxEmbedder::load(options));
        let embedder = load.await?.with_context(|| folder.clone())?;
        let card = insula_core::model::Embedder::card(&embedder);
        loaded.push(format!(
            "{} ({} dimensions, on {device})",
            card.id, card.dimensions
        ));
    }
    Ok(loaded.join(", "))
}

fn routes(install: &InstallArgs) -> anyhow::Result<String> {
    let routes = match &install.routes {
        Some(path) => Routes::from_file(path)?,
        None => Routes::builtin(),
    };
    Ok(routes
        .routes()
        .iter()
        .map(|route| route.model.as_str())
        .collect::<Vec<_>>()
        .join(", "))
}

fn master_keys(install: &InstallArgs) -> anyhow::Result<String> {
    Ok(match install.master_keys.read()? {
        Some(keys) => format!("{} seals the secrets of tenants", keys.first()),
        None => "none; tenants cannot leave keys for providers".to_owned(),
    })
}

async fn parser(install: &InstallArgs) -> anyhow::Result<String> {
    let pool = ParserPool::new(install.parser(1));
    let probe = pool.probe().await?;
    let kept_from_files = match probe.files {
        FileRules::Enforced => "no file".to_owned(),
        FileRules::OlderKernel => "no file (by an older Landlock)".to_owned(),
        FileRules::Missing(reason) => format!("files of this machine can be read ({reason}), none written"),
    };
    for attempt in &probe.attempts {
        if !attempt.refused && !attempt.best_effort {
            bail!("{} was not refused: {}", attempt.what, attempt.outcome);
        }
    }
    Ok(format!(
        "starts in {} ms and reads; refused: {} things, no network, no program, {kept_from_files}",
        probe.started_in.as_millis(),
        probe.attempts.iter().filter(|attempt| attempt.refused).count(),
    ))
}

fn blobs(install: &InstallArgs) -> anyhow::Result<String> {
    let shown = install.blobs.display().to_string();
    LocalBlobs::open(&install.blobs).with_context(|| shown.clone())?;
    Ok(shown)
}
