//! Configuration: what each command takes, from flags or from `INSULA_…` variables. Parsed once; `--help` is the
//! reference, and a wrong value is refused with the name of its field.

mod serving;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgAction, Args, ValueEnum};
use http::HeaderValue;
use insula_core::batch::BatchSettings;
use insula_core::search::{AcceleratorOptions, RecallOptions};
use insula_core::worker::WorkerSettings;
use insula_inference::onnx::{Device, JudgeOptions, OnnxOptions};
use insula_parse::Tools;
use insula_parse::sandbox::{Limits, PoolOptions};
use insula_tenancy::meter::JournalOptions;
use insula_tenancy::vault::MasterKeys;
use insula_tenancy::{DbConfig, PriceFactor};
use ipnet::IpNet;
use openidconnect::IssuerUrl;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::assembly::{AssemblyOptions, CacheOptions, SiteOptions};
use crate::oidc::OidcOptions;
use crate::serve::ServeOptions;

pub(crate) use self::serving::{ServingArgs, full};
pub(crate) use self::value::duration;
use self::value::{at_least_one, connections, network, origin, parser_memory, share, site};

/// Limits of the HTTP server.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "HTTP server")]
pub struct ServeArgs {
    /// How long a client may take to send a request's head; idle connections are closed after it too, so behind a load
    /// balancer it must be longer than the balancer's own idle timeout
    #[arg(long, env = "INSULA_HEADER_READ_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub header_read_timeout: Duration,
    /// Connections open at once; further ones wait
    #[arg(long, env = "INSULA_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = at_least_one)]
    pub max_connections: usize,
    /// Requests worked on at once; more are answered 503
    #[arg(long, env = "INSULA_MAX_CONCURRENT_REQUESTS", default_value_t = 1024, value_parser = at_least_one)]
    pub max_concurrent_requests: usize,
    /// Requests that one address (of IPv6, one network of 64 bits) may send per second, good or bad; 0 for any number
    #[arg(long, env = "INSULA_IP_REQUESTS_PER_SECOND", default_value_t = 10_000)]
    pub ip_requests_per_second: u32,
    /// How many of them may come at once; 0 for as many as per second
    #[arg(long, env = "INSULA_IP_BURST", default_value_t = 20_000)]
    pub ip_burst: u32,
    /// How often one address may be wrong with one key before it has to wait, longer each time; 0 for any number
    #[arg(long, env = "INSULA_FAILED_ATTEMPTS", default_value_t = 20)]
    pub failed_attempts: u32,
    /// Networks of proxies whose X-Forwarded-For says who the client is: as in 10.0.0.0/8,fd00::/8. Absent: the client is
    /// who connects
    #[arg(long, env = "INSULA_TRUSTED_PROXIES", value_delimiter = ',', value_name = "CIDR", value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// How long a request may take
    #[arg(long, env = "INSULA_REQUEST_TIMEOUT", default_value = "60s", value_parser = duration)]
    pub request_timeout: Duration,
    /// How long until chat, embeddings and uploads must begin their answer
    #[arg(long, env = "INSULA_LONG_REQUEST_TIMEOUT", default_value = "10m", value_parser = duration)]
    pub long_request_timeout: Duration,
    /// How long requests in flight may go on after the server is told to stop
    #[arg(long, env = "INSULA_SHUTDOWN_GRACE", default_value = "30s", value_parser = duration)]
    pub shutdown_grace: Duration,
    /// Largest upload in bytes
    #[arg(long, env = "INSULA_MAX_UPLOAD_BYTES", default_value_t = 512 * 1024 * 1024, value_parser = at_least_one)]
    pub max_upload_bytes: usize,
    /// Largest file of a tenant's own model, in bytes
    #[arg(long, env = "INSULA_MAX_MODEL_BYTES", default_value_t = 2 * 1024 * 1024 * 1024, value_parser = at_least_one)]
    pub max_model_bytes: usize,
    /// Largest request for a prediction, in bytes
    #[arg(long, env = "INSULA_MAX_PREDICTION_BYTES", default_value_t = 64 * 1024 * 1024, value_parser = at_least_one)]
    pub max_prediction_bytes: usize,
    /// Origins that browsers may call from, separated by commas; `*` for all
    #[arg(long, env = "INSULA_CORS_ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<HeaderValue>,
}

impl Default for ServeArgs {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            max_concurrent_requests: 1024,
            ip_requests_per_second: 10_000,
            ip_burst: 20_000,
            failed_attempts: 20,
            trusted_proxies: Vec::new(),
            request_timeout: Duration::from_secs(60),
            long_request_timeout: Duration::from_secs(600),
            shutdown_grace: Duration::from_secs(30),
            max_upload_bytes: 512 * 1024 * 1024,
            max_model_bytes: 2 * 1024 * 1024 * 1024,
            max_prediction_bytes: 64 * 1024 * 1024,
            cors_origins: Vec::new(),
        }
    }
}

impl ServeArgs {
    /// The part that concerns connections.
    pub fn options(&self) -> ServeOptions {
        ServeOptions {
            header_read_timeout: self.header_read_timeout,
            max_connections: self.max_connections,
            shutdown_grace: self.shutdown_grace,
        }
    }
}

/// Where the bootstrap put what Insula runs on.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RuntimeArgs {
    /// Folder that the bootstrap filled: Postgres for `dev`, ONNX Runtime, models
    #[arg(long, env = "INSULA_RUNTIME", default_value = ".runtime", value_name = "DIR")]
    pub runtime: PathBuf,
}

impl RuntimeArgs {
    /// The embedding model that the bootstrap prepares.
    pub fn local_model(&self) -> OnnxOptions {
        let library = self.runtime.join("onnxruntime/libonnxruntime.so");
        OnnxOptions::new(library, self.runtime.join("models/all-MiniLM-L6-v2"))
    }

    /// What the bootstrap fetched for reading documents. With full paths: it is loaded by a process in another folder.
    pub fn tools(&self) -> Tools {
        Tools {
            pdfium: self.runtime.join("pdfium/libpdfium.so").canonicalize().ok(),
        }
    }
}

/// Where tenants may send the server.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct OutboundArgs {
    /// Networks that tenants may name in sources and webhooks besides the public internet, with all their ports: as in
    /// 10.0.0.0/8,fd00::/8. Whoever has a key can reach what is there
    #[arg(long, env = "INSULA_OUTBOUND_ALLOW", value_delimiter = ',', value_name = "CIDR", value_parser = network)]
    pub outbound_allow: Vec<IpNet>,
}

/// Where the pages are, and how people sign in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Site")]
pub struct SiteArgs {
    /// The address that people use, as in https://ai.example.com. Absent: the dashboard is reached by address, or by the name
    /// localhost
    #[arg(long, env = "INSULA_PUBLIC_URL", value_name = "URL", value_parser = site)]
    pub public_url: Option<Url>,
    /// An OpenID Connect provider that people may sign in with, as in https://login.example.com. Its redirect address is
    /// PUBLIC_URL/v1/insula/sign_in/oidc/callback
    #[arg(
        long,
        env = "INSULA_OIDC_ISSUER",
        value_name = "URL",
        requires = "oidc_client_id"
    )]
    pub oidc_issuer: Option<String>,
    /// This install's id at the provider
    #[arg(
        long,
        env = "INSULA_OIDC_CLIENT_ID",
        value_name = "ID",
        requires = "oidc_issuer"
    )]
    pub oidc_client_id: Option<String>,
    /// This install's secret at the provider, if it gave one
    #[arg(
        long,
        env = "INSULA_OIDC_CLIENT_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub oidc_client_secret: Option<SecretString>,
    /// What the button says that leads to the provider
    #[arg(
        long,
        env = "INSULA_OIDC_NAME",
        default_value = "Single sign-on",
        value_name = "TEXT"
    )]
    pub oidc_name: String,
}

impl SiteArgs {
    /// What to put together.
    ///
    /// # Errors
    /// When the provider's address is none.
    pub fn options(&self) -> anyhow::Result<SiteOptions> {
        let provider = self.oidc_issuer.clone().zip(self.oidc_client_id.clone());
        let oidc = provider.map(|(issuer, client_id)| {
            anyhow::Ok(OidcOptions {
                issuer: IssuerUrl::new(issuer).context("--oidc-issuer")?,
                client_id,
                client_secret: self.oidc_client_secret.clone(),
                name: self.oidc_name.clone(),
            })
        });
        Ok(SiteOptions {
            public_url: self.public_url.clone(),
            oidc: oidc.transpose()?,
        })
    }
}

/// What seals the secrets that tenants leave.
#[derive(Debug, Clone, Args)]
pub struct MasterKeyArgs {
    /// Master keys, one per line as `insula master-key create` writes them: the first one seals the secrets of tenants,
    /// all open them. Absent: tenants cannot leave keys for providers
    #[arg(long, env = "INSULA_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// The same lines themselves, where there is no file
    #[arg(
        long,
        env = "INSULA_MASTER_KEY",
        hide_env_values = true,
        value_name = "KEYS",
        conflicts_with = "master_key_file"
    )]
    pub master_key: Option<SecretString>,
}

impl MasterKeyArgs {
    /// The keys, if any are configured.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is no key.
    pub fn read(&self) -> anyhow::Result<Option<MasterKeys>> {
        let (text, place) = match (&self.master_key_file, &self.master_key) {
            (Some(path), _) => {
                let place = path.display().to_string();
                let text = std::fs::read_to_string(path).with_context(|| place.clone())?;
                (SecretString::from(text), place)
            }
            (None, Some(text)) => (text.clone(), "INSULA_MASTER_KEY".to_owned()),
            (None, None) => return Ok(None),
        };
        MasterKeys::parse(text.expose_secret()).context(place).map(Some)
    }
}

/// How vector stores are searched.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "Search")]
pub struct SearchArgs {
    /// Memory for the vectors of stores that are searched often, in bytes: a chunk takes about as many as its vector has
    /// dimensions. 0 leaves them in the database alone
    #[arg(long, env = "INSULA_ACCELERATOR_BYTES", default_value_t = AcceleratorOptions::default().bytes)]
    pub accelerator_bytes: u64,
    /// One search of a store in so many is made again in the background, exactly, to see what it missed; 0: none
    #[arg(long, env = "INSULA_RECALL_EVERY", default_value_t = RecallOptions::default().every, value_name = "SEARCHES")]
    pub recall_every: u64,
    /// The share of the ten nearest passages that searches are to find, 0 to 1. A store that finds less looks at more candidates
    #[arg(long, env = "INSULA_RECALL_TARGET", default_value_t = RecallOptions::default().target, value_parser = share, value_name = "SHARE")]
    pub recall_target: f64,
}

impl SearchArgs {
    /// What is kept in memory.
    pub fn accelerator(&self) -> AcceleratorOptions {
        AcceleratorOptions {
            bytes: self.accelerator_bytes,
            ..AcceleratorOptions::default()
        }
    }

    /// How searches are compared.
    pub fn recall(&self) -> RecallOptions {
        RecallOptions {
            every: self.recall_every,
            target: self.recall_target,
            ..RecallOptions::default()
        }
    }
}

/// What a server or a worker is made of.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Install")]
pub struct InstallArgs {
    /// Postgres, as insula_app: postgres://insula_app:PASSWORD@HOST/DATABASE
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: SecretString,
    /// Most database connections
    #[arg(long, env = "INSULA_DATABASE_CONNECTIONS", default_value_t = 16, value_parser = connections)]
    pub database_connections: u32,
    /// How long a request waits for a database connection before it is told to come back
    #[arg(long, env = "INSULA_DATABASE_PATIENCE", default_value = "3s", value_parser = duration)]
    pub database_patience: Duration,
    /// Folder of uploaded files; all servers and workers must see the same
    #[arg(long, env = "INSULA_BLOBS", default_value = "./blobs", value_name = "DIR")]
    pub blobs: PathBuf,
    /// Folder in which usage is written down before an answer leaves; it must outlive the process, and each server needs it
    /// on a disk of its own machine
    #[arg(long, env = "INSULA_JOURNAL", default_value = "./journal", value_name = "DIR")]
    pub journal: PathBuf,
    /// Whether an answer waits until its usage is on the disk rather than with the operating system: then not even a power
    /// failure loses any
    #[arg(long, env = "INSULA_JOURNAL_SYNC", default_value_t = false, action = ArgAction::Set, value_name = "BOOL")]
    pub journal_sync: bool,
    /// Folders of local embedding models, separated by commas; the first is the default. Absent: the bootstrap's
    #[arg(long, env = "INSULA_MODELS", value_delimiter = ',', value_name = "DIR")]
    pub models: Vec<PathBuf>,
    /// Folders of local models that rank documents (cross-encoders), separated by commas
    #[arg(long, env = "INSULA_RERANK_MODELS", value_delimiter = ',', value_name = "DIR")]
    pub rerank_models: Vec<PathBuf>,
    /// Folders of local classifiers for moderations, separated by commas
    #[arg(
        long,
        env = "INSULA_MODERATION_MODELS",
        value_delimiter = ',',
        value_name = "DIR"
    )]
    pub moderation_models: Vec<PathBuf>,
    /// Shared library of ONNX Runtime. Absent: the bootstrap's
    #[arg(long, env = "INSULA_ONNXRUNTIME", value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,
    /// Where embedding models run: `cpu`, or `cuda:0` for the first NVIDIA card, which needs a CUDA build of ONNX Runtime and
    /// `model.cuda.onnx` in the model's folder. A card that cannot be used is an error at the start, never the processor instead
    #[arg(long, env = "INSULA_EMBED_DEVICE", default_value_t = Device::Cpu, value_name = "DEVICE")]
    pub embed_device: Device,
    /// Copies of each local model; each takes its own memory
    #[arg(long, env = "INSULA_MODEL_SESSIONS", default_value_t = 1, value_parser = at_least_one)]
    pub model_sessions: usize,
    /// Threads of each copy. Absent: one per core
    #[arg(long, env = "INSULA_MODEL_THREADS", value_parser = at_least_one)]
    pub model_threads: Option<usize>,
    /// Chat models and their providers (routes.toml). Absent: only insula/extractive
    #[arg(long, env = "INSULA_ROUTES", value_name = "FILE")]
    pub routes: Option<PathBuf>,
    /// Memory for answers of chat models that callers let be given again, in bytes; 0 keeps none
    #[arg(long, env = "INSULA_RESPONSE_CACHE_BYTES", default_value_t = CacheOptions::default().responses)]
    pub response_cache_bytes: u64,
    /// Memory for the vectors of queries of late, in bytes; 0 keeps none
    #[arg(long, env = "INSULA_QUERY_CACHE_BYTES", default_value_t = CacheOptions::default().queries)]
    pub query_cache_bytes: u64,
    /// Lines of one batch that are called at once
    #[arg(long, env = "INSULA_BATCH_LINES_AT_ONCE", default_value_t = 8, value_parser = at_least_one)]
    pub batch_lines_at_once: usize,
    /// What the cost of calls in batches is multiplied by: 0.5 is half the price. The same for all workers
    #[arg(long, env = "INSULA_BATCH_PRICE_FACTOR", default_value_t = PriceFactor::WHOLE, value_name = "FACTOR")]
    pub batch_price_factor: PriceFactor,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
    #[command(flatten)]
    pub(crate) master_keys: MasterKeyArgs,
    #[command(flatten)]
    pub(crate) outbound: OutboundArgs,
    /// Memory for what tenants' own models predicted, where their models allow it, in bytes; 0 keeps none
    #[arg(long, env = "INSULA_PREDICTION_CACHE_BYTES", default_value_t = CacheOptions::default().predictions)]
    pub prediction_cache_bytes: u64,
    #[command(flatten)]
    pub(crate) parser: ParserArgs,
    #[command(flatten)]
    pub(crate) serving: ServingArgs,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
}

impl InstallArgs {
    /// What to put together, for so many jobs at once.
    ///
    /// # Errors
    /// When the master keys cannot be read.
    pub fn assembly(&self, concurrency: usize) -> anyhow::Result<AssemblyOptions> {
        Ok(AssemblyOptions {
            db: self.db(),
            blobs: self.blobs.clone(),
            models: self.local_models(),
            rerankers: self.judges(&self.rerank_models),
            moderators: self.judges(&self.moderation_models),
            routes: self.routes.clone(),
            journal: JournalOptions {
                folder: self.journal.clone(),
                sync: self.journal_sync,
            },
            outbound_allow: self.outbound.outbound_allow.clone(),
            master_keys: self.master_keys.read()?,
            parser: self.parser(concurrency),
            caches: CacheOptions {
                responses: self.response_cache_bytes,
                queries: self.query_cache_bytes,
                accelerator: self.search.accelerator(),
                predictions: self.prediction_cache_bytes,
            },
            recall: self.search.recall(),
            serving: self.serving.options(self.library()),
            predictions: self.serving.predictions(),
            batches: BatchSettings {
                lines_at_once: self.batch_lines_at_once,
                price_factor: self.batch_price_factor,
            },
            site: SiteOptions::default(),
        })
    }

    /// How documents are read, when so many jobs run at once.
    pub fn parser(&self, concurrency: usize) -> PoolOptions {
        PoolOptions {
            tools: self.runtime.tools(),
            ..self.parser.options(concurrency)
        }
    }

    /// How to reach the database.
    pub fn db(&self) -> DbConfig {
        DbConfig {
            max_connections: self.database_connections,
            acquire_timeout: self.database_patience,
            ..DbConfig::new(self.database_url.clone())
        }
    }

    /// The shared library of ONNX Runtime.
    fn library(&self) -> PathBuf {
        self.onnxruntime
            .clone()
            .unwrap_or_else(|| self.runtime.local_model().library)
    }

    /// The models in these folders that score texts.
    fn judges(&self, folders: &[PathBuf]) -> Vec<JudgeOptions> {
        let OnnxOptions { threads, .. } = self.runtime.local_model();
        let library = self.library();
        let options = |folder: &PathBuf| JudgeOptions {
            library: library.clone(),
            model_dir: folder.clone(),
            threads: self.model_threads.unwrap_or(threads),
        };
        folders.iter().map(options).collect()
    }

    /// What to load.
    pub fn local_models(&self) -> Vec<OnnxOptions> {
        let bootstrap = self.runtime.local_model();
        let library = self.library();
        let folders = if self.models.is_empty() {
            vec![bootstrap.model_dir]
        } else {
            self.models.clone()
        };
        let options = |folder| {
            let mut options = OnnxOptions::new(&library, folder).on(self.embed_device);
            options.sessions = self.model_sessions;
            options.threads = self.model_threads.unwrap_or(options.threads);
            options
        };
        folders.into_iter().map(options).collect()
    }
}

/// Limits of the processes that read documents.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Parser")]
pub struct ParserArgs {
    /// Documents read at once, each in a process of its own. Absent: as many as jobs at once
    #[arg(long, env = "INSULA_PARSER_PROCESSES", value_parser = at_least_one)]
    pub parser_processes: Option<usize>,
    /// Memory that reading one document may take, in MiB
    #[arg(long, env = "INSULA_PARSER_MEMORY", default_value_t = 512, value_parser = parser_memory)]
    pub parser_memory: u64,
    /// Processor time that reading one document may take, in whole seconds
    #[arg(long, env = "INSULA_PARSER_CPU_TIME", default_value = "60s", value_parser = duration)]
    pub parser_cpu_time: Duration,
    /// How long reading one document may take
    #[arg(long, env = "INSULA_PARSER_TIME", default_value = "120s", value_parser = duration)]
    pub parser_time: Duration,
    /// After how many documents a process is replaced by a new one
    #[arg(long, env = "INSULA_PARSER_DOCUMENTS", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub parser_documents: u32,
    /// How long a process may have nothing to read before it is stopped
    #[arg(long, env = "INSULA_PARSER_IDLE", default_value = "60s", value_parser = duration)]
    pub parser_idle: Duration,
}

impl ParserArgs {
    fn options(&self, concurrency: usize) -> PoolOptions {
        PoolOptions {
            children: self.parser_processes.unwrap_or(concurrency),
            limits: Limits {
                memory: self.parser_memory * 1024 * 1024,
                cpu: self.parser_cpu_time,
                wall: self.parser_time,
            },
            documents_per_child: self.parser_documents,
            idle_for: self.parser_idle,
            ..PoolOptions::default()
        }
    }
}

/// How much background work is done at once.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Worker")]
pub struct WorkerArgs {
    /// Jobs at once in this process that are bound by the processor: reading and embedding
    #[arg(long, env = "INSULA_WORKER_CONCURRENCY", default_value_t = 4, value_parser = at_least_one)]
    pub worker_concurrency: usize,
    /// Jobs at once in this process besides those, that mostly wait: deliveries, deletions, sweeps
    #[arg(long, env = "INSULA_WORKER_LIGHT_CONCURRENCY", default_value_t = 8, value_parser = at_least_one)]
    pub worker_light_concurrency: usize,
    /// Batches of calls at once in this process, besides those
    #[arg(long, env = "INSULA_WORKER_BATCH_CONCURRENCY", default_value_t = 2, value_parser = at_least_one)]
    pub worker_batch_concurrency: usize,
    /// Jobs at once of one tenant, over all workers; of each of the three sorts
    #[arg(long, env = "INSULA_WORKER_TENANT_CAP", default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..))]
    pub worker_tenant_cap: i32,
}

impl WorkerArgs {
    /// The worker's settings.
    pub fn settings(&self) -> WorkerSettings {
        WorkerSettings {
            concurrency: self.worker_concurrency,
            light_concurrency: self.worker_light_concurrency,
            batch_concurrency: self.worker_batch_concurrency,
            tenant_cap: self.worker_tenant_cap,
            ..WorkerSettings::default()
        }
    }
}

/// `insula serve`
#[derive(Debug, Clone, Args)]
pub struct ServeCommand {
    /// Address to listen on; port 0 takes a free one
    #[arg(
        long,
        env = "INSULA_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,
    /// Whether background work is done here as well, rather than by `insula worker` alone
    #[arg(long, env = "INSULA_WORKER", default_value_t = true, action = ArgAction::Set, value_name = "BOOL")]
    pub worker: bool,
    #[command(flatten)]
    pub(crate) install: InstallArgs,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    #[command(flatten)]
    pub(crate) site: SiteArgs,
    #[command(flatten)]
    pub(crate) jobs: WorkerArgs,
}

/// What is logged, to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct LogArgs {
    /// What to log, as in `info,insula_core=debug`. Absent: info for `serve` and `worker`, warn for everything that a
    /// person watches
    #[arg(long, env = "INSULA_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// How
    #[arg(
        long,
        env = "INSULA_LOG_FORMAT",
        default_value = "text",
        global = true,
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object per line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn parse(arguments: &[&str]) -> Result<ServeArgs, String> {
        let arguments = ["insula"].iter().chain(arguments);
        Alone::try_parse_from(arguments)
            .map(|alone| alone.serve)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        assert_eq!(parse(&[]).unwrap(), ServeArgs::default());
    }

    #[test]
    fn wrong_values_name_their_field_and_what_would_be_right() {
        for (arguments, field, advice) in [
            (["--header-read-timeout", "ten"], "--header-read-timeout", "10s"),
            (
                ["--request-timeout", "0s"],
                "--request-timeout",
                "longer than nothing",
            ),
            (["--max-connections", "0"], "--max-connections", "at least 1"),
            (
                ["--cors-origins", "example.com"],
                "--cors-origins",
                "https://app.example.com",
            ),
            (
                ["--cors-origins", "https://a.example/path"],
                "--cors-origins",
                "https://app.example.com",
            ),
        ] {
            let error = parse(&arguments).unwrap_err();
            assert!(error.contains(field) && error.contains(advice), "{error}");
        }
    }

    #[test]
    fn origins_are_a_list() {
        let origins = parse(&["--cors-origins", "https://a.example, http://localhost:5173"])
            .unwrap()
            .cors_origins;
        assert_eq!(origins, ["https://a.example", "http://localhost:5173"]);
    }
}
