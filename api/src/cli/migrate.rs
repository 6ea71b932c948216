//! `insula migrate`

use anyhow::Context;
use clap::Args;
use secrecy::SecretString;

/// How to reach the database as somebody who may change it.
#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Postgres, as a login that may create roles
    #[arg(
        long,
        env = "INSULA_ADMIN_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    admin_url: SecretString,
    /// Becomes the password of insula_app, the server's login: letters and digits. Absent: it is left as it is
    #[arg(
        long,
        env = "INSULA_APP_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    app_password: Option<SecretString>,
}

pub(super) async fn run(args: MigrateArgs) -> anyhow::Result<()> {
    insula_tenancy::migrate(&args.admin_url, args.app_password.as_ref())
        .await
        .context("migrations")?;
    tracing::info!("the database is up to date");
    Ok(())
}
