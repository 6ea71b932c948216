//! How fast the real server searches, how well, and what grows with the size of a store.
//!
//!     bench search INSULA_BINARY RUNTIME_DIR [CHUNKS,CHUNKS,…]
//!     bench search INSULA_BINARY RUNTIME_DIR isolation [CHUNKS]
//!
//! Stores are filled with generated chunks and vectors by the statements of ingestion. The server is asked texts whose vectors it
//! has in its cache, so that what is measured is the search: the API has no way to search with a vector of the caller's. Beside
//! it, the same statements without the server, and an exact comparison in memory, the limit. Nothing is asserted.

mod corpus;
mod exact;
mod fill;
mod isolation;
mod measure;
mod pg;
mod plans;
mod vectors;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use sqlx::PgPool;
use tokio::process::Command;
use uuid::Uuid;

use self::fill::Store;
use self::measure::Asked;
use self::vectors::Vectors;
use crate::server::Server;

/// Chunks unless told otherwise.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// Questions about each store.
const QUESTIONS: usize = 200;
/// Clients at once.
const CLIENTS: [usize; 3] = [1, 8, 32];
/// Memory of the server for vectors, in bytes.
const MEMORY: &str = "2147483648";
/// The embedding model, as the server calls it.
const MODEL: &str = "bench";

/// What is searched by.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Vector,
    Hybrid,
}

/// A tenant of the server under measurement.
struct Tenant {
    id: Uuid,
    key: String,
    base_url: String,
    server_pid: u32,
    http: reqwest::Client,
}

impl Tenant {
    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.base_url);
        let answer = self
            .http
            .post(url)
            .bearer_auth(&self.key)
            .json(body)
            .send()
            .await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        anyhow::ensure!(status.is_success(), "{status}: {body}");
        Ok(body)
    }
}

/// The install under measurement.
struct Bench {
    binary: PathBuf,
    runtime: PathBuf,
    data: tempfile::TempDir,
    vectors: Vectors,
}

impl Bench {
    async fn new(binary: &Path, runtime: &Path) -> Result<Self> {
        let (data, vectors) = (tempfile::tempdir()?, Vectors::default());
        let address = vectors.serve().await?;
        let routes = format!(
            "[[provider]]\nname = \"bench\"\nkind = \"openai_compatible\"\nbase_url = \"http://{address}/v1\"\n\
             [[route]]\nmodel = \"{MODEL}\"\nkind = \"embeddings\"\ndimensions = {}\nmax_tokens = 512\n\
             languages = [\"eng\"]\noversample = 200\n[[route.target]]\nprovider = \"bench\"\nupstream_model = \"bench\"\n",
            corpus::DIMENSIONS
        );
        std::fs::write(data.path().join("routes.toml"), routes)?;
        Ok(Self {
            binary: binary.to_owned(),
            runtime: runtime.to_owned(),
            data,
            vectors,
        })
    }

    async fn start(&self, more: &[&str]) -> Result<Server> {
        let routes = self.data.path().join("routes.toml");
        let mut arguments = vec![
            "--no-embedding-model",
            "--ip-requests-per-second",
            "0",
            "--routes",
            routes.to_str().context("a folder whose name is no text")?,
        ];
        arguments.extend(more);
        Server::start(
            &self.binary,
            &self.runtime,
            &self.data.path().join("data"),
            &arguments,
        )
        .await
    }

    /// The tenant that the install begins with.
    async fn first_tenant(&self, server: &Server, pool: &PgPool) -> Result<Tenant> {
        let mut tx = pool.begin().await?;
        sqlx::raw_sql("set local role insula_system")
            .execute(&mut *tx)
            .await?;
        let id = sqlx::query_scalar("select id from tenants order by id limit 1")
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        self.tenant(server, id, server.api_key.clone())
    }

    fn tenant(&self, server: &Server, id: Uuid, key: String) -> Result<Tenant> {
        Ok(Tenant {
            id,
            key,
            base_url: server.base_url.clone(),
            server_pid: server.pid()?,
            http: server.http.clone(),
        })
    }

    /// What a command of the binary prints.
    async fn command(&self, server: &Server, arguments: &[&str]) -> Result<Value> {
        let made = Command::new(&self.binary)
            .args(arguments)
            .args(["--json", "--database-url", &server.database_url])
            .output()
            .await?;
        anyhow::ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(serde_json::from_slice(&made.stdout)?)
    }
}

/// Prints the tables.
pub(crate) async fn run(
    binary: &Path,
    runtime: &Path,
    mut arguments: impl Iterator<Item = String>,
) -> Result<()> {
    let first = arguments.next();
    if first.as_deref() == Some("isolation") {
        let giant = arguments
            .next()
            .map_or(Ok(isolation::GIANT), |text| text.parse())?;
        return isolation::run(binary, runtime, giant).await;
    }
    let sizes: Vec<usize> = match &first {
        Some(list) => list.split(',').map(str::parse).collect::<Result<_, _>>()?,
        None => SIZES.to_vec(),
    };
    let bench = Bench::new(binary, runtime).await?;
    let server = bench.start(&["--accelerator-bytes", "0"]).await?;
    let pool = pg::pool(&server.database_url).await?;
    let tenant = bench.first_tenant(&server, &pool).await?;
    println!("| chunks | built in | chunks/s | table | indexes | exact in memory, p50 |");
    println!("| --: | --: | --: | --: | --: | --: |");
    let mut stores = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let before = sizes_of(&pool).await?;
        let store = fill::fill(&tenant, &pool, 42 + number as u64, *size, QUESTIONS).await?;
        let after = sizes_of(&pool).await?;
        bench.vectors.know(&store.questions);
        let (truth, limit) = tokio::task::block_in_place(|| store.exact.answers(&store.questions));
        println!(
            "| {size} | {:.1} s | {:.0} | {:.1} MB | {:.1} MB | {:.2} ms |",
            store.took.as_secs_f64(),
            *size as f64 / store.took.as_secs_f64(),
            (after.0 - before.0) as f64 / 1e6,
            (after.1 - before.1) as f64 / 1e6,
            limit.as_secs_f64() * 1e3,
        );
        stores.push((store, truth));
    }
    settle(&pool).await?;
    println!(
        "\n| chunks | by | asked | clients | QPS | p50 ms | p95 ms | p99 ms | CPU of Postgres ms | of the server ms | \
         recall@10 |"
    );
    println!("| --: | --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |");
    for (store, truth) in &stores {
        rows(&tenant, &pool, store, truth, &[Asked::Sql, Asked::Api], "API").await?;
    }
    let without = server.rss()?;
    pool.close().await;
    server.stop().await?;
    let server = bench.start(&["--accelerator-bytes", MEMORY]).await?;
    let pool = pg::pool(&server.database_url).await?;
    let tenant = bench.first_tenant(&server, &pool).await?;
    for (store, truth) in &stores {
        rows(
            &tenant,
            &pool,
            store,
            truth,
            &[Asked::Api],
            "API, vectors in memory",
        )
        .await?;
    }
    println!(
        "\nmemory of the server: {without:.0} MB, with vectors {:.0} MB",
        server.rss()?
    );
    pool.close().await;
    server.stop().await
}

/// The rows of one store.
async fn rows(
    tenant: &Tenant,
    pool: &PgPool,
    store: &Store,
    truth: &[Vec<insula_tenancy::ChunkId>],
    all: &[Asked],
    api: &str,
) -> Result<()> {
    measure::warm(tenant, store).await?;
    let recall = measure::recall(tenant, store, truth).await?;
    for way in [Way::Vector, Way::Hybrid] {
        for asked in all {
            for clients in CLIENTS {
                let taken = measure::measure(tenant, pool, store, (*asked, way), clients).await?;
                let (name, server, recall) = match (asked, way) {
                    (Asked::Sql, _) => ("SQL", "-".into(), "-".into()),
                    (Asked::Api, Way::Vector) => {
                        (api, format!("{:.2}", taken.server * 1e3), format!("{recall:.4}"))
                    }
                    (Asked::Api, Way::Hybrid) => (api, format!("{:.2}", taken.server * 1e3), "-".into()),
                };
                println!(
                    "| {} | {} | {name} | {clients} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {server} | {recall} |",
                    store.chunks,
                    format!("{way:?}").to_lowercase(),
                    taken.rate(),
                    taken.ms(0.50),
                    taken.ms(0.95),
                    taken.ms(0.99),
                    taken.postgres * 1e3,
                );
            }
        }
    }
    Ok(())
}

/// Bytes of the tables of chunks and vectors, and of their indexes.
async fn sizes_of(pool: &PgPool) -> Result<(i64, i64)> {
    Ok(sqlx::query_as(
        "select sum(pg_table_size(oid))::bigint, sum(pg_indexes_size(oid))::bigint from pg_class
         where relname in ('chunks_default', 'embeddings_384_default')",
    )
    .fetch_one(pool)
    .await?)
}

/// Waits until Postgres has tidied up by itself, as it would have before anybody searched in earnest: without that, scans of
/// indexes look into the tables, and plans are made blindly.
async fn settle(pool: &PgPool) -> Result<()> {
    let patience = Instant::now();
    while patience.elapsed() < Duration::from_secs(180) {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_user_tables
             where relname in ('chunks_default', 'embeddings_384_default')
               and (n_ins_since_vacuum > 5000 or last_autoanalyze is null or n_mod_since_analyze > 5000)",
        )
        .fetch_one(pool)
        .await?;
        if waiting == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    println!("(Postgres has not tidied up yet)");
    Ok(())
}
