//! Which install a command-line tool acts on.

use std::path::PathBuf;

use clap::Args;
use insula_tenancy::{Db, DbConfig};
use secrecy::SecretString;

use crate::config::RuntimeArgs;

/// The database of an install: `DATABASE_URL`, or the one that `insula dev` runs on a data folder.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// Postgres, as insula_app
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<SecretString>,
    /// Data folder of a running `insula dev`
    #[arg(
        long,
        env = "INSULA_DATA",
        default_value = ".runtime/data",
        value_name = "DIR"
    )]
    data: PathBuf,
    #[command(flatten)]
    runtime: RuntimeArgs,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl TargetArgs {
    /// Connects to the install.
    pub(super) async fn connect(&self) -> anyhow::Result<Db> {
        let url = crate::dev::find_database(self.database_url.as_ref(), &self.runtime.runtime, &self.data)?;
        Ok(Db::connect(&DbConfig {
            max_connections: 1,
            ..DbConfig::new(url)
        })
        .await?)
    }
}
