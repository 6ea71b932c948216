//! A migrated database per test, cloned from a template that the first test of the cluster makes.

use std::path::Path;

use reqwest::Url;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection};

use crate::workspace;

/// Serialises the making of the template; any number that nothing else in the `postgres` database uses.
const TEMPLATE_LOCK: i64 = 5_620_117;

/// A database of the test's own.
///
/// It is dropped by a later test, once this test's process is gone, or with the cluster. Not by this process: Postgres
/// drops a database only after every backend has heard of it, and a backend whose client is one of our own tasks, half
/// way through logging in, hears nothing while this thread waits for the drop.
pub struct Database {
    admin: Url,
    name: String,
}

const PREFIX: &str = "insula_test_";

impl Database {
    /// Clones the template.
    ///
    /// # Panics
    /// Outside `make test`, which starts the cluster, and when that cluster refuses.
    pub async fn create() -> Self {
        Self::create_in(cluster()).await
    }

    /// The same in another cluster, whose superuser's URL is `admin`.
    ///
    /// # Panics
    /// When that cluster refuses.
    pub async fn create_in(admin: Url) -> Self {
        let template = template(&admin).await;
        sweep(&admin).await;
        let id = insula_tenancy::new_uuid().simple();
        let name = format!("{PREFIX}{}_{id}", std::process::id());
        run(&admin, &format!("create database {name} template {template}")).await;
        Self { admin, name }
    }

    /// For the superuser, who is not held by row-level security: for seeding and looking, never for serving.
    pub fn owner_url(&self) -> SecretString {
        with_database(&self.admin, &self.name).to_string().into()
    }

    /// For `insula_app`, as the server logs in.
    pub fn app_url(&self) -> Url {
        let mut url = with_database(&self.admin, &self.name);
        url.set_username("insula_app").expect("a postgres URL has a user");
        url.set_password(Some(&app_password(&self.admin)))
            .expect("a postgres URL has a password");
        url
    }

    /// Connections of the superuser.
    pub async fn owner(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(4)
            .connect(with_database(&self.admin, &self.name).as_str())
            .await
            .expect("connecting as the owner")
    }

    /// The address of the cluster, for a proxy in front of it.
    pub fn address(&self) -> (String, u16) {
        let host = self.admin.host_str().expect("a postgres URL has a host");
        (host.to_owned(), self.admin.port().unwrap_or(5432))
    }
}

/// Drops the databases of test processes that are gone.
async fn sweep(admin: &Url) {
    let mut connection = connect(admin).await;
    let names: Vec<String> =
        sqlx::query_scalar("select datname::text from pg_database where starts_with(datname, $1)")
            .bind(PREFIX)
            .fetch_all(&mut connection)
            .await
            .expect("listing databases");
    for name in names {
        let process = name
            .trim_start_matches(PREFIX)
            .split('_')
            .next()
            .unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            let drop = AssertSqlSafe(format!("drop database if exists {name} with (force)"));
            // Another test may be about to do the same, and then one of the two is refused.
            let _ = sqlx::raw_sql(drop).execute(&mut connection).await;
        }
    }
    connection.close().await.expect("closing");
}

/// The cluster's administrative URL.
fn cluster() -> Url {
    let url = std::env::var("INSULA_TEST_CLUSTER").unwrap_or_else(|_| {
        panic!("this test needs the test cluster (INSULA_TEST_CLUSTER is not set): run `make test`")
    });
    url.parse().expect("INSULA_TEST_CLUSTER is not a URL")
}

/// Secret enough for a cluster that lives as long as a test run, the same in all test processes, written nowhere.
fn app_password(admin: &Url) -> String {
    hex(&Sha256::digest(admin.password().unwrap_or_default()))
}

async fn template(admin: &Url) -> String {
    let name = format!("insula_template_{}", fingerprint());
    let mut connection = connect(admin).await;
    if !exists(&mut connection, &name).await {
        sqlx::query("select pg_advisory_lock($1)")
            .bind(TEMPLATE_LOCK)
            .execute(&mut connection)
            .await
            .expect("lock");
        if !exists(&mut connection, &name).await {
            make_template(admin, &name).await;
        }
    }
    // Closing gives the lock back.
    connection.close().await.expect("closing");
    name
}

/// Renamed only when it is complete, so that a test run that was killed leaves no half of one.
async fn make_template(admin: &Url, name: &str) {
    let unfinished = format!("{name}_unfinished");
    run(
        admin,
        &format!("drop database if exists {unfinished} with (force)"),
    )
    .await;
    run(admin, &format!("create database {unfinished}")).await;
    let url = SecretString::from(with_database(admin, &unfinished).to_string());
    insula_tenancy::migrate(&url, Some(&app_password(admin).into()))
        .await
        .expect("migrating the template");
    run(admin, &format!("alter database {unfinished} rename to {name}")).await;
}

async fn exists(connection: &mut PgConnection, name: &str) -> bool {
    sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(connection)
        .await
        .expect("looking for the template")
}

async fn connect(admin: &Url) -> PgConnection {
    PgConnection::connect(admin.as_str())
        .await
        .expect("connecting to the test cluster")
}

async fn run(admin: &Url, statement: &str) {
    let mut connection = connect(admin).await;
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    connection.close().await.expect("closing");
}

fn with_database(admin: &Url, name: &str) -> Url {
    let mut url = admin.clone();
    url.set_path(name);
    url
}

/// Of everything that makes the schema, so that a cluster that outlives a change of it gets a new template.
fn fingerprint() -> String {
    let mut files: Vec<_> = std::fs::read_dir(workspace().join("migrations"))
        .expect("the folder of migrations")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .chain([workspace().join("tenancy/sql/roles.sql")])
        .collect();
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        digest.update(
            file.file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default(),
        );
        digest.update(read(&file));
    }
    hex(&digest.finalize()[..6])
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
