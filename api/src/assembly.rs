//! Puts the parts together: database, models, blobs, parser.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use insula_core::batch::BatchSettings;
use insula_core::blob::LocalBlobs;
use insula_core::cache::{QueryEmbeddings, Responses};
use insula_core::guard::Policies;
use insula_core::model::Embedder;
use insula_core::prediction::{PredictionSettings, Predictions};
use insula_core::request_log::RequestLogs;
use insula_core::route::{RoutedEmbedder, Routes};
use insula_core::search::{Accelerator, AcceleratorOptions, Recall, RecallOptions};
use insula_core::search_analytics::Searches;
use insula_core::{Models, Services};
use insula_inference::onnx::{JudgeOptions, OnnxEmbedder, OnnxModerator, OnnxOptions, OnnxReranker};
use insula_outbound::{Allowed, Outbound};
use insula_parse::sandbox::{ParserPool, PoolOptions};
use insula_serving::{ModelPool, PoolOptions as ServingOptions};
use insula_tenancy::meter::{JournalOptions, Meter};
use insula_tenancy::vault::{MasterKeys, Vault};
use insula_tenancy::{Authenticator, Db, DbConfig, Notifications};
use ipnet::IpNet;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::app::{App, AppParts, MAX_JOB_STREAMS};
use crate::http::Site;
use crate::oidc::{Oidc, OidcOptions};
use crate::route_file::RouteSource;
use crate::routes::endpoints::LocalEndpoints;

/// What a server or worker is made of.
#[derive(Debug, Clone)]
pub struct AssemblyOptions {
    /// The database, as `insula_app`.
    pub db: DbConfig,
    /// Folder of uploaded files.
    pub blobs: PathBuf,
    /// Local embedding models; the first is the default of new vector stores.
    pub models: Vec<OnnxOptions>,
    /// Local models that rank documents.
    pub rerankers: Vec<JudgeOptions>,
    /// Local models that find what should not be in a text.
    pub moderators: Vec<JudgeOptions>,
    /// The operator's `routes.toml`, if there is one.
    pub routes: Option<PathBuf>,
    /// Where usage is written before anything else, and how carefully.
    pub journal: JournalOptions,
    /// Networks besides the public internet that tenants may name in sources and webhooks.
    pub outbound_allow: Vec<IpNet>,
    /// What seals the secrets of tenants; `None`: they cannot leave any.
    pub master_keys: Option<MasterKeys>,
    /// How documents are read.
    pub parser: PoolOptions,
    /// How tenants' own models are run.
    pub serving: ServingOptions,
    /// Bounds and prices of what they predict.
    pub predictions: PredictionSettings,
    /// What is kept in memory of what was computed before.
    pub caches: CacheOptions,
    /// How well searches find what there is to find.
    pub recall: RecallOptions,
    /// How batches are worked off.
    pub batches: BatchSettings,
    /// Where the pages are, and how people sign in.
    pub site: SiteOptions,
}

/// Where the pages are, and how people sign in.
#[derive(Debug, Clone, Default)]
pub struct SiteOptions {
    /// The address as people reach it; `None`: only on this machine, or by address.
    pub public_url: Option<Url>,
    /// The operator's identity provider, if there is one.
    pub oidc: Option<OidcOptions>,
}

/// Bounds of the caches, in bytes; 0 keeps nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheOptions {
    /// Answers of chat models.
    pub responses: u64,
    /// Vectors of queries.
    pub queries: u64,
    /// Vectors of stores.
    pub accelerator: AcceleratorOptions,
    /// What tenants' own models predicted, where their models allow it.
    pub predictions: u64,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            responses: 64 * 1024 * 1024,
            queries: 16 * 1024 * 1024,
            accelerator: AcceleratorOptions::default(),
            predictions: 64 * 1024 * 1024,
        }
    }
}

/// The parts, put together.
pub struct Assembly {
    /// State of the router.
    pub app: App,
    /// What wakes workers.
    pub notifications: Notifications,
}

/// Connects, loads and checks everything that serving needs; any part that is missing or wrong is an error here and not
/// at the first request. When `stopping` is cancelled, streams that could go on for hours end.
///
/// # Errors
/// With the part's name and its own words.
pub async fn assemble(options: AssemblyOptions, stopping: CancellationToken) -> anyhow::Result<Assembly> {
    // The models load while the database connects.
    let loading: Vec<_> = options
        .models
        .into_iter()
        .map(|model| tokio::task::spawn_blocking(move || OnnxEmbedder::load(model)))
        .collect();
    let db = Db::connect(&options.db).await.context("database")?;
    let notifications = Notifications::listen(&db).await.context("database")?;
    let mut models = Models::default();
    for loaded in loading {
        let embedder: Arc<dyn Embedder> = Arc::new(loaded.await?.context("embedding model")?);
        models
            .add_embedder(&db, embedder)
            .await
            .context("embedding model")?;
    }
    for reranker in options.rerankers {
        let loading = tokio::task::spawn_blocking(move || OnnxReranker::load(&reranker));
        let (card, reranker) = loading.await?.context("rerank model")?;
        models.add_reranker(card, Arc::new(reranker));
    }
    for moderator in options.moderators {
        let loading = tokio::task::spawn_blocking(move || OnnxModerator::load(&moderator));
        let (card, moderator) = loading.await?.context("moderation model")?;
        models.add_moderator(card, Arc::new(moderator));
    }
    let default = models.default_embedder().ok();
    let source = RouteSource::new(options.routes, default.map(|model| Arc::clone(&model.embedder)));
    let routes = Routes::new(source.read().context("routes")?);
    for route in routes.list() {
        let Some(embedder) = RoutedEmbedder::new(&routes, &route) else {
            continue;
        };
        if models.find_embedder(&route.name).is_some() {
            anyhow::bail!("routes: '{}' is the name of a local embedding model", route.name);
        }
        let registered = models.add_embedder(&db, Arc::new(embedder)).await;
        registered.with_context(|| format!("routes: embedding model '{}'", route.name))?;
    }
    let blobs = LocalBlobs::open(&options.blobs)
        .with_context(|| format!("the folder of uploaded files, {}", options.blobs.display()))?;
    let authenticator = Authenticator::new(db.clone(), &notifications);
    let outbound = Arc::new(Outbound::new(Allowed::new(&options.outbound_allow)));
    let oidc = options
        .site
        .oidc
        .map(Oidc::new)
        .transpose()
        .context("identity provider")?;
    let meter = Meter::start(db.clone(), &options.journal)
        .await
        .context("the journal of usage")?;
    let services = Services {
        vault: Vault::new(db.clone(), options.master_keys),
        policies: Policies::default(),
        responses: Responses::new(options.caches.responses),
        query_embeddings: QueryEmbeddings::new(options.caches.queries),
        accelerator: Accelerator::new(options.caches.accelerator),
        recall: Recall::start(db.clone(), options.recall),
        request_logs: RequestLogs::start(db.clone()),
        searches: Searches::start(db.clone()),
        endpoints: Arc::new(LocalEndpoints),
        batches: options.batches,
        db,
        meter,
        models,
        routes,
        blobs: Arc::new(blobs),
        parser: Arc::new(ParserPool::new(options.parser)),
        runtime: Arc::new(ModelPool::new(options.serving)),
        predictions: Predictions::new(options.predictions, options.caches.predictions),
        fetcher: Arc::clone(&outbound) as _,
        caller: outbound,
    };
    Ok(Assembly {
        app: App::from(AppParts {
            services,
            route_source: Arc::new(source),
            authenticator,
            notifications: notifications.clone(),
            site: Site::new(options.site.public_url),
            oidc,
            streams: Arc::new(Semaphore::new(MAX_JOB_STREAMS)),
            stopping,
        }),
        notifications,
    })
}
