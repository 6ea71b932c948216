//! The database of a development install: the embedded one, or the one that `DATABASE_URL` names.

use std::path::Path;

use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};

use super::credentials;
use super::postgres::{EmbeddedPostgres, PostgresOptions};

/// Name of the database in the embedded Postgres.
const DATABASE: &str = "insula";
/// The server's login.
const APP: &str = "insula_app";

/// A database that is ready to serve.
pub(super) struct Database {
    /// As `insula_app`.
    pub(super) app_url: SecretString,
    /// Set when this process started it and must stop it.
    pub(super) embedded: Option<EmbeddedPostgres>,
}

/// Starts the embedded Postgres below `data` and brings its schema up to date.
pub(super) async fn start_embedded(runtime: &Path, data: &Path) -> Result<Database> {
    let embedded = EmbeddedPostgres::start(PostgresOptions {
        install: runtime.join("postgres"),
        data: data.join("postgres"),
        port: None,
        durable: true,
    })
    .await
    .context("embedded Postgres")?;
    insula_tenancy::create_database(&embedded.admin_url("postgres"), DATABASE).await?;
    let password = credentials::app_password(data)?;
    let admin_url = embedded.admin_url(DATABASE);
    insula_tenancy::migrate(&admin_url, Some(&password))
        .await
        .context("migrations")?;
    let app_url = with_login(&admin_url, APP, &password)?;
    Ok(Database {
        app_url,
        embedded: Some(embedded),
    })
}

/// Uses the Postgres that `url` names. With a login that may create roles it is brought up to date and served as
/// `insula_app`; with `insula_app` itself it must have been migrated before.
pub(super) async fn use_external(url: &SecretString, data: &Path) -> Result<Database> {
    if login(url)? == APP {
        return Ok(Database {
            app_url: url.clone(),
            embedded: None,
        });
    }
    let password = credentials::app_password(data)?;
    insula_tenancy::migrate(url, Some(&password))
        .await
        .context("migrations")?;
    Ok(Database {
        app_url: with_login(url, APP, &password)?,
        embedded: None,
    })
}

/// The database that a command-line tool should talk to: `DATABASE_URL`, else the embedded Postgres that serves `data`.
///
/// # Errors
/// When neither is there.
pub fn find_database(
    database_url: Option<&SecretString>,
    runtime: &Path,
    data: &Path,
) -> Result<SecretString> {
    if let Some(url) = database_url {
        return match (login(url)? == APP, credentials::read_app_password(data)?) {
            (false, Some(password)) => with_login(url, APP, &password),
            _ => Ok(url.clone()),
        };
    }
    let running =
        EmbeddedPostgres::find_running(&runtime.join("postgres"), &data.join("postgres"), DATABASE)?;
    let password = credentials::read_app_password(data)?;
    let (Some(admin_url), Some(password)) = (running, password) else {
        bail!(
            "no database: set DATABASE_URL, or start `insula dev --data {0}` and name the same folder with --data",
            data.display()
        );
    };
    with_login(&admin_url, APP, &password)
}

fn parse(url: &SecretString) -> Result<reqwest::Url> {
    reqwest::Url::parse(url.expose_secret())
        .ok()
        .context("DATABASE_URL is not a postgres:// address")
}

fn login(url: &SecretString) -> Result<String> {
    Ok(parse(url)?.username().to_owned())
}

fn with_login(url: &SecretString, login: &str, password: &SecretString) -> Result<SecretString> {
    let mut url = parse(url)?;
    let changed = url
        .set_username(login)
        .and_then(|()| url.set_password(Some(password.expose_secret())));
    if changed.is_err() {
        bail!("DATABASE_URL has no host");
    }
    Ok(String::from(url).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_an_address_is_replaced_and_the_rest_kept() {
        let url = SecretString::from("postgres://root:p%40ss@db.example:5433/insula?sslmode=require");
        let changed = with_login(&url, APP, &"secret".into()).unwrap();
        assert_eq!(
            changed.expose_secret(),
            "postgres://insula_app:secret@db.example:5433/insula?sslmode=require"
        );
        assert_eq!(login(&changed).unwrap(), APP);
    }
}
