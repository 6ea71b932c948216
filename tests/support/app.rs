//! The server under test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use insula::app::App;
use insula::assembly::{AssemblyOptions, CacheOptions, SiteOptions, assemble};
use insula::config::ServeArgs;
use insula_core::Services;
use insula_core::batch::BatchSettings;
use insula_core::prediction::PredictionSettings;
use insula_core::search::RecallOptions;
use insula_core::worker::{self, WorkerSettings};
use insula_parse::Tools;
use insula_parse::sandbox::PoolOptions;
use insula_serving::{ModelLimits, PoolOptions as ServingOptions};
use insula_tenancy::key::{self, NewKey};
use insula_tenancy::meter::JournalOptions;
use insula_tenancy::vault::MasterKeys;
use insula_tenancy::{
    Authenticator, Db, DbConfig, Notifications, Scope, TenantContext, TenantId, operator, tenant,
};
use ipnet::IpNet;
use reqwest::Url;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::judge;
use crate::model::{bootstrap_options, options};
use crate::{BagOfWords, Client, Database, FaultProxy, eventually, insula_binary, runtime};

/// What a test may choose.
pub struct Setup {
    /// Whether jobs run by themselves, or only in [`TestApp::run_jobs`].
    pub worker: bool,
    /// Most database connections of the server.
    pub connections: u32,
    /// The text of `routes.toml`, if there is one.
    pub routes: Option<String>,
    /// Embedding models besides the bootstrap's.
    pub models: Vec<BagOfWords>,
    /// Whether there are models that score texts: [`crate::RERANKER`] and [`crate::MODERATOR`].
    pub judges: bool,
    /// Whether the server reaches Postgres through a [`FaultProxy`].
    pub proxy: bool,
    /// The superuser's URL of a cluster of the test's own.
    pub cluster: Option<Url>,
    /// Networks besides the public internet that tenants may name, as in `127.0.0.0/8`.
    pub outbound_allow: Vec<IpNet>,
    /// Whether tenants can leave secrets.
    pub vault: bool,
    /// Limits of the HTTP server.
    pub serve: ServeArgs,
    /// Limits of the processes that read documents; their program is the real one.
    pub parser: PoolOptions,
    /// What is kept in memory of what was computed before.
    pub caches: CacheOptions,
    /// How well searches find what there is to find.
    pub recall: RecallOptions,
    /// Limits of the processes that run tenants' models; their program is the real one.
    pub serving: ServingOptions,
    /// Bounds and prices of what they predict.
    pub predictions: PredictionSettings,
    /// How batches are worked off.
    pub batches: BatchSettings,
    /// Where the pages are, and how people sign in.
    pub site: SiteOptions,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            worker: true,
            connections: 8,
            routes: None,
            models: Vec::new(),
            judges: false,
            proxy: false,
            outbound_allow: Vec::new(),
            cluster: None,
            vault: true,
            serve: ServeArgs::default(),
            parser: PoolOptions::default(),
            caches: CacheOptions::default(),
            recall: RecallOptions::default(),
            serving: ServingOptions::default(),
            predictions: PredictionSettings::default(),
            batches: BatchSettings::default(),
            site: SiteOptions::default(),
        }
    }
}

/// The real server on a free port, with a database of its own, the real model, and blobs in a temporary folder.
pub struct TestApp {
    /// Where it listens.
    pub address: SocketAddr,
    /// The parts, for what cannot be done over HTTP.
    pub services: Services,
    /// Its first door.
    pub authenticator: Authenticator,
    /// Between the server and Postgres, if [`Setup::proxy`] asked for it.
    pub proxy: Option<FaultProxy>,
    /// Its database.
    pub database: Database,
    /// The folders of its models, the default first.
    pub model_folders: Vec<PathBuf>,
    notifications: Notifications,
    owner: PgPool,
    folder: TempDir,
    parts: AssemblyOptions,
    serve: ServeArgs,
    _server: AbortOnDrop,
    _stop: DropGuard,
}

/// Another server on the same install.
pub struct SecondServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// The parts, for what cannot be done over HTTP.
    pub services: Services,
    _server: AbortOnDrop,
    _stop: DropGuard,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Steps that tests take at once, rather than in the pace of production.
fn eager() -> WorkerSettings {
    WorkerSettings {
        poll_every: Duration::from_millis(20),
        ..WorkerSettings::default()
    }
}

impl TestApp {
    /// With a worker in the background.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// Where jobs wait for [`TestApp::run_jobs`].
    pub async fn without_worker() -> Self {
        Self::with(Setup {
            worker: false,
            ..Setup::default()
        })
        .await
    }

    /// As the test chooses.
    ///
    /// # Panics
    /// When a part is missing; its own words say which, and `make test` provides it.
    pub async fn with(setup: Setup) -> Self {
        start_logging();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = match setup.cluster {
            Some(cluster) => Database::create_in(cluster).await,
            None => Database::create().await,
        };
        let owner = database.owner().await;
        let mut url = database.app_url();
        let proxy = if setup.proxy {
            Some(FaultProxy::start(database.address()).await)
        } else {
            None
        };
        if let Some(proxy) = &proxy {
            url.set_ip_host(proxy.address().ip())
                .expect("a postgres URL has a host");
            url.set_port(Some(proxy.address().port()))
                .expect("a postgres URL has a port");
        }
        let routes = setup.routes.map(|text| {
            let path = folder.path().join("routes.toml");
            std::fs::write(&path, text).expect("writing routes.toml");
            path
        });
        let more = setup
            .models
            .iter()
            .map(|model| options(model.write(folder.path())));
        let models: Vec<_> = std::iter::once(bootstrap_options()).chain(more).collect();
        let model_folders = models.iter().map(|model| model.model_dir.clone()).collect();
        let db = DbConfig {
            max_connections: setup.connections,
            ..DbConfig::new(url.to_string().into())
        };
        let options = AssemblyOptions {
            db,
            blobs: folder.path().join("blobs"),
            models,
            rerankers: setup
                .judges
                .then(|| judge::reranker(folder.path()))
                .into_iter()
                .collect(),
            moderators: setup
                .judges
                .then(|| judge::moderator(folder.path()))
                .into_iter()
                .collect(),
            routes,
            journal: JournalOptions {
                folder: folder.path().join("journal"),
                sync: false,
            },
            outbound_allow: setup.outbound_allow,
            master_keys: setup.vault.then(|| {
                MasterKeys::parse(MasterKeys::generate().expose_secret()).expect("a new key can be read")
            }),
            parser: PoolOptions {
                program: insula_binary().await,
                tools: tools(),
                ..setup.parser
            },
            serving: ServingOptions {
                program: insula_binary().await,
                library: std::path::absolute(runtime().join("onnxruntime/libonnxruntime.so"))
                    .expect("the current folder"),
                limits: ModelLimits {
                    // Tests run beside each other.
                    threads: 1,
                    ..setup.serving.limits
                },
                ..setup.serving
            },
            predictions: setup.predictions,
            caches: setup.caches,
            recall: setup.recall,
            batches: setup.batches,
            site: setup.site,
        };
        let stop = CancellationToken::new();
        let parts = options.clone();
        let assembly = assemble(options, stop.clone())
            .await
            .expect("putting the server together");
        let (services, authenticator) = (assembly.app.services.clone(), assembly.app.authenticator.clone());

        if setup.worker {
            tokio::spawn(worker::run(
                services.clone(),
                assembly.notifications.clone(),
                eager(),
                stop.clone(),
            ));
        }
        let (address, server) = listen(assembly.app, &setup.serve, &stop).await;
        Self {
            address,
            services,
            authenticator,
            proxy,
            database,
            model_folders,
            notifications: assembly.notifications,
            owner,
            folder,
            parts,
            serve: setup.serve,
            _server: server,
            _stop: stop.drop_guard(),
        }
    }

    /// Starts another server on the same database and files, without a worker.
    pub async fn second_server(&self) -> SecondServer {
        let stop = CancellationToken::new();
        let assembly = assemble(self.parts.clone(), stop.clone())
            .await
            .expect("putting a second server together");
        let services = assembly.app.services.clone();
        let (address, server) = listen(assembly.app, &self.serve, &stop).await;
        SecondServer {
            address,
            services,
            _server: server,
            _stop: stop.drop_guard(),
        }
    }

    /// The superuser's connections: for seeding and looking only.
    pub fn owner(&self) -> &PgPool {
        &self.owner
    }

    /// Where uploaded files are.
    pub fn blobs(&self) -> PathBuf {
        self.folder.path().join("blobs")
    }

    /// The uploaded files there are on disk, by their path below [`TestApp::blobs`].
    pub fn blob_names(&self) -> Vec<String> {
        fn below(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).expect("the folder of blobs") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    below(&path, found)
                } else {
                    found.push(path)
                }
            }
        }
        let mut found = Vec::new();
        below(&self.blobs(), &mut found);
        let name = |path: &PathBuf| {
            path.strip_prefix(self.blobs())
                .expect("below it")
                .display()
                .to_string()
        };
        found.iter().map(name).collect()
    }

    /// Two tenants, each with a key that may do everything.
    pub async fn two_tenants(&self) -> (Client, Client) {
        (self.tenant("ada").await, self.tenant("bob").await)
    }

    /// A new tenant with a key that may do everything.
    pub async fn tenant(&self, name: &str) -> Client {
        let mut tx = self
            .services
            .db
            .operator()
            .await
            .expect("the operator's transaction");
        let tenant = tenant::create(&mut tx, name).await.expect("a tenant");
        let created = key::create(&mut tx, tenant.id, &NewKey::all_scopes("test"))
            .await
            .expect("a key");
        tx.commit().await.expect("commit");
        self.client(tenant.id, created.key.expose_secret())
    }

    /// Another key of a client's tenant, with these scopes only.
    pub async fn with_scopes(&self, of: &Client, scopes: &[Scope]) -> Client {
        let mut tx = self
            .services
            .db
            .operator()
            .await
            .expect("the operator's transaction");
        let new = NewKey {
            name: "narrow".into(),
            scopes: scopes.to_vec(),
            expires_in: None,
        };
        let created = key::create(&mut tx, of.tenant_id(), &new).await.expect("a key");
        tx.commit().await.expect("commit");
        self.client(of.tenant_id(), created.key.expose_secret())
    }

    /// The operator, with a key for its API.
    pub async fn operator(&self) -> Client {
        let mut tx = self
            .services
            .db
            .operator()
            .await
            .expect("the operator's transaction");
        let created = operator::key::create(&mut tx, "test", None).await.expect("a key");
        tx.commit().await.expect("commit");
        // Of no tenant.
        self.client(TenantId::generate(), created.key.expose_secret())
    }

    /// The password of [`TestApp::runner`]s.
    pub const PASSWORD: &str = "three-gulls-and-a-kettle";

    /// The page of somebody who runs the install, and is a member of no tenant.
    pub async fn runner(&self, email: &str) -> Client {
        let operator = self.operator().await;
        let invite = serde_json::json!({"email": email, "role": "owner"});
        let invite = operator.post("/v1/organization/invites", invite).await.ok();
        let page = operator.page();
        let accept = serde_json::json!({"token": invite["token"], "password": Self::PASSWORD});
        let answer = page.post("/v1/insula/invitations/accept", accept).await;
        answer.ok();
        page.with_session_of(&answer)
    }

    /// Removes the tenants whose removal was asked for, and what came late of others.
    pub async fn run_erasures(&self) {
        insula_core::erasure::remove_all(&self.services, true)
            .await
            .expect("removing tenants");
    }

    /// A client that sends `key`, whatever it is.
    pub fn client(&self, tenant_id: TenantId, key: &str) -> Client {
        Client::new(self.address, tenant_id, key)
    }

    /// The context of a client's key, through the door that every caller takes.
    pub async fn context(&self, of: &Client) -> TenantContext {
        self.authenticator
            .authenticate(of.key())
            .await
            .expect("a good key")
    }

    /// A connection pool of its own to the same database, as another node would have.
    pub async fn another_node(&self, connections: u32) -> Db {
        let url = self.database.app_url().to_string().into();
        let config = DbConfig {
            max_connections: connections,
            ..DbConfig::new(url)
        };
        Db::connect(&config).await.expect("connecting as insula_app")
    }

    /// Makes the jobs of a kind that are planned for later due now.
    pub async fn bring_forward(&self, kind: &str) {
        let due = sqlx::query("update jobs set run_at = now() where kind = $1 and state = 'ready'")
            .bind(kind)
            .execute(&self.owner)
            .await
            .expect("changing jobs");
        assert!(due.rows_affected() > 0, "no job of the kind {kind} waits");
    }

    /// Runs jobs until none is left but those that are planned for later, without waiting for the time that failed ones
    /// would.
    pub async fn run_jobs(&self) {
        let stop = CancellationToken::new();
        let worker = tokio::spawn(worker::run(
            self.services.clone(),
            self.notifications.clone(),
            eager(),
            stop.clone(),
        ));
        eventually("the queue runs empty", async || {
            sqlx::query(
                "update jobs set run_at = now() where state = 'ready' and run_at > now() and attempt > 0",
            )
            .execute(&self.owner)
            .await
            .expect("skipping backoff");
            let left: i64 = sqlx::query_scalar(
                "select count(*) from jobs where state = 'running' or state = 'ready' and (run_at <= now() or attempt > 0)",
            )
            .fetch_one(&self.owner)
            .await
            .expect("counting jobs");
            (left == 0).then_some(())
        })
        .await;
        stop.cancel();
        worker.await.expect("the worker");
    }
}

/// Serves on a free port.
async fn listen(app: App, serve: &ServeArgs, stop: &CancellationToken) -> (SocketAddr, AbortOnDrop) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let router = insula::router::router(app, serve);
    let (options, stopped) = (serve.options(), stop.clone().cancelled_owned());
    let server = tokio::spawn(async move {
        insula::serve::serve(listener, router, options, stopped)
            .await
            .expect("serving");
    });
    (address, AbortOnDrop(server))
}

/// What the bootstrap fetched for reading documents.
fn tools() -> Tools {
    Tools {
        pdfium: runtime().join("pdfium/libpdfium.so").canonicalize().ok(),
    }
}

/// Logs go to the test's output, which nextest shows when it fails. `INSULA_LOG` says how much.
fn start_logging() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = std::env::var("INSULA_LOG").unwrap_or_else(|_| "warn".into());
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_test_writer()
            .init();
    });
}
