//! One process that is a whole installation.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use insula_core::batch::BatchSettings;
use insula_core::prediction::PredictionSettings;
use insula_core::worker::{self, WorkerSettings};
use insula_inference::onnx::OnnxOptions;
use insula_parse::Tools;
use insula_parse::sandbox::PoolOptions;
use insula_serving::PoolOptions as ServingOptions;
use insula_tenancy::member::invite;
use insula_tenancy::meter::JournalOptions;
use insula_tenancy::{Db, DbConfig, key, tenant};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::address::PublishedAddress;
use super::credentials::{self, FirstTenant};
use super::database::{self, Database};
use super::demo::{self, Demo};
use crate::assembly::{AssemblyOptions, CacheOptions, SiteOptions, assemble};
use crate::config::{SearchArgs, ServeArgs};
use crate::serve;

/// Name of the tenant that the first start makes.
const FIRST_TENANT: &str = "home";
/// Address of the person that the first start invites: on one's own machine nobody needs another.
const FIRST_OPERATOR: &str = "owner@localhost";
/// How long stopping waits for the database to take what was used.
const SETTLE: Duration = Duration::from_secs(5);

/// What `insula dev` and `insula demo` are told.
#[derive(Debug, Clone)]
pub struct DevOptions {
    /// Where everything that must be kept is: the one folder to back up.
    pub data: PathBuf,
    /// What the bootstrap made: Postgres, ONNX Runtime, models.
    pub runtime: PathBuf,
    /// Local embedding models, the default one first.
    pub models: Vec<OnnxOptions>,
    /// What reading documents needs.
    pub tools: Tools,
    /// The shared library of ONNX Runtime, with its full path.
    pub library: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Use this Postgres instead of the embedded one.
    pub database_url: Option<SecretString>,
    /// The operator's routes.
    pub routes: Option<PathBuf>,
    /// Networks besides the public internet that tenants may name.
    pub outbound_allow: Vec<ipnet::IpNet>,
    /// Print one JSON line when ready instead of prose, and ask no question.
    pub json: bool,
    /// Stop after the cited answer.
    pub once: bool,
    /// Documents to ingest at the first start.
    pub samples: Vec<PathBuf>,
    /// What to ask of them.
    pub question: String,
    /// How vector stores are searched.
    pub search: SearchArgs,
    /// Limits of the HTTP server.
    pub serve: ServeArgs,
    /// Where the pages are, and how people sign in.
    pub site: SiteOptions,
}

/// Starts everything, shows that it works, and serves until Ctrl-C (or, with `once`, stops after the answer). Whatever
/// was started is stopped, in the opposite order.
///
/// # Errors
/// With the part that failed and what to do about it.
pub async fn run(options: DevOptions) -> Result<()> {
    let started = Instant::now();
    std::fs::create_dir_all(&options.data).with_context(|| options.data.display().to_string())?;
    let data = options.data.canonicalize()?;
    let shutdown = crate::signals::on_stop_signal();
    let database = match &options.database_url {
        Some(url) => database::use_external(url, &data).await?,
        None => database::start_embedded(&options.runtime, &data).await?,
    };
    let Database { app_url, embedded } = database;
    let served = serve_until_stopped(&options, &data, &app_url, started, shutdown).await;
    if let Some(embedded) = embedded {
        embedded.stop().await;
    }
    served
}

async fn serve_until_stopped(
    options: &DevOptions,
    data: &std::path::Path,
    app_url: &SecretString,
    started: Instant,
    shutdown: CancellationToken,
) -> Result<()> {
    let parts = AssemblyOptions {
        db: DbConfig::new(app_url.clone()),
        blobs: data.join("files"),
        models: options.models.clone(),
        rerankers: Vec::new(),
        moderators: Vec::new(),
        routes: options.routes.clone(),
        journal: JournalOptions {
            folder: data.join("journal"),
            sync: false,
        },
        outbound_allow: options.outbound_allow.clone(),
        master_keys: Some(credentials::master_keys(data)?),
        parser: PoolOptions {
            tools: options.tools.clone(),
            ..PoolOptions::default()
        },
        serving: ServingOptions {
            library: options.library.clone(),
            ..ServingOptions::default()
        },
        predictions: PredictionSettings::default(),
        caches: CacheOptions {
            accelerator: options.search.accelerator(),
            ..CacheOptions::default()
        },
        recall: options.search.recall(),
        batches: BatchSettings::default(),
        site: options.site.clone(),
    };
    let assembly = assemble(parts, shutdown.clone()).await?;
    let first = first_tenant(&assembly.app.services.db, data).await?;
    let listener = TcpListener::bind(options.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; choose another with --listen",
            options.listen
        )
    })?;
    let address = listener.local_addr()?;
    let background = tokio::spawn(worker::run(
        assembly.app.services.clone(),
        assembly.notifications.clone(),
        WorkerSettings::default(),
        shutdown.clone(),
    ));
    let router = crate::router::router(assembly.app.clone(), &options.serve);
    let mut serve_options = options.serve.options();
    serve_options.shutdown_grace = serve_options.shutdown_grace.min(Duration::from_secs(5));
    let server = tokio::spawn(serve::serve(
        listener,
        router,
        serve_options,
        shutdown.clone().cancelled_owned(),
    ));

    let root = format!("http://{address}");
    let invitation = match options.once {
        true => None,
        false => first_operator(&assembly.app.services.db, &root).await?,
    };
    let _published = PublishedAddress::new(data, &root)?;
    let shown = show(
        options,
        &first,
        &root,
        invitation.as_deref(),
        app_url,
        started,
        &shutdown,
    )
    .await;
    if shown.is_err() || options.once {
        shutdown.cancel();
    }
    let served = server.await?.context("server");
    background.await.context("worker")?;
    assembly.app.services.meter.stop(SETTLE).await;
    assembly.app.services.db.close().await;
    shown.and(served)
}

/// Tells the person (or the script) that everything is ready, and proves it with a cited answer.
async fn show(
    options: &DevOptions,
    first: &FirstTenant,
    root: &str,
    invitation: Option<&str>,
    app_url: &SecretString,
    started: Instant,
    shutdown: &CancellationToken,
) -> Result<()> {
    if options.json {
        let ready = json!({
            "base_url": format!("{root}/v1"),
            "tenant": first.tenant,
            "api_key": first.api_key(),
            "database_url": app_url.expose_secret(),
            "dashboard_url": format!("{root}/"),
            "invitation_url": invitation,
        });
        println!("{ready}");
        return Ok(());
    }
    println!(
        "\nInsula is ready after {:.1} s at {root}\n",
        started.elapsed().as_secs_f64()
    );
    let demo = Demo::new(root, first.api_key());
    let told = async {
        demo.ingest(&options.samples).await?;
        let answer = demo.ask(&options.question).await?;
        demo::print_answer(&options.question, &answer);
        anyhow::Ok(())
    };
    tokio::select! {
        told = told => told?,
        () = shutdown.cancelled() => return Ok(()),
    }
    if !options.once {
        demo::print_addresses(root, &first.tenant, first.api_key(), invitation);
    }
    Ok(())
}

/// A link for whoever is to run the install and the first tenant, until somebody has followed one. Each start makes a new
/// one and takes the one before back: there is no password to be known in advance.
async fn first_operator(db: &Db, root: &str) -> Result<Option<String>> {
    let mut tx = db.operator().await?;
    let Some(invited) = invite::bootstrap(&mut tx, FIRST_OPERATOR, FIRST_TENANT).await? else {
        return Ok(None);
    };
    tx.commit().await?;
    Ok(Some(crate::cli::invite::link(
        root,
        invited.token.expose_secret(),
    )))
}

/// The tenant of the first start with its key, made if there is none.
async fn first_tenant(db: &Db, data: &std::path::Path) -> Result<FirstTenant> {
    let mut tx = db.operator().await?;
    let existing = tenant::find(&mut tx, FIRST_TENANT).await?;
    if existing.is_some()
        && let Some(first) = FirstTenant::load(data)?
    {
        return Ok(first);
    }
    // A new install, or a data folder whose key file was removed: an old key cannot be shown again, so make one.
    let tenant = match existing {
        Some(tenant) => tenant,
        None => tenant::create(&mut tx, FIRST_TENANT).await?,
    };
    let created = key::create(&mut tx, tenant.id, &key::NewKey::all_scopes("first key")).await?;
    tx.commit().await?;
    let first = FirstTenant::new(tenant.name, &created.key);
    first.save(data)?;
    Ok(first)
}
