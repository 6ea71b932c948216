//! Puts the parts together: database, models, blobs, parser.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use insula_core::blob::LocalBlobs;
use insula_core::chat::extractive::Extractive;
use insula_core::model::{ChatModel, Embedder};
use insula_core::{ChatRoute, Models, Services};
use insula_inference::endpoint::Connection;
use insula_inference::onnx::{OnnxEmbedder, OnnxOptions};
use insula_inference::routes::{ProviderKind, Routes};
use insula_outbound::{Allowed, Outbound};
use insula_parse::sandbox::{ParserPool, PoolOptions};
use insula_tenancy::meter::{JournalOptions, Meter};
use insula_tenancy::vault::{MasterKeys, Vault};
use insula_tenancy::{Authenticator, Db, DbConfig, Notifications};
use ipnet::IpNet;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::app::{App, MAX_JOB_STREAMS};

/// What a server or worker is made of.
#[derive(Debug, Clone)]
pub struct AssemblyOptions {
    /// The database, as `insula_app`.
    pub db: DbConfig,
    /// Folder of uploaded files.
    pub blobs: PathBuf,
    /// Local embedding models; the first is the default of new vector stores.
    pub models: Vec<OnnxOptions>,
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
}

/// The parts, put together.
pub struct Assembly {
    /// State of the router.
    pub app: App,
    /// What wakes workers.
    pub notifications: Notifications,
}

/// Connects, loads and checks everything that serving needs; any part that is missing or wrong is an error here and not
/// at the first request.
///
/// # Errors
/// With the part's name and its own words.
pub async fn assemble(options: AssemblyOptions) -> anyhow::Result<Assembly> {
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
    let routes = match &options.routes {
        Some(path) => Routes::from_file(path).context("routes")?,
        None => Routes::builtin(),
    };
    add_chat_routes(&mut models, &routes)?;
    let blobs = LocalBlobs::open(&options.blobs)
        .with_context(|| format!("the folder of uploaded files, {}", options.blobs.display()))?;
    let authenticator = Authenticator::new(db.clone(), &notifications);
    let outbound = Arc::new(Outbound::new(Allowed::new(&options.outbound_allow)));
    let meter = Meter::start(db.clone(), &options.journal)
        .await
        .context("the journal of usage")?;
    let services = Services {
        vault: Vault::new(db.clone(), options.master_keys),
        db,
        meter,
        models,
        blobs: Arc::new(blobs),
        parser: Arc::new(ParserPool::new(options.parser)),
        fetcher: Arc::clone(&outbound) as _,
        caller: outbound,
    };
    Ok(Assembly {
        app: App {
            services,
            authenticator,
            notifications: notifications.clone(),
            streams: Arc::new(Semaphore::new(MAX_JOB_STREAMS)),
            stopping: CancellationToken::new(),
        },
        notifications,
    })
}

fn add_chat_routes(models: &mut Models, routes: &Routes) -> anyhow::Result<()> {
    // Each provider once, so that its routes share connections.
    let mut connected: HashMap<&str, Connection> = HashMap::new();
    for route in routes.routes() {
        // Failover over several targets is the gateway's; the first target serves until then.
        let Some(target) = route.targets.first() else {
            continue;
        };
        let provider = routes
            .provider(&target.provider)
            .with_context(|| format!("routes: the model '{}' names an unknown provider", route.model))?;
        let model: Arc<dyn ChatModel> = match &provider.kind {
            ProviderKind::Extractive => {
                let embedder = models
                    .default_embedder()
                    .ok()
                    .map(|model| Arc::clone(&model.embedder));
                Arc::new(Extractive::new(embedder))
            }
            ProviderKind::Http(endpoint) => {
                let connection = match connected.entry(&provider.name) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => {
                        let connection = endpoint.connect(&provider.name, |name| std::env::var(name).ok());
                        entry.insert(connection.with_context(|| format!("provider '{}'", provider.name))?)
                    }
                };
                connection.chat()
            }
        };
        models.add_chat(
            route.model.clone(),
            ChatRoute {
                model,
                upstream_model: target.upstream_model.clone(),
                owned_by: route.owned_by.clone(),
            },
        );
    }
    Ok(())
}
