//! `insula dev` and `insula demo`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use crate::assembly::SiteOptions;
use crate::config::{OutboundArgs, RuntimeArgs, SearchArgs, ServeArgs, SiteArgs, full};
use crate::dev::DevOptions;

/// `insula dev`
#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(
        long,
        env = "INSULA_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// Print one JSON line when ready, and ask no question
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    show: ShowArgs,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    site: SiteArgs,
}

/// `insula demo`
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    show: ShowArgs,
}

/// What both take.
#[derive(Debug, Args)]
struct ShowArgs {
    /// Where everything that must be kept is: the one folder to back up
    #[arg(
        long,
        env = "INSULA_DATA",
        default_value = ".runtime/data",
        value_name = "DIR"
    )]
    data: PathBuf,
    /// A Postgres to use instead of the embedded one
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<SecretString>,
    /// Chat models and their providers (routes.toml). Absent: only insula/extractive
    #[arg(long, env = "INSULA_ROUTES", value_name = "FILE")]
    routes: Option<PathBuf>,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    outbound: OutboundArgs,
    /// Documents to ingest at the first start, separated by commas
    #[arg(
        long,
        env = "INSULA_SAMPLES",
        value_delimiter = ',',
        default_value = "ARCHITECTURE.md",
        value_name = "FILES"
    )]
    samples: Vec<PathBuf>,
    /// What to ask of them
    #[arg(
        long,
        env = "INSULA_QUESTION",
        default_value = "How are tenants kept apart?",
        value_name = "TEXT"
    )]
    question: String,
    /// Load no embedding model: no ingestion and no search by meaning, but little memory
    #[arg(long, env = "INSULA_NO_EMBEDDING_MODEL")]
    no_embedding_model: bool,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

impl DevArgs {
    pub(super) fn options(self) -> anyhow::Result<DevOptions> {
        Ok(DevOptions {
            listen: self.listen,
            json: self.json,
            serve: self.serve,
            site: self.site.options()?,
            once: false,
            ..self.show.options()
        })
    }
}

impl DemoArgs {
    pub(super) fn options(self) -> DevOptions {
        DevOptions {
            once: true,
            ..self.show.options()
        }
    }
}

impl ShowArgs {
    fn options(self) -> DevOptions {
        DevOptions {
            data: self.data,
            models: if self.no_embedding_model {
                Vec::new()
            } else {
                vec![self.runtime.local_model()]
            },
            tools: self.runtime.tools(),
            library: full(self.runtime.local_model().library),
            runtime: self.runtime.runtime,
            // Nobody connects to a demo but itself.
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            database_url: self.database_url,
            routes: self.routes,
            outbound_allow: self.outbound.outbound_allow,
            json: false,
            once: false,
            samples: self.samples,
            question: self.question,
            search: self.search,
            serve: ServeArgs::default(),
            site: SiteOptions::default(),
        }
    }
}
